"""Trace: forward from a batch to every version that rests on it, and back from a version to its batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_assets.audit.history import Generation, generations, trainings_of
from mlops_assets.dataset.landing import pending
from mlops_assets.dataset.version import BatchOutcome, DatasetVersion
from mlops_assets.declaration.base import one_of
from mlops_assets.errors import LandingError, StorageError
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.model.version import ModelVersion
from mlops_assets.registry.version import RegisteredVersion
from mlops_assets.storage.ledger import Ledger
from mlops_assets.storage.ledger_entry import moment
from mlops_assets.storage.records import Published

if TYPE_CHECKING:
    from mlops_assets.storage.storage import Storage


@dataclass(frozen=True)
class BatchFate:
    """One landed file and what became of it."""

    batch: str
    """SHA-256 of its bytes."""
    original: str
    """Name of the file as it was brought in."""
    landed_at: str
    """UTC."""
    fate: str
    """``accepted``, ``rejected``, ``retracted`` or ``waiting``."""
    rows: int = 0
    accepted: int = 0
    reason: str = ""


@dataclass(frozen=True)
class TrainingRun:
    """One model, and where it was trained."""

    digest: str
    at: str
    """UTC."""
    mlflow_run_id: str
    dagster_run_id: str


@dataclass(frozen=True)
class Trace:
    """What hangs together, from landed files to champions."""

    system: str
    batches: list[BatchFate]
    dataset_versions: list[int]
    """Delta versions of the dataset."""
    features_versions: list[int]
    """Delta versions of the features."""
    models: list[TrainingRun]
    versions: list[int]
    """Registered versions."""
    generations: list[Generation]
    """When these were champion, oldest first."""
    champion: int | None
    """The present champion of the system."""

    @property
    def affects_champion(self) -> bool:
        return self.champion in self.versions

    @property
    def message(self) -> str:
        """Which versions are affected, and whether the champion is."""
        if not self.versions:
            return f"No registered version of {self.system} is affected."
        named = f"Affected: {_listed(self.versions)} of {self.system}"
        if self.champion is None:
            return f"{named}; there is no champion."
        among = "is among them" if self.affects_champion else "is not among them"
        return f"{named}; the present champion, version {self.champion}, {among}."


@dataclass(frozen=True)
class Descent:
    """What was built, trained and registered from some dataset versions."""

    features: Sequence[FeaturesVersion]
    models: Sequence[Published[ModelVersion]]
    registered: Sequence[RegisteredVersion]


def forward(storage: "Storage", system: str, batch: BatchFate) -> Trace:
    """Everything that was made from ``batch``: what was trained on it, or measured on it."""
    records = storage.records
    outcomes = records.history(BatchOutcome, system)
    datasets = [
        dataset
        for dataset in records.history(DatasetVersion, system)
        if batch.batch in members(outcomes, dataset.table_version)
    ]
    digests = {dataset.digest for dataset in datasets}
    features = [built for built in records.history(FeaturesVersion, system) if built.dataset_digest in digests]
    built = {version.digest for version in features}
    descent = Descent(
        features,
        [model for model in records.published(ModelVersion, system) if model.record.features_digest in built],
        [version for version in records.history(RegisteredVersion, system) if version.features_digest in built],
    )
    return _trace(storage, system, [batch], [dataset.table_version for dataset in datasets], descent)


def backward(storage: "Storage", system: str, number: int) -> Trace:
    """Everything that registered version ``number`` rests on.

    Raises:
        StorageError: if there is no such version, or a record that it names is missing.
    """
    records = storage.records
    known = {version.version: version for version in records.history(RegisteredVersion, system)}
    if number not in known:
        raise StorageError(f"{system} has no record of version {number}. Versions: {one_of(sorted(known)) or 'none'}")
    version = known[number]
    features = records.get(FeaturesVersion, system, version.features_digest)
    models = trainings_of(storage, version)
    if not models:
        raise StorageError(f"{version.name} names a model of which there is no record. Remedy: restore the records")
    read = features.dataset_table_version
    fates = _fates(storage, system)
    batches = [fates[batch] for batch in members(records.history(BatchOutcome, system), read)]
    return _trace(storage, system, batches, [read], Descent([features], models, [version]))


def find_batch(storage: "Storage", system: str, named: str) -> BatchFate:
    """The batch with this id, a beginning of it, or the name of its file.

    Raises:
        LandingError: if there is none, or more than one.
    """
    decided = _fates(storage, system)
    waiting = [
        BatchFate(landed.batch, landed.original, moment(landed.landed_at), "waiting")
        for landed in pending(storage, system)
        if landed.batch not in decided
    ]
    batches = [*decided.values(), *waiting]
    matches = [
        batch for batch in batches if named and (batch.batch.startswith(named.lower()) or batch.original == named)
    ]
    if len(matches) == 1:
        return matches[0]
    shown = (matches or batches)[-20:]
    listed = ", ".join(f"{batch.batch[:12]} ({batch.original}, {batch.fate})" for batch in shown)
    what = "names several batches" if matches else "names no batch"
    raise LandingError(
        f"{named!r} {what} of {system!r}. Batches: {listed or 'none'}. Remedy: give more of the batch id"
    )


def members(outcomes: Sequence[BatchOutcome], table_version: int) -> dict[str, BatchOutcome]:
    """The batches in a Delta version of the dataset: accepted by then, and not retracted by then."""
    by_then = [
        outcome for outcome in outcomes if outcome.table_version is not None and outcome.table_version <= table_version
    ]
    newest = {outcome.digest: outcome for outcome in sorted(by_then, key=lambda outcome: outcome.table_version or 0)}
    return {batch: outcome for batch, outcome in newest.items() if outcome.outcome == "accepted"}


def _trace(
    storage: "Storage", system: str, batches: list[BatchFate], dataset_versions: Sequence[int], descent: Descent
) -> Trace:
    ledger = Ledger(storage.records)
    champion, versions = ledger.champion(system), sorted({version.version for version in descent.registered})
    return Trace(
        system=system,
        batches=batches,
        dataset_versions=sorted(set(dataset_versions)),
        features_versions=sorted({version.table_version for version in descent.features}),
        models=[
            TrainingRun(model.record.digest, moment(model.at), model.record.mlflow_run_id, model.run_id)
            for model in descent.models
        ],
        versions=versions,
        generations=[generation for generation in generations(ledger, system) if generation.version in versions],
        champion=champion.version if champion else None,
    )


def _fates(storage: "Storage", system: str) -> dict[str, BatchFate]:
    """Every batch with its newest outcome, by id."""
    return {outcome.digest: _fate(outcome) for outcome in storage.records.history(BatchOutcome, system)}


def _fate(outcome: BatchOutcome) -> BatchFate:
    return BatchFate(
        batch=outcome.digest,
        original=outcome.original,
        landed_at=moment(outcome.landed_at),
        fate=outcome.outcome,
        rows=outcome.rows,
        accepted=outcome.accepted,
        reason=outcome.reason,
    )


def _listed(versions: Sequence[int]) -> str:
    if len(versions) == 1:
        return f"version {versions[0]}"
    return f"versions {', '.join(map(str, versions[:-1]))} and {versions[-1]}"
