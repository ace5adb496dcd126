"""Records: what was published is found again, also as an earlier release wrote it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest

from mlops_assets.errors import StorageError
from mlops_assets.storage.hash_chain import verify
from mlops_assets.storage.ledger import Ledger
from mlops_assets.storage.ledger_entry import Entry
from mlops_assets.storage.records import Record, RecordStore
from mlops_assets.storage.storage import Storage

AT_ONCE = 6


class Before(Record):
    stage: ClassVar[str] = "tasting"

    colour: str


class Now(Record):
    """As ``Before``, with a field renamed."""

    stage: ClassVar[str] = "tasting"

    hue: str

    @classmethod
    def upgraded(cls, body: dict[str, Any]) -> dict[str, Any]:
        return {"hue" if name == "colour" else name: value for name, value in body.items()}


@pytest.fixture
def records(storage: Storage) -> RecordStore:
    return storage.records


def test_a_record_is_got_by_its_digest(records: RecordStore):
    record = Now(system="wine", digest="d" * 64, hue="red")
    records.append(record)
    assert records.get(Now, "wine", record.digest) == record


def test_where_there_is_no_such_record_the_error_says_what_to_do(records: RecordStore):
    message = "wine has no tasting record aaaaaaaaaaaa. Remedy: restore the database of the records"
    with pytest.raises(StorageError, match=message):
        records.get(Now, "wine", "a" * 64)


def test_a_record_of_an_earlier_release_is_read_under_the_digest_it_was_stored_with(records: RecordStore):
    records.append(Before(system="wine", digest="d" * 64, colour="red"))
    assert records.get(Now, "wine", "d" * 64) == Now(system="wine", digest="d" * 64, hue="red")


def test_a_record_that_no_upgrade_reads_names_the_remedy(records: RecordStore):
    records.append(Before(system="wine", digest="d" * 64, colour="red"))
    with pytest.raises(StorageError, match="A stored 'tasting' record cannot be read by this release"):
        records.get(Strict, "wine", "d" * 64)


def test_records_of_many_writers_at_once_are_all_sealed(storage: Storage):
    publish_at_once(storage.database_url)


def publish_at_once(url: str) -> None:
    """Writers of records and of decisions in one chain."""

    def write(number: int) -> None:
        records = RecordStore(url)
        for nth in range(3):
            records.append(Now(system="wine", digest=f"{number}-{nth}", hue="red"))
            assert records.find(Now, "wine", f"{number}-{nth}"), "a reader is not disturbed by the other writers"
            Ledger(records).append(Entry("wine", "verdict", "tasted", "ada", version=number))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(write, range(AT_ONCE)))
    records = RecordStore(url)
    assert len(records.history(Now, "wine")) == 3 * AT_ONCE
    assert not records.fault("wine")
    chain = verify("wine", Ledger(records).chain("wine"))
    assert (chain.ok, chain.entries, chain.decisions) == (True, 6 * AT_ONCE, 3 * AT_ONCE)


class Strict(Record):
    stage: ClassVar[str] = "tasting"
