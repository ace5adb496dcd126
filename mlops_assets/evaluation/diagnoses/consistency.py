"""Consistency: equal rows get equal predictions, and declared directions hold."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from mlops_assets.errors import NotEvaluated
from mlops_assets.evaluation.diagnoses.invariance import attempt, changed_rows
from mlops_assets.evaluation.diagnoses.monotonicity import (
    LEVELS,
    MOST_ROWS,
    STEPS,
    TOLERANCE,
    Direction,
    against,
    height,
    move,
)
from mlops_assets.evaluation.diagnosis import Diagnosis, Measure, Row, Subject, Table
from mlops_assets.evaluation.diagnosis_catalogue import DIAGNOSES
from mlops_assets.evaluation.report.plots.forest import ForestLine, Guide, forest, gate_guides, interval_of
from mlops_assets.metrics.bootstrap import group_codes
from mlops_assets.metrics.formatting import figure, interval_text
from mlops_assets.metrics.proportion import Interval, share_interval
from mlops_assets.verdict import Verdict

INFO = DIAGNOSES["consistency"]
CALLS = 3
FEWEST_ROWS = 30


class DirectionRow(Row):
    """What came of one declared direction."""

    table = "directions"

    feature: str
    declared: Direction
    steps: int
    against: float | None
    low: float | None = Field(title="from")
    high: float | None = Field(title="to")
    worst: float | None = Field(title="largest step against")
    note: str


@dataclass(frozen=True)
class DirectionFinding:
    """One declared direction; ``note`` says why it was not evaluated."""

    feature: str
    direction: Direction
    steps: int = 0
    share: float | None = None
    interval: Interval | None = None
    worst: float | None = None
    """Largest change against the direction."""
    note: str = ""


def examine(subject: Subject, monotone: Mapping[str, Direction] | None = None) -> Diagnosis:
    """Determinism over repeated calls, and declared directions by finite differences over real rows.

    ``monotone`` is by default what the system declares as ``evaluation.monotone``.
    """
    findings = _findings(subject, subject.spec.evaluation.monotone if monotone is None else monotone)
    measures = [_repeat_calls(subject), _violations(findings, len(subject.test))]
    return Diagnosis(
        name=INFO.name,
        title=INFO.title,
        headline=_headline(measures),
        measures=measures,
        tables=[_table(findings)] if findings else [],
        notes=_notes(len(subject.test)) if findings else [],
    )


def _findings(subject: Subject, monotone: Mapping[str, Direction]) -> list[DirectionFinding]:
    from threadpoolctl import threadpool_limits

    confidence = 1 - (1 - subject.bootstrap.confidence) / max(len(monotone), 1)
    # Trees predict few rows many times: on a busy machine threads that wait for each other cost more than the trees.
    with threadpool_limits(limits=1, user_api="openmp"):
        return [_finding(subject, feature, direction, confidence) for feature, direction in monotone.items()]


def _finding(subject: Subject, feature: str, direction: Direction, confidence: float) -> DirectionFinding:

    try:
        if len(subject.test) < FEWEST_ROWS:
            raise NotEvaluated(f"{len(subject.test)} rows, {FEWEST_ROWS} are needed")
        moves = move(subject, feature)
        rounding = TOLERANCE * float(np.ptp(height(subject, subject.predictions)))
    except NotEvaluated as reason:
        return DirectionFinding(feature, direction, note=str(reason))
    wrong = against(moves.rises, direction, rounding)
    return DirectionFinding(
        feature,
        direction,
        steps=len(wrong),
        share=float((wrong > 0).mean()),
        interval=share_interval(wrong > 0, _clusters(subject, moves.row), confidence),
        worst=float(wrong.max()),
    )


def _clusters(subject: Subject, row: np.ndarray) -> np.ndarray:
    """Steps of one row, or of one group of rows, do not stand alone."""

    groups = group_codes(subject.groups)
    return np.unique(row if groups is None else groups[row], return_inverse=True)[1]


def _repeat_calls(subject: Subject) -> Measure:

    rows = len(subject.test)
    if not rows:
        return Measure(name="repeat_calls", value=None, rows=0, note="there are no test rows")
    differs = np.zeros(rows, dtype=bool)
    for _ in range(CALLS - 1):
        again = attempt(subject, subject.inputs)
        if isinstance(again, str):
            return Measure(name="repeat_calls", value=None, rows=rows, note=again)
        differs |= changed_rows(subject.predictions, again)
    interval = share_interval(differs, group_codes(subject.groups), subject.bootstrap.confidence)
    return Measure(
        name="repeat_calls", value=float(differs.mean()), interval=interval, rows=rows, note=f"{CALLS} equal calls"
    )


def _violations(findings: list[DirectionFinding], rows: int) -> Measure:
    """The largest share; its interval allows for how many features were looked at (Bonferroni)."""
    missing = [f"{finding.feature}: {finding.note}" for finding in findings if finding.note]
    if missing or not findings:
        note = "; ".join(missing) or "no direction is declared (evaluation.monotone)"
        return Measure(name="monotone_violations", value=None, rows=rows, note=note)
    worst = max(findings, key=lambda finding: finding.share or 0.0)
    intervals = [finding.interval for finding in findings if finding.interval]
    interval = (max(low for low, _ in intervals), max(high for _, high in intervals))
    note = f"most against the declared direction: {worst.feature}" if worst.share else ""
    return Measure(
        name="monotone_violations", value=worst.share, interval=interval, rows=min(rows, MOST_ROWS), note=note
    )


def _headline(measures: list[Measure]) -> str:
    repeat, monotone = measures
    start = f"{figure(repeat.value)} of the rows differ between equal calls"
    if monotone.value is None:
        return f"{start}; directions not evaluated: {monotone.note}."
    share = f"{figure(monotone.value)} {interval_text(monotone.interval)}"
    return f"{start}; at most {share} of a feature's steps go against its declared direction."


def _table(findings: list[DirectionFinding]) -> Table:
    return Table.of(DirectionRow, "Declared directions", map(_row, findings))


def _row(finding: DirectionFinding) -> DirectionRow:
    low, high = finding.interval or (None, None)
    return DirectionRow(
        feature=finding.feature,
        declared=finding.direction,
        steps=finding.steps,
        against=finding.share,
        low=low,
        high=high,
        worst=finding.worst,
        note=finding.note,
    )


def _notes(rows: int) -> list[str]:
    return [
        f"{min(rows, MOST_ROWS)} real rows; the feature rises over the next {STEPS} of {LEVELS} observed quantiles, "
        "all else equal. Flat steps keep the direction."
    ]


def plots(diagnosis: Diagnosis, gates: Sequence[Verdict]) -> Iterator[tuple[str, str]]:
    """The share of steps that go against each declared direction."""
    lines = [
        ForestLine(
            f"{row.feature} ({row.declared})",
            row.against,
            interval_of(row.low, row.high),
            f"{figure(row.against)} of {row.steps:,} steps",
        )
        for row in diagnosis.rows(DirectionRow)
        if row.against is not None
    ]
    if not lines:
        return
    worst = max(lines, key=lambda line: line.value)
    yield (
        "Steps against the declared directions",
        forest(
            "Steps against the declared directions",
            f"Share of steps against the direction for {len(lines)} features; most for {worst.name}: "
            f"{figure(worst.value)}",
            "share of steps against the direction",
            lines,
            [Guide(0.0, "none"), *gate_guides(diagnosis, "monotone_violations", gates)],
        ),
    )
