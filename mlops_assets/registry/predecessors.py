"""Predecessors: the champions that a model comes after."""

from mlops_assets.evaluation.gate_history import Judged, Predecessor
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.storage.ledger import Ledger
from mlops_assets.storage.storage import Storage


def predecessors(storage: Storage, system: str, judged: Judged) -> list[Predecessor]:
    """Every champion in the ledger, oldest first, up to the first that was judged as this one.

    So a second look at a champion sees the same; an equal model under other terms comes after it.
    """
    champions = []
    for entry in Ledger(storage.records).entries(system, "promoted", "rolled back"):
        report = storage.records.find(EvaluationReport, system, entry.report_digest)
        if report is None or entry.version is None:
            continue
        if Judged(report.model_digest, report.features_digest, report.terms) == judged:
            break
        champions.append(Predecessor(entry.version, report.verdicts, report.terms))
    return champions
