"""Reingestion: batches that are to be read once more, because the lake lost them or they had been rejected."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_assets.dataset.lake import lake_problem, lost_batches, lost_files
from mlops_assets.dataset.landing import find_landed
from mlops_assets.dataset.table import DatasetTable
from mlops_assets.dataset.version import BatchOutcome, DatasetVersion, LakeLoss, Reopening
from mlops_assets.errors import StorageError

if TYPE_CHECKING:
    from mlops_assets.storage.storage import Storage


@dataclass(frozen=True)
class Reingestion:
    """What one call of :func:`reopen` did."""

    reopened: list[BatchOutcome]
    """Batches that the next ingestion reads again."""
    still_lost: list[BatchOutcome]
    """Batches that were in the dataset, are not, and whose files have not been landed again."""


def reopen(storage: "Storage", system: str, actor: str, batches: Iterable[str] = ()) -> Reingestion:
    """Offer ``batches``, or all lost ones that lie in the landing zone, to the next ingestion once more.

    A loss of the lake is put on record first. Batches that the table holds, or that were retracted, stay as they are.

    Raises:
        StorageError: if the log of the table is there and files of it are not: nothing could be added to it.
    """
    _require_files(storage, system)
    lost = lost_batches(storage, system)
    if problem := lake_problem(storage, system):
        storage.records.append(_loss(storage, system, problem, actor, lost))
    chosen = list(batches) or [batch for batch, outcome in lost.items() if find_landed(storage, system, outcome.file)]
    reopened = [
        _reopened(storage, outcome, actor) for batch in chosen if (outcome := _closed(storage, system, batch, lost))
    ]
    gone = {batch: outcome for batch, outcome in lost.items() if batch not in chosen}
    return Reingestion(reopened, list(gone.values()))


def _require_files(storage: "Storage", system: str) -> None:
    table = DatasetTable.latest(storage, system)
    if table is not None and (lost := lost_files(table)):
        raise StorageError(
            f"The table {table.uri!r} cannot be added to: {lost}. Remedy: restore them, "
            "or move the whole folder of the table away and try again"
        )


def _loss(storage: "Storage", system: str, problem: str, actor: str, lost: dict[str, BatchOutcome]) -> LakeLoss:
    recorded, table = storage.records.latest(DatasetVersion, system), DatasetTable.latest(storage, system)
    return LakeLoss(
        system=system,
        digest=recorded.digest if recorded else "",
        problem=problem,
        actor=actor,
        table_version=table.version if table else None,
        lost=list(lost),
    )


def _closed(storage: "Storage", system: str, batch: str, lost: dict[str, BatchOutcome]) -> BatchOutcome | None:
    """The outcome that keeps ``batch`` from being read, where it may be lifted."""
    outcome = lost.get(batch) or storage.records.find(BatchOutcome, system, batch)
    return outcome if outcome is not None and (batch in lost or outcome.outcome == "rejected") else None


def _reopened(storage: "Storage", outcome: BatchOutcome, actor: str) -> BatchOutcome:
    reason = f"to be read again, by {actor}; was {outcome.outcome} {outcome.reason}".rstrip()
    again = outcome.model_copy(update={"outcome": "reopened", "reason": reason, "table_version": None})
    storage.records.append(Reopening(system=outcome.system, digest=outcome.digest, actor=actor))
    storage.records.append(again)
    return again
