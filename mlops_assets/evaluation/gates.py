"""Gates: each declared condition judged on the evidence; what cannot be judged is not passed."""

import traceback
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlops_assets.comparison.comparison import Comparison
from mlops_assets.comparison.pair import Pair
from mlops_assets.errors import NotEvaluated
from mlops_assets.evaluation.diagnosis import Diagnosis, Measure
from mlops_assets.evaluation.gate_evidence import Evidence
from mlops_assets.evaluation.spec import GateSpec
from mlops_assets.metrics.catalogue import primary_metric
from mlops_assets.metrics.chance import chance
from mlops_assets.metrics.estimate import Estimate
from mlops_assets.metrics.formatting import demand_text, figure, interval_text
from mlops_assets.metrics.scoring import obstacle
from mlops_assets.verdict import Outcome, Verdict


def judge(spec: GateSpec, evidence: Evidence, diagnoses: Sequence[Diagnosis] = ()) -> Verdict:
    """The verdict of one gate; whatever hinders it, an error included, makes it "not evaluated"."""
    gate = gate_of(spec)
    try:
        return gate.judge(evidence, diagnoses)
    except NotEvaluated as reason:
        return gate.not_evaluated(str(reason))
    except Exception as error:
        # A gate that errs must not pass, nor hide the other gates: its verdict carries the whole error.
        trace = "".join(traceback.format_exception(error))
        return gate.not_evaluated(f"{type(error).__name__}: {error}", details={"traceback": trace})


def gate_of(spec: GateSpec) -> "Gate":
    """The declared gate, ready to judge."""
    return KINDS[spec.kind](spec)


@dataclass(frozen=True)
class Gate(ABC):
    """One declared condition; every kind of gate judges in its own way."""

    spec: GateSpec

    @abstractmethod
    def judge(self, evidence: Evidence, diagnoses: Sequence[Diagnosis]) -> Verdict:
        """The verdict on one model.

        Raises:
            NotEvaluated: with the reason, where the evidence does not suffice.
        """

    def verdict(self, outcome: Outcome, reason: str, **numbers: object) -> Verdict:
        """What this gate says, with all that it asked for."""
        spec = self.spec
        said = {"name": spec.name, "outcome": outcome, "severity": spec.severity, "reason": reason}
        return Verdict.model_validate(
            {**said, "bound": spec.bound, "side": spec.side, "min_rows": spec.min_rows, **numbers}
        )

    def not_evaluated(self, reason: str, **numbers: object) -> Verdict:
        """The verdict where something hinders."""
        return self.verdict("not evaluated", reason, **numbers)

    def held_to_bound(self, estimate: Estimate | Measure, reason: str, without_interval: str) -> Verdict:
        """Whether the value, or the conservative end of its interval, lies within the bound."""
        seen, numbers = estimate.value, {"rows": estimate.rows, "value": estimate.value}
        if self.spec.judged_on == "interval":
            seen = _conservative_end(self.spec, estimate.interval)
        if seen is None:
            return self.not_evaluated(without_interval, **numbers)
        outcome = "passed" if _within(self.spec, seen) else "failed"
        return self.verdict(outcome, f"{reason}, {_demand(self.spec)}", **numbers, interval=estimate.interval)


class MeasureGate(Gate):
    """A bound on one number of a diagnosis."""

    def judge(self, evidence: Evidence, diagnoses: Sequence[Diagnosis]) -> Verdict:
        named = self.spec.measure
        measure = _measure(diagnoses, named or "")
        if measure is None or measure.value is None:
            return self.not_evaluated(f"{named}: {measure.note if measure else 'was not examined'}")
        rows, seen = f"{measure.rows:,} rows", f"{named} {figure(measure.value)}"
        if measure.rows < self.spec.min_rows:
            reason = f"{rows}, the gate needs {self.spec.min_rows}"
            return self.not_evaluated(reason, rows=measure.rows, value=measure.value)
        reason = f"{seen} {interval_text(measure.interval)} on {rows}"
        return self.held_to_bound(measure, reason, without_interval=f"{seen} has no interval")


