"""Predecessors: the champions that a model comes after."""

from mlops_assets.evaluation.gate_history import Predecessor
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.registry.ledger import Ledger
from mlops_assets.storage.storage import Storage


def predecessors(storage: Storage, system: str, model_digest: str) -> list[Predecessor]:
    """Every champion before this model was one first, oldest first; so a second look at a champion sees the same."""
    champions = []
    for entry in Ledger(storage.records).entries(system, "promoted", "rolled back"):
        if entry.model_digest == model_digest:
            break
        report = storage.records.find(EvaluationReport, system, entry.report_digest)
        if report is not None and entry.version is not None:
            champions.append(Predecessor(entry.version, report.verdicts))
    return champions
