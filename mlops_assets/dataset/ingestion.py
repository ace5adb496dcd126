"""Ingestion: every waiting batch is read once, and committed or rejected; a batch can be taken out again."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_assets.dataset.append_attempt import AppendAttempt, Progress
from mlops_assets.dataset.checks import content_verdicts
from mlops_assets.dataset.commit import until_committed
from mlops_assets.dataset.contract import Contract
from mlops_assets.dataset.lake import require_lake
from mlops_assets.dataset.landing import adopt, find_landed, pending
from mlops_assets.dataset.landing_zone import Landed
from mlops_assets.dataset.table import RETRACTED, DatasetTable
from mlops_assets.dataset.version import BatchOutcome, DatasetVersion
from mlops_assets.errors import LandingError, StorageError

if TYPE_CHECKING:
    from mlops_assets.declaration.spec import SystemSpec
    from mlops_assets.storage.storage import Storage


@dataclass(frozen=True)
class Ingestion:
    """What one call of :func:`ingest` did."""

    version: DatasetVersion | None
    """The newest dataset version, None before the first accepted batch."""
    outcomes: list[BatchOutcome]
    """The fate of every batch that was offered to this call."""


def ingest(storage: "Storage", spec: "SystemSpec", run_id: str = "", on_progress: Progress | None = None) -> Ingestion:
    """Bring every waiting batch into the dataset, or reject it with a reason; safe to repeat after a crash.

    An append reads no earlier rows: what it must know of them (whether a row, key or unique value occurred)
    are sorted hash files beside the table. Only the first append after a retraction, or after a key or unique
    column was declared, makes these again from the columns concerned.

    Raises:
        StorageError: if the table is not what the records say, or what this platform stored.
        SpecError: if the contract cannot be meant.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from mlops_assets.dataset.landing import land
        >>> from mlops_assets.dataset.table import read_dataset
        >>> from mlops_assets.declaration.spec import SystemSpec
        >>> from mlops_assets.storage.storage import Storage
        >>> columns = {"plan": {"type": "string"}, "spend": {"type": "float"}}
        >>> spec = SystemSpec(name="shop", task="regression", dataset={"target": "spend", "columns": columns})
        >>> with TemporaryDirectory() as folder:
        ...     storage, file = Storage.local(folder), Path(folder, "june.csv")
        ...     _ = file.write_text("plan,spend\\nbasic,9.5\\nfull,20\\n")
        ...     _ = land(storage, "shop", file)
        ...     version = ingest(storage, spec).version
        ...     read_dataset(storage, version, ["plan", "spend"]).rows()
        [('basic', 9.5), ('full', 20.0)]
    """
    require_lake(storage, spec.name)
    adopt(storage, spec.name)
    contract = Contract(spec.dataset)
    outcomes = _unrecorded(storage, spec, run_id)
    if DatasetTable.latest(storage, spec.name) is not None:  # a column declared since is there without a new batch
        until_committed(lambda: DatasetTable.ready(storage, spec.name, spec.dataset.columns))
    for landed in _offered(storage, spec, contract):
        outcomes.append(_settle(storage, spec, contract, landed, on_progress))
        _record(storage, outcomes[-1], run_id)
    return Ingestion(publish(storage, spec, run_id), outcomes)


def retract(
    storage: "Storage", spec: "SystemSpec", batch_prefix: str, reason: str, run_id: str = ""
) -> DatasetVersion | None:
    """Take the batch whose id begins with ``batch_prefix`` out of the dataset; the same bytes stay out from then on.

    A rejected batch is put on record as retracted: no other contract will be asked about it.
    Rows that were quarantined because the retracted batch held their key do not come back: land them again.

    Raises:
        LandingError: if no accepted or rejected batch, or more than one, has this prefix.
    """
    require_lake(storage, spec.name)
    _unrecorded(storage, spec, run_id)
    outcomes = {outcome.digest: outcome for outcome in storage.records.history(BatchOutcome, spec.name)}
    chosen = _only_match(spec.name, batch_prefix, outcomes)
    if chosen.outcome == "accepted":
        outcome = _taken_out(storage, chosen, reason)
    else:  # nothing of it is in the table; retracted, it is not offered again under another contract
        outcome = chosen.model_copy(update={"outcome": "retracted", "reason": f"{reason} (was {chosen.reason})"})
    _record(storage, outcome, run_id)
    return publish(storage, spec, run_id)


def publish(storage: "Storage", spec: "SystemSpec", run_id: str = "") -> DatasetVersion | None:
    """Record the version that the table's latest commit holds, unless the newest record says the same."""
    table = DatasetTable.latest(storage, spec.name)
    if table is None:
        return None
    held = table.state.version(spec.name, table.version, [])
    if held is None:
        return None
    held = held.model_copy(update={"verdicts": content_verdicts(held, spec.dataset)})
    latest = storage.records.latest(DatasetVersion, spec.name)
    if latest is not None and _says_the_same(latest, held):
        return latest
    storage.records.append(held, run_id)
    # Another process may have committed meanwhile and published before us: the newest commit has the last word.
    return publish(storage, spec, run_id)


