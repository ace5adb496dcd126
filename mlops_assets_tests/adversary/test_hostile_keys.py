"""Texts of others that end in the databases: each is a value and nothing that the database does."""

from typing import Any, ClassVar

import pytest
import sqlalchemy as sa

from mlops_assets.storage.ledger import Ledger
from mlops_assets.storage.ledger_entry import Entry
from mlops_assets.storage.messages import Outbox
from mlops_assets.storage.records import Record
from mlops_assets.storage.storage import Storage

HOSTILE = [
    "'; DROP TABLE mlops_records; --",
    '"; DELETE FROM mlops_ledger; --',
    "x' OR '1'='1",
    "a\nb",
    "%",
    "_",
    ":system",
    "?",
    "\\",
    "\u202e😀",
    "k" * 1_000_000,
]


class Tasting(Record):
    stage: ClassVar[str] = "tasting"

    note: str


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_is_read_as_sql(storage: Storage, text: str):
    other, hostile = Tasting(system="wine", digest="d", note="red"), Tasting(system=text, digest=text, note=text)
    storage.records.append(other, run_id=text)
    assert storage.records.find(Tasting, text, text) is None
    storage.records.append(hostile)
    assert storage.records.history(Tasting, text) == [hostile]
    assert storage.records.history(Tasting, "wine") == [other]
    assert storage.records.digests(Tasting, text) == {text}


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_in_the_ledger_or_the_outbox_is_read_as_sql(storage: Storage, text: str):
    ledger, outbox = Ledger(storage.records), Outbox(storage.records)
    ledger.append(Entry("wine", "promoted", "better", "ada", version=1, generation=1))
    ledger.append(Entry(text, "promoted", text, text, version=2, generation=1, run_id=text, details={text: text}))
    outbox.put(text)
    assert [entry.version for entry in ledger.entries("wine")] == [1]
    assert [(entry.reason, entry.actor, entry.details) for entry in ledger.entries(text)] == [
        (text, text, {text: text})
    ]
    message: Any = outbox.claim()
    assert message.body == text
    assert {"mlops_records", "mlops_ledger"} <= set(sa.inspect(storage.records.engine).get_table_names())
