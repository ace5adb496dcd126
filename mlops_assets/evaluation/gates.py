"""Gates: each declared condition judged on the evidence; what cannot be judged is not passed."""

import traceback
from collections.abc import Sequence
from typing import Any, cast

from mlops_assets.comparison.comparison import Comparison, compare_outcomes
from mlops_assets.errors import NotEvaluated
from mlops_assets.evaluation.diagnosis import Diagnosis, Measure
from mlops_assets.evaluation.gate_evidence import SIMPLE, Evidence
from mlops_assets.evaluation.gate_history import MIN_ROWS
from mlops_assets.evaluation.spec import GateSpec
from mlops_assets.metrics.catalogue import PRIMARY
from mlops_assets.metrics.formatting import bound_text, figure, interval_text
from mlops_assets.metrics.intervals import Estimate
from mlops_assets.metrics.scoring import obstacle
from mlops_assets.verdict import Outcome, Verdict


def judge(gate: GateSpec, evidence: Evidence, diagnoses: Sequence[Diagnosis] = ()) -> Verdict:
    """The verdict of one gate; whatever hinders it, an error included, makes it "not evaluated"."""
    try:
        if gate.measure is not None:
            return _measures_up(gate, diagnoses)
        chosen = evidence.sliced(gate.slice)
        if len(chosen.outcomes) < gate.min_rows:
            return _too_few(gate, evidence, chosen)
        return _beats_baseline(gate, chosen) if gate.check == "beats_baseline" else _meets_bound(gate, chosen)
    except NotEvaluated as reason:
        return _not_evaluated(gate, str(reason))
    except Exception as error:
        # A gate that errs must not pass, nor hide the other gates: its verdict carries the whole error.
        return _not_evaluated(
            gate, f"{type(error).__name__}: {error}", details={"traceback": "".join(traceback.format_exception(error))}
        )


def _meets_bound(gate: GateSpec, evidence: Evidence) -> Verdict:
    assert gate.metric is not None, "the declaration is checked"
    if gate.slice is None and gate.metric in evidence.estimates:
        found = evidence.estimates[gate.metric]
    else:
        found = evidence.estimate([gate.metric])[gate.metric]
    if found.value is None:
        reason = obstacle(gate.metric, evidence.outcomes) or found.note
        return _not_evaluated(gate, f"{gate.metric}: {reason}", found.rows)
    seen = found.value if gate.judged_on == "value" else _conservative_end(gate, found)
    if seen is None:
        return _not_evaluated(gate, f"{gate.metric} {figure(found.value)}: {found.note}", found.rows, found.value)
    return _verdict(
        gate,
        "passed" if _within(gate, seen) else "failed",
        f"{gate.metric} {figure(found.value)} {interval_text(found.interval)} on {found.rows:,} rows{_where(gate)}, "
        f"{_demand(gate)}",
        value=found.value,
        interval=found.interval,
        rows=found.rows,
    )


def _measures_up(gate: GateSpec, diagnoses: Sequence[Diagnosis]) -> Verdict:
    assert gate.measure is not None, "the declaration is checked"
    diagnosis, _, name = gate.measure.partition(".")
    found = next((m for d in diagnoses if d.name == diagnosis for m in d.measures if m.name == name), None)
    if found is None or found.value is None:
        return _not_evaluated(gate, f"{gate.measure}: {found.note if found else 'was not examined'}")
    if found.rows < gate.min_rows:
        return _not_evaluated(gate, f"{found.rows:,} rows, the gate needs {gate.min_rows}", found.rows, found.value)
    seen = found.value if gate.judged_on == "value" else _conservative_end(gate, found)
    if seen is None:
        return _not_evaluated(gate, f"{gate.measure} {figure(found.value)} has no interval", found.rows, found.value)
    return _verdict(
        gate,
        "passed" if _within(gate, seen) else "failed",
        f"{gate.measure} {figure(found.value)} {interval_text(found.interval)} on {found.rows:,} rows, {_demand(gate)}",
        value=found.value,
        interval=found.interval,
        rows=found.rows,
    )


def _conservative_end(gate: GateSpec, found: Estimate | Measure) -> float | None:
    if found.interval is None:
        return None
    return found.interval[0] if gate.at_least is not None else found.interval[1]


def _within(gate: GateSpec, seen: float) -> bool:
    if gate.at_least is not None:
        return seen >= gate.at_least
    assert gate.at_most is not None, "the declaration is checked"
    return seen <= gate.at_most


def _demand(gate: GateSpec) -> str:
    bound = gate.at_least if gate.at_least is not None else gate.at_most
    side = "at least" if gate.at_least is not None else "at most"
    end = "" if gate.judged_on == "value" else f"{'lower' if gate.at_least is not None else 'upper'} end "
    return f"{end}{side} {bound_text(bound or 0)}"


def _beats_baseline(gate: GateSpec, evidence: Evidence) -> Verdict:
    metric = gate.metric or PRIMARY[evidence.task]
    if SIMPLE not in evidence.baselines:
        return _not_evaluated(gate, f"there is no {SIMPLE!r} baseline. Remedy: materialise the model again")
    found = compare_outcomes(
        metric, evidence.outcomes, evidence.baselines[SIMPLE], evidence.groups, evidence.bootstrap, method="bootstrap"
    )
    return _verdict(
        gate,
        "passed" if found.superior else "failed",
        _comparison_text(gate, found),
        value=found.difference,
        bound=0.0,
        interval=found.interval,
        rows=found.rows,
        details={"metric": metric, "model": found.challenger, "baseline": found.champion},
    )


def _comparison_text(gate: GateSpec, found: Comparison) -> str:
    sense = "better by" if found.difference >= 0 else "worse by"
    return (
        f"{found.metric} {figure(found.challenger)} against {figure(found.champion)} of the baseline on {found.rows:,} "
        f"rows{_where(gate)}: {sense} {figure(abs(found.difference))}, improvement {interval_text(found.interval)} "
        "must lie above 0"
    )


def _where(gate: GateSpec) -> str:
    return "" if gate.slice is None else f" where {gate.slice.column} is {gate.slice.equals!r}"


def _too_few(gate: GateSpec, evidence: Evidence, chosen: Evidence) -> Verdict:
    rows = len(chosen.outcomes)
    reason = f"{rows:,} test rows{_where(gate)}, the gate needs {gate.min_rows}"
    if rows or gate.slice is None:
        return _not_evaluated(gate, reason, rows)
    seen = evidence.context[gate.slice.column].dropna().unique()
    return _not_evaluated(gate, reason, rows, details={"values seen": sorted(map(str, seen))[:20]})


def _not_evaluated(
    gate: GateSpec,
    reason: str,
    rows: int | None = None,
    value: float | None = None,
    details: dict[str, Any] | None = None,
) -> Verdict:
    return _verdict(gate, "not evaluated", reason, rows=rows, value=value, details=details or {})


def _verdict(gate: GateSpec, outcome: Outcome, reason: str, **numbers: object) -> Verdict:
    bound = gate.at_least if gate.at_least is not None else gate.at_most
    said = {"name": gate.name, "outcome": outcome, "severity": gate.severity, "reason": reason, "bound": bound}
    details = {MIN_ROWS: gate.min_rows, **cast(dict[str, Any], numbers.pop("details", {}))}
    return Verdict.model_validate({**said, **numbers, "details": details})