def _offered(storage: "Storage", spec: "SystemSpec", contract: Contract) -> list[Landed]:
    """Batches without an outcome, and rejected ones that another contract judged; oldest first."""
    latest = {outcome.digest: outcome for outcome in storage.records.history(BatchOutcome, spec.name)}
    judged_otherwise = [
        outcome.file
        for outcome in latest.values()
        if outcome.outcome == "rejected" and outcome.contract != contract.digest
    ]
    again = [landed for file in judged_otherwise if (landed := find_landed(storage, spec.name, file)) is not None]
    return sorted([*again, *pending(storage, spec.name)], key=lambda landed: (landed.landed_at, landed.file))


def _settle(
    storage: "Storage", spec: "SystemSpec", contract: Contract, landed: Landed, on_progress: Progress | None
) -> BatchOutcome:
    """Commit or reject one batch; starts over as long as other processes commit first."""

    def attempt() -> BatchOutcome:
        table = DatasetTable.ready(storage, spec.name, spec.dataset.columns)
        if table.transaction(landed.batch) is not None:
            return _outcome_of_commit(table, landed.batch)
        return AppendAttempt(storage, spec, contract, landed, table).run(on_progress)

    return until_committed(attempt)


def _outcome_of_commit(table: DatasetTable, batch: str) -> BatchOutcome:
    outcome = table.commit_of(batch).outcome
    if outcome is None:
        raise StorageError(f"The commit of batch {batch!r} in {table.uri!r} tells nothing. Remedy: restore its log")
    return outcome


def _unrecorded(storage: "Storage", spec: "SystemSpec", run_id: str) -> list[BatchOutcome]:
    """Record what commits did whose own run was kept from it by a crash, or whose records were lost."""
    table = DatasetTable.latest(storage, spec.name)
    if table is None:
        return []
    # Of two runs at once the later commit may have been recorded first: so from the version before the newest.
    known = storage.records.published(DatasetVersion, spec.name, newest=2)
    first = known[0].record.table_version if len(known) > 1 else 0
    states = [table.state_at(version) for version in range(min(first, table.version), table.version + 1)]
    newest = {state.outcome.digest: state.outcome for state in states if state.outcome is not None}
    return [outcome for outcome in newest.values() if _record(storage, outcome, run_id)]


def _record(storage: "Storage", outcome: BatchOutcome, run_id: str) -> bool:
    """Publish the outcome, unless that has been done."""
    if storage.records.find(BatchOutcome, outcome.system, outcome.digest) == outcome:
        return False
    storage.records.append(outcome, run_id)
    return True


def _taken_out(storage: "Storage", accepted: BatchOutcome, reason: str) -> BatchOutcome:
    """The recorded outcome, once the commit that removes the batch's rows is there."""

    def attempt() -> BatchOutcome:
        table = DatasetTable.latest(storage, accepted.system)
        if table is None:
            raise StorageError(f"The dataset table of {accepted.system!r} is gone. Remedy: restore it")
        if table.transaction(accepted.digest) == RETRACTED:
            return _outcome_of_commit(table, accepted.digest)
        outcome = accepted.model_copy(
            update={"outcome": "retracted", "reason": reason, "table_version": table.version + 1}
        )
        _take_out(table, outcome)
        return outcome

    return until_committed(attempt)


def _take_out(table: DatasetTable, outcome: BatchOutcome) -> None:
    element = table.commit_of(outcome.digest).element
    hashes = table.read(["_hash"], without_batch=outcome.digest)["_hash"]
    landed = [other.landed_at for batch, other in table.members().items() if batch != outcome.digest]
    newest = max(landed, default=outcome.landed_at)
    state = table.state.without_batch(outcome, element, len(hashes) - hashes.n_unique(), newest)
    table.remove(outcome.digest, state)


def _only_match(system: str, prefix: str, outcomes: dict[str, BatchOutcome]) -> BatchOutcome:
    matches = [outcome for digest, outcome in outcomes.items() if digest.startswith(prefix)]
    accepted = [outcome for outcome in matches if outcome.outcome == "accepted"]
    rejected = [outcome for outcome in matches if outcome.outcome == "rejected"]
    if len(accepted) == 1 or len(accepted or rejected) == 1:
        return (accepted or rejected)[0]
    candidates = accepted or matches or list(outcomes.values())
    listed = (
        ", ".join(f"{outcome.digest[:12]} ({outcome.original}, {outcome.outcome})" for outcome in candidates[:20])
        or "none"
    )
    what = "names several batches" if len(accepted or rejected) > 1 else "names no accepted or rejected batch"
    raise LandingError(f"{prefix!r} {what} of {system!r}. Batches: {listed}. Remedy: give more of the batch id")


def _says_the_same(version: DatasetVersion, other: DatasetVersion) -> bool:
    def essence(version: DatasetVersion) -> tuple:
        judged = [(verdict.name, verdict.outcome, verdict.severity, verdict.bound) for verdict in version.verdicts]
        return version.model_dump(exclude={"verdicts"}), judged

    return essence(version) == essence(other)
