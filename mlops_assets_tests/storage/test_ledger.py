"""The ledger: sealed entries in one chain per system, one promotion per generation, whoever else tries."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from mlops_assets.errors import StorageError
from mlops_assets.storage import chain_writing
from mlops_assets.storage.details_format import read_details
from mlops_assets.storage.hash_chain import ChainFinding, verify
from mlops_assets.storage.ledger import Ledger
from mlops_assets.storage.ledger_entry import Entry, Event, moment
from mlops_assets.storage.records import RecordStore
from mlops_assets.storage.storage import Storage

AT_ONCE = 50


def entry(version: int, event: Event = "promoted", generation: int | None = None, system: str = "wine") -> Entry:
    return Entry(
        system=system,
        event=event,
        version=version,
        reason=f"reason {version}",
        actor="ada",
        model_digest="m" * 64,
        report_digest="r" * 64,
        run_id="run",
        generation=generation,
        details={"difference": 0.1 + 0.2, "name": "ß"},
    )


def changed(storage: Storage, statement: str) -> ChainFinding:
    """What verification finds after somebody ran ``statement`` on the database."""
    with storage.records.engine.begin() as connection:
        connection.execute(sa.text(statement))
    ledger = Ledger(storage.records)
    return verify("wine", ledger.chain("wine"))


@pytest.fixture
def ledger(storage: Storage) -> Ledger:
    ledger = Ledger(storage.records)
    ledger.append(entry(1, generation=1), entry(2, "verdict"))
    ledger.append(entry(3, generation=2))
    ledger.append(entry(9, system="other", generation=1))
    return ledger


def test_the_champion_is_the_last_promotion_and_history_stays(ledger: Ledger):
    champion = ledger.champion("wine")
    assert champion is not None
    assert (champion.version, champion.generation) == (3, 2)
    assert [(e.version, e.event, e.sequence) for e in ledger.entries("wine")] == [
        (1, "promoted", 1),
        (2, "verdict", 2),
        (3, "promoted", 3),
    ]
    assert ledger.systems() == ["other", "wine"]
    assert ledger.entries("wine")[0].details == {"difference": 0.1 + 0.2, "name": "ß"}


def test_details_of_an_earlier_release_are_read_in_todays_words_and_stay_as_they_were_written(ledger: Ledger):
    guard = {"name": "recall", "kept": False, "told": "recall 0.5 against 0.6"}
    draft = replace(entry(4, "verdict"), details={"guards": [guard], "rows_digest": "f" * 64})
    (written,) = ledger.append(draft)
    assert read_details(written)["guards"] == [{"name": "recall", "kept": False, "message": guard["told"]}]
    assert read_details(written)["rows_digest"] == "f" * 64
    assert ledger.entries("wine")[-1].details == draft.details
    assert verify("wine", ledger.chain("wine")).ok


def test_the_champion_of_a_moment_in_the_past(ledger: Ledger):
    first, _, last = ledger.entries("wine")
    before = datetime.fromisoformat(first.at) - timedelta(seconds=1)
    assert ledger.sequence_at("wine", moment(before)) == 0
    assert ledger.champion("wine", before=1) is None
    then = ledger.champion("wine", before=1 + ledger.sequence_at("wine", first.at))
    assert then and then.version == 1
    in_berlin = datetime.fromisoformat(last.at).astimezone(timezone(timedelta(hours=1)))
    later = ledger.champion("wine", before=1 + ledger.sequence_at("wine", moment(in_berlin)))
    assert later and later.version == 3
    assert moment(datetime(1, 1, 1)) == "0001-01-01T00:00:00.000000Z", "texts sort as times do"


def test_an_untouched_chain_verifies(ledger: Ledger):
    found = verify("wine", ledger.chain("wine"), {"the registry": ledger.head("wine")})
    assert found.ok
    assert (found.entries, found.head) == (3, ledger.head("wine")[1])
    assert verify("nobody", ledger.chain("nobody")).ok


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE mlops_ledger SET reason = 'better' WHERE sequence = 2", r"entry 2 \(verdict, .*\) was changed"),
        ("UPDATE mlops_ledger SET details = '{}' WHERE sequence = 3", "entry 3 .* was changed"),
        ("UPDATE mlops_ledger SET at = '2020-01-01T00:00:00.000000Z' WHERE sequence = 1", "entry 1 .* was changed"),
        ("DELETE FROM mlops_ledger WHERE sequence = 2", "entry 2 is missing"),
        ("DELETE FROM mlops_ledger WHERE sequence = 1", "entry 1 is missing"),
        ("UPDATE mlops_ledger SET sequence = sequence + 10", "entry 1 is missing"),
        ("UPDATE mlops_ledger SET hash = 'x' WHERE sequence = 1", "entry 1 .* was changed"),
        ("UPDATE mlops_ledger SET hash_before = 'x' WHERE sequence = 2", "entry 2 does not continue entry 1"),
    ],
)
def test_any_change_is_found(ledger: Ledger, storage: Storage, statement: str, told: str):
    found = changed(storage, f"{statement}{' AND' if 'WHERE' in statement else ' WHERE'} system = 'wine'")
    assert not found.ok
    assert re.search(told, found.broken), found.broken


def test_entries_taken_off_the_end_are_missed_by_the_anchor(ledger: Ledger, storage: Storage):
    anchor = ledger.head("wine")
    assert changed(storage, "DELETE FROM mlops_ledger WHERE system = 'wine' AND sequence = 3").ok
    found = verify("wine", ledger.chain("wine"), {"the registry": anchor})
    assert "entry 3, whose hash the registry noted, is missing" in found.broken


def test_a_rewritten_chain_is_found_by_the_anchor(ledger: Ledger, storage: Storage):
    anchor = ledger.head("wine")
    changed(storage, "DELETE FROM mlops_ledger WHERE system = 'wine'")
    ledger.append(entry(4, generation=1), entry(5, "verdict"), entry(6, generation=2))
    assert verify("wine", ledger.chain("wine")).ok
    assert "is another one" in verify("wine", ledger.chain("wine"), {"the registry": anchor}).broken


def test_a_generation_is_given_once(storage: Storage):
    ledger = Ledger(storage.records)
    ledger.append(entry(1, generation=1))
    with pytest.raises(StorageError, match="generation 1 of the champion was decided by another run"):
        ledger.append(entry(2, "verdict"), entry(2, generation=1))
    assert [e.event for e in ledger.entries("wine")] == ["promoted"], "all entries of an append, or none"


def test_an_event_of_a_version_is_written_once(storage: Storage):
    ledger = Ledger(storage.records)
    assert len(ledger.append_once(entry(1, "registered"))) == 1
    assert ledger.append_once(entry(1, "registered")) == []
    assert len(ledger.append_once(entry(2, "registered"))) == 1


def test_time_never_runs_backwards(ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(chain_writing, "now", lambda: "2001-01-01T00:00:00.000000Z")
    (written,) = ledger.append(entry(4, "verdict"))
    assert written.at == ledger.entries("wine")[2].at


def test_a_time_that_cannot_be_right_is_marked_and_breaks_no_chain(storage: Storage, monkeypatch: pytest.MonkeyPatch):
    """The clock of one writer was years ahead."""
    ledger = Ledger(storage.records)
    ledger.append(entry(1, "registered"))
    monkeypatch.setattr(chain_writing, "now", lambda: "2101-01-01T00:00:00.000000Z")
    ledger.append(entry(2, "registered"))
    monkeypatch.undo()
    ledger.append(entry(3, "registered"))
    found = verify("wine", ledger.chain("wine"))
    assert found.ok
    assert found.misdated == ["entry 2 is dated 2101-01-01T00:00:00.000000Z, which is still to come"]


def test_an_entry_that_is_dated_before_the_one_it_follows_is_marked():
    """As only a chain that was not written by the ledger can have it."""
    first = replace(entry(1, "registered"), sequence=1, at="2026-03-02T00:00:00.000001Z")
    first = replace(first, hash=first.sealed())
    later = replace(entry(2, "registered"), sequence=2, at="2026-03-01T00:00:00.000000Z", hash_before=first.hash)
    (told,) = verify("wine", [first, replace(later, hash=later.sealed())]).misdated
    assert told == "entry 1 is dated 2026-03-02T00:00:00.000001Z, more than a day after entry 2, which follows it"


def test_of_many_promoters_at_once_exactly_one_wins_each_generation(storage: Storage):
    race(storage.database_url)


def race(url: str) -> None:
    """Fifty promoters at once for the generation after the one they have all seen: one wins, and all are chained."""
    Ledger(RecordStore(url)).append(entry(0, generation=1))
    together = threading.Barrier(AT_ONCE)

    def promote(number: int) -> str:
        ledger = Ledger(RecordStore(url))
        seen = ledger.champion("wine")
        assert seen and seen.generation
        together.wait()
        ledger.append(entry(number, "verdict"))
        try:
            ledger.append(entry(number, generation=seen.generation + 1))
        except StorageError as error:
            return str(error)
        return "won"

    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = list(pool.map(promote, range(AT_ONCE)))
    ledger = Ledger(RecordStore(url))
    assert told.count("won") == 1
    assert sum("was decided by another run" in one for one in told) == AT_ONCE - 1
    assert sum(one.event == "verdict" for one in ledger.entries("wine")) == AT_ONCE
    assert verify("wine", ledger.chain("wine")).ok
    assert verify("wine", ledger.chain("wine")).entries == AT_ONCE + 2
