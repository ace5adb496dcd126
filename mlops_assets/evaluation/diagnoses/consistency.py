"""Consistency: equal rows get equal predictions, and declared directions hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlops_assets.declaration.base import Task
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
from mlops_assets.evaluation.diagnosis import Diagnosis, Measure, Subject, Table
from mlops_assets.metrics.bootstrap import group_codes
from mlops_assets.metrics.formatting import figure, interval_text
from mlops_assets.metrics.proportion import Interval, share_interval

NAME = "consistency"
TITLE = "Consistency"
TASKS: frozenset[Task] = frozenset({"classification", "regression"})
MEASURES = {
    "repeat_calls": "Share of rows whose prediction differs between equal calls, 0 to 1 (lower is better)",
    "monotone_violations": "Largest share of steps against a declared direction, 0 to 1 (lower is better)",
}

CALLS = 3
FEWEST_ROWS = 30


@dataclass(frozen=True)
class Finding:
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
        name=NAME,
        title=TITLE,
        headline=_headline(measures),
        measures=measures,
        tables=[_table(findings)] if findings else [],
        notes=_notes(len(subject.test)) if findings else [],
    )


def _findings(subject: Subject, monotone: Mapping[str, Direction]) -> list[Finding]:
    from threadpoolctl import threadpool_limits

    confidence = 1 - (1 - subject.bootstrap.confidence) / max(len(monotone), 1)
    # Trees predict few rows many times: on a busy machine threads that wait for each other cost more than the trees.
    with threadpool_limits(limits=1, user_api="openmp"):
        return [_finding(subject, feature, direction, confidence) for feature, direction in monotone.items()]


def _finding(subject: Subject, feature: str, direction: Direction, confidence: float) -> Finding:

    try:
        if len(subject.test) < FEWEST_ROWS:
            raise NotEvaluated(f"{len(subject.test)} rows, {FEWEST_ROWS} are needed")
        moves = move(subject, feature)
        rounding = TOLERANCE * float(np.ptp(height(subject, subject.predictions)))
    except NotEvaluated as reason:
        return Finding(feature, direction, note=str(reason))
    wrong = against(moves.rises, direction, rounding)
    return Finding(
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
        found = attempt(subject, subject.inputs)
        if isinstance(found, str):
            return Measure(name="repeat_calls", value=None, rows=rows, note=found)
        differs |= changed_rows(subject.predictions, found)
    interval = share_interval(differs, group_codes(subject.groups), subject.bootstrap.confidence)
    return Measure(
        name="repeat_calls", value=float(differs.mean()), interval=interval, rows=rows, note=f"{CALLS} equal calls"
    )


def _violations(findings: list[Finding], rows: int) -> Measure:
    """The largest share; its interval allows for how many features were looked at (Bonferroni)."""
    missing = [f"{one.feature}: {one.note}" for one in findings if one.note]
    if missing or not findings:
        note = "; ".join(missing) or "no direction is declared (evaluation.monotone)"
        return Measure(name="monotone_violations", value=None, rows=rows, note=note)
    worst = max(findings, key=lambda one: one.share or 0.0)
    intervals = [one.interval for one in findings if one.interval]
    interval = (max(low for low, _ in intervals), max(high for _, high in intervals))
    note = f"most against the declared direction: {worst.feature}" if worst.share else ""
    return Measure(
        name="monotone_violations", value=worst.share, interval=interval, rows=min(rows, MOST_ROWS), note=note
    )


def _headline(measures: list[Measure]) -> str:
    repeat, monotone = measures
    told = f"{figure(repeat.value)} of the rows differ between equal calls"
    if monotone.value is None:
        return f"{told}; directions not evaluated: {monotone.note}."
    share = f"{figure(monotone.value)} {interval_text(monotone.interval)}"
    return f"{told}; at most {share} of a feature's steps go against its declared direction."


def _table(findings: list[Finding]) -> Table:
    columns = ["feature", "declared", "steps", "against", "from", "to", "largest step against", "note"]
    rows: list[list[Any]] = [
        [one.feature, one.direction, one.steps, one.share, *(one.interval or (None, None)), one.worst, one.note]
        for one in findings
    ]
    return Table(title="Declared directions", columns=columns, rows=rows)


def _notes(rows: int) -> list[str]:
    return [
        f"{min(rows, MOST_ROWS)} real rows; the feature rises over the next {STEPS} of {LEVELS} observed quantiles, "
        "all else equal. Flat steps keep the direction."
    ]
