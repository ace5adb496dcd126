"""The ledger: one promotion per generation, whoever else tries."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from mlops_assets.errors import StorageError
from mlops_assets.records import RecordStore
from mlops_assets.registry.ledger import Entry, Event, Ledger
from mlops_assets.storage import Storage


def entry(version: int, event: Event = "promoted", generation: int | None = None, system: str = "wine") -> Entry:
    return Entry(
        system=system,
        event=event,
        version=version,
        reason=f"reason {version}",
        model_digest="m" * 64,
        report_digest="r" * 64,
        run_id="run",
        generation=generation,
    )


def test_the_champion_is_the_last_promotion_and_history_stays(storage: Storage):
    ledger = Ledger(storage.records)
    assert ledger.champion("wine") is None
    for written in (entry(1, generation=1), entry(2, "kept"), entry(3, generation=2), entry(9, system="other")):
        ledger.append(written)
    champion = ledger.champion("wine")
    assert champion is not None
    assert (champion.version, champion.generation) == (3, 2)
    assert [(e.version, e.event) for e in ledger.entries("wine")] == [(1, "promoted"), (2, "kept"), (3, "promoted")]
    assert all(e.at is not None for e in ledger.entries("wine"))


def test_a_generation_is_given_once(storage: Storage):
    ledger = Ledger(storage.records)
    ledger.append(entry(1, generation=1))
    with pytest.raises(StorageError, match="generation 1 of the champion was decided by another run"):
        ledger.append(entry(2, generation=1))


def test_of_many_promoters_at_once_exactly_one_wins(storage: Storage):
    Ledger(storage.records).entries("wine")

    def promote(version: int) -> bool:
        try:
            Ledger(RecordStore(storage.database_url)).append(entry(version, generation=1))
        except StorageError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(promote, range(24))) == 1
