"""Where a system stands: the newest record of every stage, told in one page."""

from typing import Any

from mlops_assets.dataset.version import BatchOutcome, DatasetVersion
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.model.version import ModelVersion
from mlops_assets.preflight import declaration_digest
from mlops_assets.registry.ledger import Ledger
from mlops_assets.registry.version import ChampionDecision, RegisteredVersion
from mlops_assets.settings import Settings
from mlops_assets.storage.storage import Storage

IN_FORCE = ("version", "previous", "generation", "event", "actor", "at", "reason")
"""What is told of the promotion in force; a person may have changed it since the newest decision."""
STAGES = (DatasetVersion, FeaturesVersion, ModelVersion, EvaluationReport, RegisteredVersion, ChampionDecision)


def unchanged(storage: Storage, spec: SystemSpec) -> str:
    """Why a run would only repeat the last one; empty if it would not."""
    from mlops_assets.dataset.landing import pending_names

    dataset = storage.records.latest(DatasetVersion, spec.name)
    decision = storage.records.latest(ChampionDecision, spec.name)
    if dataset is None or decision is None or pending_names(storage, spec.name):
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


def standing(settings: Settings, spec: SystemSpec) -> dict[str, Any]:
    """The newest record of every stage, as JSON values."""
    records = settings.open_storage().records
    newest = {kind.stage: records.latest(kind, spec.name) for kind in STAGES}
    in_force = Ledger(records).champion(spec.name)
    batches = [outcome.model_dump(mode="json") for outcome in records.history(BatchOutcome, spec.name)]
    return {
        "system": spec.name,
        **{stage: record and record.model_dump(mode="json") for stage, record in newest.items()},
        "in_force": in_force and {name: getattr(in_force, name) for name in IN_FORCE},
        "batches": batches[-10:],
        "where": {
            "tables": f"{settings.storage_root}/tables/{spec.name}",
            "landing": f"{settings.storage_root}/landing/{spec.name}",
            "dagster": "make ui, then http://localhost:3000",
            "mlflow": "make ui, then http://localhost:5000",
        },
    }
