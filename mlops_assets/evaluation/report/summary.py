"""Summary: a report's verdict for its first screen: what failed, what was not evaluated and why, what passed."""

from dataclasses import dataclass

from mlops_assets.evaluation.diagnosis import Diagnosis
from mlops_assets.evaluation.report.plots.svg import shortened
from mlops_assets.evaluation.report.report import Report
from mlops_assets.verdict import Outcome, Verdict

MOST_REASONS = 9
"""Gates that are named with their reason; the others stand in the table of gates."""
FEWEST_OPEN = 4
"""How many of them are kept for gates that were not evaluated."""
MOST_NAMES = 10
MOST_GAPS = 4
LONGEST = 150


@dataclass(frozen=True)
class Group:
    """The gates of one outcome, those that block first."""

    outcome: Outcome
    gates: list[Verdict]
    shown: int
    """How many of them the first screen names."""

    @property
    def named(self) -> list[Verdict]:
        return self.gates[: self.shown]

    @property
    def hidden(self) -> int:
        return len(self.gates) - self.shown


def groups_of(report: Report) -> list[Group]:
    """Failed, not evaluated, passed: always all three, also where one is empty."""
    failed, unknown, passed = (
        sorted((gate for gate in report.gates if gate.outcome == outcome), key=lambda gate: gate.severity != "block")
        for outcome in ("failed", "not evaluated", "passed")
    )
    first = min(len(failed), MOST_REASONS - min(len(unknown), FEWEST_OPEN))
    return [
        Group("failed", failed, first),
        Group("not evaluated", unknown, min(len(unknown), MOST_REASONS - first)),
        Group("passed", passed, min(len(passed), MOST_NAMES)),
    ]


def sentence(report: Report) -> str:
    """The verdict in one sentence."""
    if not report.gates:
        return "No gates are declared, so nothing stands in the way of registration."
    stopping = [gate for gate in report.gates if gate.blocks]
    warned = sum(not gate.passed for gate in report.gates) - len(stopping)
    warnings = f" {warned} warning{'s' if warned != 1 else ''}." if warned else ""
    if not stopping:
        passed = sum(gate.passed for gate in report.gates)
        return f"{passed} of {len(report.gates)} gates passed; this model may be registered.{warnings}"
    failed = sum(gate.outcome == "failed" for gate in stopping)
    counts = ((failed, "failed"), (len(stopping) - failed, "could not be evaluated"))
    said = " and ".join(f"{count} {what}" for count, what in counts if count)
    return f"This model will not be registered: of the gates that block, {said}.{warnings}"


def reason_in_short(gate: Verdict) -> str:
    """The reason, cut where it is long."""
    return shortened(gate.reason, LONGEST)


def unexamined(report: Report) -> list[str]:
    """Diagnoses and metrics that could not be evaluated, with the reason; at most four, then how many more."""
    gaps = [f"{diagnosis.title} ({_obstacle(diagnosis)})" for diagnosis in report.diagnoses if _obstacle(diagnosis)]
    gaps += [f"{metric.title} ({metric.note})" for metric in report.metrics if metric.value is None]
    cut = [shortened(text, LONGEST) for text in gaps[:MOST_GAPS]]
    return [*cut, f"{len(gaps) - MOST_GAPS} more"] if len(gaps) > MOST_GAPS else cut


def _obstacle(diagnosis: Diagnosis) -> str:
    """Why nothing could be found out, as it or the first of its measures says; empty otherwise."""
    if diagnosis.reason:
        return diagnosis.reason.rstrip(".")
    if diagnosis.measures and all(measure.value is None for measure in diagnosis.measures):
        return diagnosis.measures[0].note or "no reason given"
    return ""
