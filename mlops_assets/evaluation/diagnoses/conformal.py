"""Conformal: whether the intervals or label sets that a model carries cover what they state, and where they do not."""

from typing import Any

from mlops_assets.declaration.base import Task
from mlops_assets.errors import NotEvaluated
from mlops_assets.evaluation.diagnoses.conformal_coverage import (
    FEWEST_ROWS,
    Coverage,
    Segment,
    coverage_of,
    fallen_back,
    segments_of,
)
from mlops_assets.evaluation.diagnosis import Diagnosis, Measure, Subject, Table
from mlops_assets.metrics.bootstrap import group_codes
from mlops_assets.metrics.formatting import figure, interval_text
from mlops_assets.metrics.proportion import share_interval
from mlops_assets.model.conformal import rank_needed
from mlops_assets.model.prediction_intervals import NONE, Intervals

NAME = "conformal"
TITLE = "Prediction intervals"
TASKS: frozenset[Task] = frozenset({"classification", "regression"})
MEASURES = {
    "coverage": "Share of test rows within their interval or label set, 0 to 1 (higher is better)",
    "coverage_gap": "Stated coverage minus that of the least covered segment, 0 to 1 (lower is better)",
    "mean_width": "Mean width of the intervals, in SD of the target (lower is better)",
    "mean_set_size": "Mean number of labels in a set (lower is better)",
}

MOST_NAMED = 10


def examine(subject: Subject) -> Diagnosis:
    """Coverage of the model's stored split conformal thresholds on test rows, overall and by segment."""
    intervals = subject.intervals
    if intervals is None:
        return _without(len(subject.test), subject.intervals_note)
    if subject.test.empty:
        return _without(0, "there are no test rows")
    try:
        found = coverage_of(subject, intervals)
    except NotEvaluated as reason:
        return _without(len(subject.test), str(reason))
    segments = segments_of(subject, intervals, found)
    coverage = _coverage(subject, found)
    under = sorted((one for one in segments if one.interval[1] < intervals.coverage), key=lambda one: one.coverage)
    return Diagnosis(
        name=NAME,
        title=TITLE,
        headline=_headline(_promise(subject, intervals), coverage, segments, under),
        measures=[coverage, _gap(segments, intervals.coverage, len(subject.test)), *_sizes(subject, found)],
        tables=[_table(segments, subject)] if segments else [],
        notes=_notes(intervals, bool(under), fallen_back(subject, intervals)),
    )


def _without(rows: int, note: str) -> Diagnosis:
    measures = [Measure(name=name, value=None, rows=rows, note=note) for name in MEASURES]
    return Diagnosis(name=NAME, title=TITLE, headline=f"Not evaluated: {note}.", measures=measures)


def _coverage(subject: Subject, found: Coverage) -> Measure:
    interval = share_interval(found.covered, group_codes(subject.groups), subject.bootstrap.confidence)
    return Measure(name="coverage", value=float(found.covered.mean()), interval=interval, rows=len(found.covered))


def _gap(segments: list[Segment], nominal: float, rows: int) -> Measure:
    """The segments' intervals hold for all of them at once, so the largest shortfall's does."""
    if not segments:
        note = f"no segment has {FEWEST_ROWS} rows"
        return Measure(name="coverage_gap", value=None, rows=rows, note=note)
    worst = _least_covered(segments)
    return Measure(
        name="coverage_gap",
        value=nominal - worst.coverage,
        interval=(
            nominal - min(one.interval[1] for one in segments),
            nominal - min(one.interval[0] for one in segments),
        ),
        rows=worst.rows,
        note=f"least covered: {worst.name}; the interval allows for {len(segments)} segments looked at",
    )


def _least_covered(segments: list[Segment]) -> Segment:
    return min(segments, key=lambda one: one.coverage)


def _sizes(subject: Subject, found: Coverage) -> list[Measure]:
    rows, mean = len(found.sizes), float(found.sizes.mean())
    if subject.outcomes.task == "classification":
        return [
            Measure(name="mean_width", value=None, rows=rows, note="label sets have a size instead"),
            Measure(name="mean_set_size", value=mean, rows=rows),
        ]
    sets = Measure(name="mean_set_size", value=None, rows=rows, note="intervals have a width instead")
    truth = subject.outcomes.truth
    spread = float(truth.std())
    if spread <= 1e-9 * float(abs(truth).max()):
        return [Measure(name="mean_width", value=None, rows=rows, note="the target is constant"), sets]
    return [Measure(name="mean_width", value=mean / spread, rows=rows, note=f"{figure(mean)} in target units"), sets]


def _promise(subject: Subject, intervals: Intervals) -> str:
    return f"{intervals.coverage:.0%} {'intervals' if subject.outcomes.task == 'regression' else 'label sets'}"


def _headline(promise: str, coverage: Measure, segments: list[Segment], under: list[Segment]) -> str:
    told = f"{promise} cover {figure(coverage.value)} {interval_text(coverage.interval)} of the test rows"
    if not segments:
        return f"{told}."
    if under:
        return f"{told}; under-covered: {', '.join(map(_named, under))}."
    return f"{told}; no segment is under-covered beyond chance, the lowest is {_named(_least_covered(segments))}."


def _named(segment: Segment) -> str:
    return f"{segment.name} ({figure(segment.coverage)} of {segment.rows} rows)"


def _table(segments: list[Segment], subject: Subject) -> Table:
    size = "width" if subject.outcomes.task == "regression" else "labels"
    rows: list[list[Any]] = [
        [one.name, one.rows, one.coverage, *one.interval, one.size, "own" if one.own else "of all rows"]
        for one in segments
    ]
    columns = ["segment", "rows", "coverage", "from", "to", size, "threshold"]
    return Table(title="Coverage by segment", columns=columns, rows=rows)


def _notes(intervals: Intervals, under: bool, fallen: dict[str, int]) -> list[str]:
    if intervals.by == NONE:
        remedy = "With model.intervals by: prediction, or by a column, each segment is held to its own coverage."
        return [_chance(intervals), *([remedy] if under else [])]
    sizes = [one.rows for one in intervals.own]
    told = f"{len(sizes)} segments" + (f" of {min(sizes)} to {max(sizes)} rows" if sizes else "")
    notes = [f"Calibrated on {intervals.rows} validation rows by {intervals.by}: own thresholds for {told}."]
    if fallen:
        named = [f"{name} ({rows} test rows)" for name, rows in list(fallen.items())[:MOST_NAMED]]
        others = f" and {len(fallen) - MOST_NAMED} more" if len(fallen) > MOST_NAMED else ""
        notes.append(f"Too few validation rows, so that the threshold of all rows holds: {', '.join(named)}{others}.")
    return notes


def _chance(intervals: Intervals) -> str:
    from scipy.stats import beta

    rank = rank_needed(intervals.rows, intervals.coverage)
    low, high = beta.ppf([0.05, 0.95], rank, intervals.rows + 1 - rank)
    return (
        f"Calibrated on {intervals.rows} validation rows: nine in ten such calibrations cover between {low:.3f} and "
        f"{high:.3f}."
    )
