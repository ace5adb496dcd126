"""Bounds: what the gates and the other terms demanded of earlier champions, and whether they demand less now."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from mlops_assets.evaluation.diagnosis_catalogue import LINEAR_CHECK, PREPARATION_CHECK
from mlops_assets.evaluation.spec import GateSpec
from mlops_assets.evaluation.term_history import changed_terms
from mlops_assets.evaluation.terms import Terms
from mlops_assets.metrics.formatting import demand_text
from mlops_assets.storage.storage import Storage
from mlops_assets.verdict import Severity, Side, Verdict

CHECK = "bounds_not_loosened"
OWN = (PREPARATION_CHECK, LINEAR_CHECK, CHECK)
"""Gates of the platform, which no declaration changes."""


class Predecessor(NamedTuple):
    """A champion that a model would come after, with the verdicts and terms of its report."""

    version: int
    gates: Sequence[Verdict]
    terms: Terms
    """Empty where its report is of an earlier release."""


class Judged(NamedTuple):
    """What a report is about: model, features, and the terms of its verdicts."""

    model_digest: str
    features_digest: str
    terms: Terms


Predecessors = Callable[[Storage, str, Judged], list[Predecessor]]
"""From storage, system and what is judged to the champions before it, oldest first."""


class Demand(NamedTuple):
    """What one gate asks for."""

    side: Side | None = None
    bound: float | None = None
    severity: Severity = "block"
    min_rows: int = 1

    def __str__(self) -> str:
        if self.side is None or self.bound is None:
            asked = "better than the baseline"
        else:
            asked = demand_text(self.side, self.bound)
        return f"{asked} on {self.min_rows:,} rows or more, {'blocks' if self.severity == 'block' else 'warns'}"

    def looser_than(self, other: "Demand") -> bool:
        """Whether a model could pass this one that did not pass ``other``."""
        return (
            self._has_looser_bound_than(other)
            or (self.severity, other.severity) == ("warn", "block")
            or self.min_rows < other.min_rows
        )

    def _has_looser_bound_than(self, other: "Demand") -> bool:
        if self.side != other.side or self.bound is None or other.bound is None:
            return False
        return self.bound < other.bound if self.side == "at_least" else self.bound > other.bound


class ChangedBound(BaseModel):
    """A gate, or another term, that asked an earlier champion for something else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate: str
    """Its name; of another term the key in the declaration."""
    version: int
    """The last champion of which this was asked."""
    then: str
    now: str
    loosened: bool
    """Whether less is asked now."""


def changed_bounds(declared: Sequence[GateSpec], predecessors: Sequence[Predecessor]) -> list[ChangedBound]:
    """Every demand on an earlier champion that differs from the present one, by gate, the oldest first."""
    present = {gate.name: demand_of(gate) for gate in declared}
    then: dict[tuple[str, Demand], int] = {}
    for version, gates, _ in predecessors:
        for gate in gates:
            if gate.name not in OWN and present.get(gate.name) != (demand := _judged(gate)):
                then.pop((gate.name, demand), None)
                then[gate.name, demand] = version
    changed = [_changed(name, version, demand, present.get(name)) for (name, demand), version in then.items()]
    return sorted(changed, key=lambda change: (change.gate, change.version))


def changed_demands(
    declared: Sequence[GateSpec], terms: Terms, predecessors: Sequence[Predecessor]
) -> list[ChangedBound]:
    """``changed_bounds``, and after them every other term that differs from those of the last champion."""
    others = [
        ChangedBound(gate=term.key, version=last.version, then=term.then, now=term.now, loosened=term.loosened)
        for last in predecessors[-1:]
        for term in changed_terms(last.terms, terms)
    ]
    return [*changed_bounds(declared, predecessors), *others]


def verdict(declared: Sequence[GateSpec], terms: Terms, predecessors: Sequence[Predecessor]) -> Verdict:
    """Whether nothing asks for less than was asked of the champion that this model would replace."""
    against = predecessors[-1:]
    if not against:
        reason = "no champion to compare with"
        return Verdict(name=CHECK, outcome="not evaluated", severity="warn", reason=reason)
    loosened = [change for change in changed_demands(declared, terms, against) if change.loosened]
    listed = "; ".join(f"{change.gate}: {change.then}, now {change.now}" for change in loosened)
    whom = f"champion version {against[0].version}"
    return Verdict(
        name=CHECK,
        outcome="failed" if loosened else "passed",
        severity="warn",
        value=float(len(loosened)),
        bound=0.0,
        reason=f"looser than for {whom}: {listed}" if loosened else f"nothing asks for less than of {whom}",
    )


def demand_of(gate: GateSpec) -> Demand:
    """What a declared gate asks for."""
    return Demand(gate.side, gate.bound, gate.severity, gate.min_rows)


def _judged(verdict: Verdict) -> Demand:
    """What a verdict says was asked; without a side its bound is not a declared one."""
    bound = None if verdict.side is None else verdict.bound
    return Demand(verdict.side, bound, verdict.severity, verdict.min_rows or 1)


def _changed(name: str, version: int, then: Demand, now: Demand | None) -> ChangedBound:
    return ChangedBound(
        gate=name,
        version=version,
        then=str(then),
        now="not asked any more" if now is None else str(now),
        loosened=now is None or now.looser_than(then),
    )
