"""Trace: forward from a batch to every version that rests on it, and back from a version to its batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_assets.audit.history import Generation, generations
from mlops_assets.dataset.landing import pending
from mlops_assets.dataset.version import BatchOutcome, DatasetVersion
from mlops_assets.declaration.base import one_of
from mlops_assets.errors import LandingError, StorageError
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.model.version import ModelVersion
from mlops_assets.registry.ledger import Ledger, moment
from mlops_assets.registry.version import RegisteredVersion
from mlops_assets.storage.records import Published

if TYPE_CHECKING:
    from mlops_assets.storage.storage import Storage


@dataclass(frozen=True)
class Batch:
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
class Trained:
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
    batches: list[Batch]
    dataset_versions: list[int]
    """Delta versions of the dataset."""
    features_versions: list[int]
    """Delta versions of the features."""
    models: list[Trained]
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
    def told(self) -> str:
        """Which versions are affected, and whether the champion is."""
        if not self.versions:
            return f"No registered version of {self.system} is affected."
        named = f"Affected: {_listed(self.versions)} of {self.system}"
        if self.champion is None:
            return f"{named}; there is no champion."
        among = "is among them" if self.affects_champion else "is not among them"
        return f"{named}; the present champion, version {self.champion}, {among}."


def forward(store: "Storage", system: str, batch: Batch) -> Trace:
    """Everything that was made from ``batch``: what was trained on it, or measured on it."""
    outcomes = store.records.history(BatchOutcome, system)
    held = [
        version
        for version in store.records.history(DatasetVersion, system)
        if batch.batch in members(outcomes, version.table_version)
    ]
    digests = {version.digest for version in held}
    features = [one for one in store.records.history(FeaturesVersion, system) if one.dataset_digest in digests]
    built = {version.digest for version in features}
    models = [one for one in store.records.published(ModelVersion, system) if one.record.features_digest in built]
    versions = [one for one in store.records.history(RegisteredVersion, system) if one.features_digest in built]
    return _trace(store, system, [batch], [version.table_version for version in held], features, models, versions)


def backward(store: "Storage", system: str, number: int) -> Trace:
    """Everything that registered version ``number`` rests on.

    Raises:
        StorageError: if there is no such version, or a record that it names is missing.
    """
    known = {version.version: version for version in store.records.history(RegisteredVersion, system)}
    if number not in known:
        raise StorageError(f"{system} has no record of version {number}. Versions: {one_of(sorted(known)) or 'none'}")
    version = known[number]
    features = store.records.find(FeaturesVersion, system, version.features_digest)
    models = [
        one
        for one in store.records.published(ModelVersion, system, version.model_digest)
        if one.record.features_digest == version.features_digest
    ]
    if features is None or not models:
        what = "features version" if features is None else "model"
        raise StorageError(f"{version.name} names a {what} of which there is no record. Remedy: restore the records")
    read = features.dataset_table_version
    fates = _fates(store, system)
    batches = [fates[batch] for batch in members(store.records.history(BatchOutcome, system), read)]
    return _trace(store, system, batches, [read], [features], models, [version])


def find_batch(store: "Storage", system: str, named: str) -> Batch:
    """The batch with this id, a beginning of it, or the name of its file.

    Raises:
        LandingError: if there is none, or more than one.
    """
    batches = list(_fates(store, system).values())
    waiting = [Batch(one.batch, one.original, moment(one.landed_at), "waiting") for one in pending(store, system)]
    batches += [one for one in waiting if one.batch not in {known.batch for known in batches}]
    found = [one for one in batches if named and (one.batch.startswith(named.lower()) or one.original == named)]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{one.batch[:12]} ({one.original}, {one.fate})" for one in (found or batches)[-20:])
    what = "names several batches" if found else "names no batch"
    raise LandingError(
        f"{named!r} {what} of {system!r}. Batches: {listed or 'none'}. Remedy: give more of the batch id"
    )


def members(outcomes: Sequence[BatchOutcome], table_version: int) -> dict[str, BatchOutcome]:
    """The batches in a Delta version of the dataset: accepted by then, and not retracted by then."""
    by_then = [one for one in outcomes if one.table_version is not None and one.table_version <= table_version]
    newest = {one.digest: one for one in sorted(by_then, key=lambda one: one.table_version or 0)}
    return {batch: outcome for batch, outcome in newest.items() if outcome.outcome == "accepted"}


def _trace(
    store: "Storage",
    system: str,
    batches: list[Batch],
    dataset_versions: Sequence[int],
    features: Sequence[FeaturesVersion],
    models: Sequence[Published[ModelVersion]],
    registered: Sequence[RegisteredVersion],
) -> Trace:
    ledger = Ledger(store.records)
    champion, versions = ledger.champion(system), sorted({version.version for version in registered})
    return Trace(
        system=system,
        batches=batches,
        dataset_versions=sorted(set(dataset_versions)),
        features_versions=sorted({version.table_version for version in features}),
        models=[Trained(one.record.digest, moment(one.at), one.record.mlflow_run_id, one.run_id) for one in models],
        versions=versions,
        generations=[one for one in generations(ledger, system) if one.version in versions],
        champion=champion.version if champion else None,
    )


def _fates(store: "Storage", system: str) -> dict[str, Batch]:
    """Every batch with its newest outcome, by id."""
    return {
        one.digest: Batch(
            one.digest, one.original, moment(one.landed_at), one.outcome, one.rows, one.accepted, one.reason
        )
        for one in store.records.history(BatchOutcome, system)
    }


def _listed(versions: Sequence[int]) -> str:
    if len(versions) == 1:
        return f"version {versions[0]}"
    return f"versions {', '.join(map(str, versions[:-1]))} and {versions[-1]}"
