"""Dossier: every record about one registered version, and its report, re-read and found unchanged."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mlops_assets.dataset.version import BatchOutcome, DatasetVersion
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import StorageError, TrackingError
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.model.environment import code_version
from mlops_assets.model.version import ModelVersion
from mlops_assets.registry.anchor import fault_of
from mlops_assets.registry.provenance import features_of, model_of, own_report
from mlops_assets.registry.session import RegistrySession
from mlops_assets.registry.version import RegisteredVersion
from mlops_assets.storage.ledger_entry import Entry

if TYPE_CHECKING:
    from mlops_assets.evaluation.report.report import Report

CHANGES = ("promoted", "rolled back")


@dataclass(frozen=True, eq=False)
class Dossier:
    """What the card is filled from."""

    spec: SystemSpec
    version: RegisteredVersion
    report: "Report"
    model: ModelVersion
    features: FeaturesVersion
    dataset: DatasetVersion
    batches: list[BatchOutcome]
    """Accepted ones of this dataset version, in the order of their commits."""
    entries: list[Entry]
    """The system's ledger, oldest first."""
    environment: dict[str, str]
    """Version by distribution, as logged with the training run; empty where it cannot be read."""
    environment_note: str = ""
    """Why it cannot be read."""
    ledger_fault: str = ""
    """What is wrong with the ledger or a record that it seals; empty if nothing is."""

    @cached_property
    def unchanged(self) -> bool:
        """Whether the declaration and the platform's release are those that the model was made with."""
        return code_version(self.spec) == self.model.code_version

    @property
    def registered(self) -> Entry | None:
        return next((entry for entry in self.entries if entry.event == "registered" and self._is_about(entry)), None)

    @property
    def own_entries(self) -> list[Entry]:
        """Entries about this version, about who took its place as champion, and about the ledger as a whole."""
        number = self.version.version
        return [
            entry
            for entry in self.entries
            if self._is_about(entry)
            or (entry.event in CHANGES and entry.previous == number)
            or entry.event == "accepted"
        ]

    @property
    def terms(self) -> list[tuple[Entry, Entry | None]]:
        """From which entry to which this version was champion; None: it still is."""
        changes = [entry for entry in self.entries if entry.event in CHANGES]
        ends = [*changes[1:], None]
        return [(entry, end) for entry, end in zip(changes, ends, strict=True) if self._is_about(entry)]

    def _is_about(self, entry: Entry) -> bool:
        return entry.version == self.version.version


def dossier(session: RegistrySession, number: int) -> Dossier:
    """Gather the evidence of one version.

    Raises:
        StorageError: if a record is missing, or the stored report is not the one that was recorded.
        GateRefused: if the report is about another model, or did not pass.
    """
    storage, version = session.storage, session.version(number)
    report = own_report(session, version)
    model = model_of(storage, version)
    dataset = storage.records.get(DatasetVersion, version.system, version.dataset_digest)
    environment, note = _environment(session, model)
    return Dossier(
        spec=session.spec,
        version=version,
        report=report,
        model=model,
        features=features_of(storage, model),
        dataset=dataset,
        batches=_batches(session, dataset),
        entries=session.ledger.entries(version.system),
        environment=environment,
        environment_note=note,
        ledger_fault=fault_of(session.registry, session.ledger, storage),
    )


def _batches(session: RegistrySession, dataset: DatasetVersion) -> list[BatchOutcome]:
    """What the records say had been accepted, and not yet retracted, when the dataset version was made."""
    fates: dict[str, BatchOutcome] = {}
    for outcome in session.storage.records.history(BatchOutcome, dataset.system):
        if outcome.table_version is not None and outcome.table_version <= dataset.table_version:
            fates[outcome.digest] = outcome
    accepted = [outcome for outcome in fates.values() if outcome.outcome == "accepted"]
    if len(accepted) != dataset.batches:
        raise StorageError(
            f"The records know {len(accepted)} batches of dataset {dataset.digest[:12]} of {dataset.system}, it was "
            f"made from {dataset.batches}. Remedy: restore the database of the records"
        )
    return sorted(accepted, key=lambda outcome: outcome.table_version or 0)


def _environment(session: RegistrySession, model: ModelVersion) -> tuple[dict[str, str], str]:
    try:
        path = session.fetch(f"runs:/{model.mlflow_run_id}/environment.txt")
    except TrackingError as error:
        return {}, str(error)
    lines = (line.partition("==") for line in path.read_text(encoding="utf-8").splitlines() if "==" in line)
    return {name: version for name, _, version in lines}, ""
