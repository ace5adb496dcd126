"""Where a system stands: the newest record of every stage, on one page."""

from dataclasses import dataclass

from mlops_assets.dataset.version import BatchOutcome, DatasetVersion
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.model.version import ModelVersion
from mlops_assets.preflight import declaration_digest
from mlops_assets.registry.version import ChampionDecision, RegisteredVersion
from mlops_assets.settings import Settings
from mlops_assets.storage.ledger import Ledger
from mlops_assets.storage.ledger_entry import Entry
from mlops_assets.storage.records import Record
from mlops_assets.storage.storage import Storage

IN_FORCE = ("version", "previous", "generation", "event", "actor", "at", "reason")
"""What is shown of the promotion in force; a person may have changed it since the newest decision."""
STAGES = (DatasetVersion, FeaturesVersion, ModelVersion, EvaluationReport, RegisteredVersion, ChampionDecision)


def unchanged(storage: Storage, spec: SystemSpec) -> str:
    """Why a run would only repeat the last one; empty if it would not."""
    from mlops_assets.dataset.lake import lake_problem
    from mlops_assets.dataset.landing import pending_names

    dataset = storage.records.latest(DatasetVersion, spec.name)
    decision = storage.records.latest(ChampionDecision, spec.name)
    if dataset is None or decision is None or pending_names(storage, spec.name) or lake_problem(storage, spec.name):
        return ""
    registered = storage.records.find(RegisteredVersion, spec.name, decision.digest)
    if registered is None or registered.dataset_digest != dataset.digest:
        return ""
    if decision.declaration != declaration_digest(spec):
        return ""
    in_force = Ledger(storage.records).champion(spec.name)
    champion = f"version {in_force.version} is champion" if in_force else "there is no champion yet"
    waiting = f"; version {decision.version} waits for approval" if decision.decision == "requested" else ""
    return (
        f"nothing new has landed, dataset version {dataset.table_version} and the declaration are unchanged, "
        f"and {champion}{waiting}."
    )


@dataclass(frozen=True)
class SystemStatus:
    """Where a system stands."""

    system: str
    dataset: DatasetVersion | None
    features: FeaturesVersion | None
    model: ModelVersion | None
    evaluation: EvaluationReport | None
    registered_version: RegisteredVersion | None
    champion: ChampionDecision | None
    """The newest decision."""
    in_force: Entry | None
    """The promotion or rollback that made the present champion."""
    batches: list[BatchOutcome]
    """The last ten."""
    where: dict[str, str]
    """Places to look at, by what lies there."""

    def story(self) -> dict[str, object]:
        """As JSON values."""
        return {
            "system": self.system,
            **{kind.stage: _values(getattr(self, kind.stage)) for kind in STAGES},
            "in_force": self.in_force and {name: getattr(self.in_force, name) for name in IN_FORCE},
            "batches": [_values(outcome) for outcome in self.batches],
            "where": self.where,
        }


def standing(settings: Settings, spec: SystemSpec) -> SystemStatus:
    """The newest record of every stage."""
    records = settings.open_storage().records
    return SystemStatus(
        system=spec.name,
        dataset=records.latest(DatasetVersion, spec.name),
        features=records.latest(FeaturesVersion, spec.name),
        model=records.latest(ModelVersion, spec.name),
        evaluation=records.latest(EvaluationReport, spec.name),
        registered_version=records.latest(RegisteredVersion, spec.name),
        champion=records.latest(ChampionDecision, spec.name),
        in_force=Ledger(records).champion(spec.name),
        batches=records.history(BatchOutcome, spec.name)[-10:],
        where={
            "tables": f"{settings.storage_root}/tables/{spec.name}",
            "landing": f"{settings.storage_root}/landing/{spec.name}",
            "dagster": "make ui, then http://localhost:3000",
            "mlflow": "make ui, then http://localhost:5000",
        },
    )


def _values(record: Record | None) -> dict[str, object] | None:
    return record and record.model_dump(mode="json")
