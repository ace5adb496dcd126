"""Earlier report: one that differs from the newest before it in measured times alone is that one again.

A second look at equal inputs would otherwise make another version of every system whose predictions are timed.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from mlops_assets.errors import MlopsError
from mlops_assets.evaluation.diagnosis_catalogue import DIAGNOSES
from mlops_assets.evaluation.report.report import Report
from mlops_assets.evaluation.report.report_format import read_report
from mlops_assets.evaluation.spec import EvaluationSpec
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.verdict import Verdict

Fetch = Callable[[str, Path], Path]


def unless_only_times_differ(
    report: Report, declared: EvaluationSpec, newest: EvaluationReport | None, fetch: Fetch, folder: Path
) -> Report:
    """The stored report of ``newest`` where ``report`` says the same of the same model, times aside; else ``report``.

    A gate on a time must have come to the same outcome: a model that has become too slow, or is no longer, is reported.
    """
    timed = {diagnosis.name for diagnosis in report.diagnoses if DIAGNOSES[diagnosis.name].timed}
    if newest is None or not timed or newest.model_digest != report.model_digest:
        return report
    earlier = _stored(newest, fetch, folder)
    gates = {gate.name for gate in declared.gates if (gate.measure or "").partition(".")[0] in timed}
    if earlier is None or _without_times(earlier, timed, gates) != _without_times(report, timed, gates):
        return report
    return earlier


def _stored(record: EvaluationReport, fetch: Fetch, folder: Path) -> Report | None:
    """None where it is gone, changed or of another format: this evaluation is the remedy for that."""
    try:
        stored = fetch(record.report_uri, folder / "earlier").read_bytes()
        earlier = read_report(stored)
    except MlopsError:
        return None
    return earlier if earlier.digest == record.digest == hashlib.sha256(stored).hexdigest() else None


def _without_times(report: Report, timed: set[str], gates: set[str]) -> Report:
    return report.model_copy(
        update={
            "diagnoses": [diagnosis for diagnosis in report.diagnoses if diagnosis.name not in timed],
            "gates": [_outcome_alone(gate) if gate.name in gates else gate for gate in report.gates],
        }
    )


def _outcome_alone(gate: Verdict) -> Verdict:
    return Verdict(name=gate.name, outcome=gate.outcome, severity=gate.severity)
