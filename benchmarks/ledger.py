"""The ledger after many events: who was champion at a moment, and whether the chain still holds."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.figure import RUNS, Benchmark, Figure, seconds
from mlops_assets.audit.history import generation_at
from mlops_assets.storage.hash_chain import verify
from mlops_assets.storage.ledger import Ledger
from mlops_assets.storage.ledger_entry import Entry, moment
from mlops_assets.storage.schema import tables
from mlops_assets.storage.storage import Storage

ENTRIES = 100_000
SYSTEM = "wine_quality"
START = datetime(2026, 1, 1, tzinfo=UTC)
EVENTS = ("registered", "verdict", "promoted", "registered", "verdict")
"""Of every five entries one begins a generation."""


def measure(folder: Path) -> list[Figure]:
    """Moments spread over the whole chain, each from a storage opened anew, and verifications of all of it."""
    storage = Storage.local(folder)
    _write(storage)
    moments = [START + timedelta(minutes=ENTRIES * part // (RUNS - 1)) for part in range(1, RUNS)]
    asked = tuple(seconds(lambda at=at: _ask(folder, at)) for at in [START + timedelta(minutes=3), *moments])
    verified = tuple(seconds(lambda: _verify(Ledger(storage.records))) for _ in range(RUNS))
    return [
        Figure("Champion at a moment, of 100,000 entries", asked, "s", at_most=0.3),
        Figure("Verification of 100,000 entries", verified, "s", at_most=5),
    ]


def _write(storage: Storage) -> None:
    """A chain as the ledger writes it, sealed here and stored at once: one transaction instead of 100,000."""
    import json

    rows, head = [], ""
    for number in range(1, ENTRIES + 1):
        entry = _entry(number, head)
        head = entry.sealed()
        details = json.dumps(entry.details, sort_keys=True, separators=(",", ":"))
        rows.append({**vars(entry), "hash": head, "details": details})
    with storage.records.engine.begin() as connection:
        connection.execute(tables().ledger.insert(), rows)


def _entry(number: int, head: str) -> Entry:
    event, version = EVENTS[number % len(EVENTS)], 1 + number // len(EVENTS)
    comparison = {"metric": "accuracy", "difference": 0.01, "interval": [0.002, 0.018], "rows": 3000}
    return Entry(
        system=SYSTEM,
        event=event,  # type: ignore[arg-type]
        reason="superior: accuracy 0.91 against 0.9 on 3,000 rows",
        actor="schedule wine_quality_training",
        version=version,
        generation=version if event == "promoted" else None,
        model_digest=f"{number:064x}",
        report_digest=f"{number:064x}",
        details={"standing": "superior", "comparison": comparison} if event == "verdict" else {},
        sequence=number,
        at=moment(START + timedelta(minutes=number)),
        hash_before=head,
    )


def _ask(folder: Path, at: datetime) -> None:
    if generation_at(Ledger(Storage.local(folder).records), SYSTEM, moment(at)) is None:
        raise RuntimeError(f"The ledger knows no champion at {at}")


def _verify(ledger: Ledger) -> None:
    found = verify(SYSTEM, ledger.chain(SYSTEM))
    if not found.ok or found.entries != ENTRIES:
        raise RuntimeError(f"The chain of {found.entries} entries is broken: {found.broken}")


BENCHMARK = Benchmark(
    title="Ledger of 100,000 entries",
    how="One system's chain in sqlite; every fifth entry begins a generation, as many carry a comparison. The champion "
    "is asked for at moments from the first promotion to the last entry, each time through a storage opened anew, so "
    "that the connection and the look at the schema count too. Verification recomputes every hash.",
    measure=measure,
)
