"""The linear baseline: a report warns of a model that is worse than a plain linear one."""

from mlops_assets.comparison.pair import Pair
from mlops_assets.errors import NotEvaluated
from mlops_assets.evaluation.diagnosis_catalogue import LINEAR_CHECK
from mlops_assets.evaluation.gate_evidence import LINEAR, Evidence
from mlops_assets.metrics.formatting import figure, interval_text
from mlops_assets.verdict import Outcome, Verdict


def verdict(evidence: Evidence, metric: str) -> Verdict:
    """Whether the model is not significantly worse than logistic or ridge regression on the same features."""
    linear = evidence.baselines.get(LINEAR)
    if linear is None:
        return _said("not evaluated", "there is no linear baseline. Remedy: materialise the model again")
    try:
        comparison = Pair(evidence.outcomes, linear, evidence.units, evidence.bootstrap).compare(metric)
    except NotEvaluated as reason:
        return _said("not evaluated", str(reason))
    low, high = comparison.interval
    seen = (
        f"{metric} {figure(comparison.challenger)} against {figure(comparison.champion)} of the linear baseline on "
        f"{comparison.rows:,} rows: difference {interval_text((low, high))}"
    )
    if high >= 0:
        return _said("passed", seen, value=comparison.difference, interval=comparison.interval, rows=comparison.rows)
    seen += ", all of it worse. Remedy: declare a linear model, or mend this one"
    return _said("failed", seen, value=comparison.difference, interval=comparison.interval, rows=comparison.rows)


def _said(outcome: Outcome, reason: str, **numbers: object) -> Verdict:
    named = {"name": LINEAR_CHECK, "outcome": outcome, "severity": "warn", "reason": reason, "bound": 0.0}
    return Verdict.model_validate({**named, **numbers})
