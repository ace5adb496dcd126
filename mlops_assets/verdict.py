"""Verdicts: what a check or gate said about one exact version."""

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from mlops_assets.errors import GateNotEvaluated, GateRefused

Outcome = Literal["passed", "failed", "not evaluated"]
Severity = Literal["block", "warn"]
Side = Literal["at_least", "at_most"]
"""On which side of its bound a value passes."""
BLOCKED = "Blocked by a check of"
"""How the log line of a blocking verdict begins."""


class Verdict(BaseModel):
    """The outcome of one check or gate on one exact version; JSON round-trips without loss."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """Also the Dagster check name: letters, digits and underscores."""
    outcome: Outcome
    severity: Severity = "block"
    reason: str = ""
    """One sentence with the numbers in it: what was seen, what is allowed."""
    value: float | None = None
    bound: float | None = None
    side: Side | None = None
    """Of the bound; None where a gate has no declared bound."""
    interval: tuple[float, float] | None = None
    rows: int | None = None
    min_rows: int | None = None
    """On fewer rows a gate is not evaluated."""
    details: dict[str, Any] = {}
    """Further JSON values for the reader (tables, offending columns)."""

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"

    @property
    def blocks(self) -> bool:
        """Whether this verdict stops later stages: a gate that was not evaluated is not passed."""
        return self.severity == "block" and not self.passed


def require_passed(subject: str, verdicts: Iterable[Verdict], remedy: str) -> None:
    """Raise an error that names every blocking verdict that is not a pass.

    Raises:
        GateRefused: if a gate failed.
        GateNotEvaluated: if none failed, but one was not evaluated.
    """
    blocking = [verdict for verdict in verdicts if verdict.blocks]
    if blocking:
        named = "; ".join(f"{verdict.name} {verdict.outcome} ({verdict.reason})" for verdict in blocking)
        kind = GateRefused if any(verdict.outcome == "failed" for verdict in blocking) else GateNotEvaluated
        raise kind(f"{subject} is refused: {named}. Remedy: {remedy}")