class RowsGate(Gate):
    """A condition on the test rows, or on a slice of them."""

    def judge(self, evidence: Evidence, diagnoses: Sequence[Diagnosis]) -> Verdict:
        chosen = evidence.sliced(self.spec.slice)
        if len(chosen.outcomes) < self.spec.min_rows:
            return self._too_few(evidence, len(chosen.outcomes))
        return self.judge_rows(chosen)

    @abstractmethod
    def judge_rows(self, evidence: Evidence) -> Verdict:
        """The verdict on these rows, which are enough."""

    @property
    def where(self) -> str:
        """The slice, in words."""
        chosen = self.spec.slice
        return "" if chosen is None else f" where {chosen.column} is {chosen.equals!r}"

    def _too_few(self, evidence: Evidence, rows: int) -> Verdict:
        reason = f"{rows:,} test rows{self.where}, the gate needs {self.spec.min_rows}"
        if rows or self.spec.slice is None:
            return self.not_evaluated(reason, rows=rows)
        seen = evidence.context[self.spec.slice.column].dropna().unique()
        return self.not_evaluated(reason, rows=rows, details={"values seen": sorted(map(str, seen))[:20]})


class MetricGate(RowsGate):
    """A bound on a metric."""

    def judge_rows(self, evidence: Evidence) -> Verdict:
        estimate = self._estimate(evidence)
        if estimate.value is None:
            reason = obstacle(estimate.name, evidence.outcomes) or estimate.note
            return self.not_evaluated(f"{estimate.name}: {reason}", rows=estimate.rows)
        seen = f"{estimate.name} {figure(estimate.value)}"
        reason = f"{seen} {interval_text(estimate.interval)} on {estimate.rows:,} rows{self.where}"
        return self.held_to_bound(estimate, reason, without_interval=f"{seen}: {estimate.note}")

    def _estimate(self, evidence: Evidence) -> Estimate:
        metric = self.spec.metric
        assert metric is not None, "the declaration is checked"
        if self.spec.slice is None and metric in evidence.estimates:
            return evidence.estimates[metric]
        return evidence.estimate([metric])[metric]


class BaselineGate(RowsGate):
    """Better than the best constant, and than the same answers given to other rows.

    The first shows that the model is of use, the second that it knows something of the rows: coin flips beat every
    constant by a metric that is a mean over classes.
    """

    def judge_rows(self, evidence: Evidence) -> Verdict:
        metric = primary_metric(evidence.task, self.spec.metric)
        if evidence.guess is None:
            raise NotEvaluated("there are no train rows to make a constant guess from. Remedy: materialise evaluation")
        level = (1 - evidence.bootstrap.confidence) / 2
        guess = evidence.guess.outcomes(metric, evidence.outcomes)
        comparison = Pair(evidence.outcomes, guess, evidence.units, evidence.bootstrap).compare(metric)
        shuffled = chance(metric, evidence.outcomes, evidence.units, level, evidence.bootstrap.seed)
        return self.verdict(
            "passed" if comparison.superior and shuffled <= level else "failed",
            f"{self._reason(comparison)}; {_of_shuffles(shuffled, level)}",
            value=comparison.difference,
            bound=0.0,
            interval=comparison.interval,
            rows=comparison.rows,
            details={
                "metric": metric,
                "model": comparison.challenger,
                "baseline": comparison.champion,
                "chance": shuffled,
            },
        )

    def _reason(self, comparison: Comparison) -> str:
        difference, model, baseline = comparison.difference, comparison.challenger, comparison.champion
        return (
            f"{comparison.metric} {figure(model)} against {figure(baseline)} of the best constant on "
            f"{comparison.rows:,} rows{self.where}: {'better' if difference >= 0 else 'worse'} by "
            f"{figure(abs(difference))}, improvement {interval_text(comparison.interval)} must lie above 0"
        )


KINDS: Mapping[str, type[Gate]] = {"metric": MetricGate, "measure": MeasureGate, "beats_baseline": BaselineGate}
"""Every kind of gate, by what its declaration names."""


def _of_shuffles(share: float, level: float) -> str:
    return f"answers of other rows are as good in {share:.1%} of shuffles, at most {level:.1%} may be"


def _measure(diagnoses: Sequence[Diagnosis], named: str) -> Measure | None:
    section, _, name = named.partition(".")
    measures = (measure for diagnosis in diagnoses if diagnosis.name == section for measure in diagnosis.measures)
    return next((measure for measure in measures if measure.name == name), None)


def _conservative_end(spec: GateSpec, interval: tuple[float, float] | None) -> float | None:
    if interval is None:
        return None
    return interval[0] if spec.side == "at_least" else interval[1]


def _within(spec: GateSpec, seen: float) -> bool:
    assert spec.bound is not None, "the declaration is checked"
    return seen >= spec.bound if spec.side == "at_least" else seen <= spec.bound


def _demand(spec: GateSpec) -> str:
    demand = demand_text(spec.side or "", spec.bound or 0)
    if spec.judged_on == "value":
        return demand
    return f"{'lower' if spec.side == 'at_least' else 'upper'} end {demand}"
