"""Conformal: whether the intervals or label sets that a model carries cover what they state, and where they do not."""

from collections.abc import Iterator, Sequence

from pydantic import Field

from mlops_assets.errors import NotEvaluated
from mlops_assets.evaluation.diagnoses.conformal_coverage import (
    FEWEST_ROWS,
    Coverage,
    CoveredSegment,
    coverage_of,
    fallen_back,
    segments_of,
)
from mlops_assets.evaluation.diagnosis import Diagnosis, Measure, Row, Subject, Table
from mlops_assets.evaluation.diagnosis_catalogue import DIAGNOSES
from mlops_assets.evaluation.report.plots.forest import ForestLine, Guide, forest
from mlops_assets.metrics.bootstrap import group_codes
from mlops_assets.metrics.formatting import figure, interval_text
from mlops_assets.metrics.proportion import share_interval
from mlops_assets.model.conformal import rank_needed
from mlops_assets.model.prediction_intervals import NONE, Intervals
from mlops_assets.verdict import Verdict

INFO = DIAGNOSES["conformal"]
MOST_NAMED = 10
OF_EARLIER_RELEASE = (
    "The stored thresholds are adaptive ones of an earlier release, which may leave the surest rows without a label. "
    "Remedy: materialise the model again."
)


class CoverageRow(Row):
    """One segment of the test rows."""

    table = "segments"

    segment: str
    rows: int
    coverage: float
    low: float = Field(title="from")
    high: float = Field(title="to")
    size: float
    """Width of the intervals, or number of labels in the sets."""
    threshold: str


def examine(subject: Subject) -> Diagnosis:
    """Coverage of the model's stored split conformal thresholds on test rows, overall and by segment."""
    intervals = subject.intervals
    if intervals is None:
        return Diagnosis.not_evaluated(INFO, subject.intervals_note, len(subject.test))
    if subject.test.empty:
        return Diagnosis.not_evaluated(INFO, "there are no test rows", 0)
    try:
        covered = coverage_of(subject, intervals)
    except NotEvaluated as reason:
        return Diagnosis.not_evaluated(INFO, str(reason), len(subject.test))
    segments = segments_of(subject, intervals, covered)
    coverage = _coverage(subject, covered)
    under = sorted(
        (segment for segment in segments if segment.interval[1] < intervals.coverage),
        key=lambda segment: segment.coverage,
    )
    return Diagnosis(
        name=INFO.name,
        title=INFO.title,
        headline=_headline(_promise(subject, intervals), coverage, segments, under),
        measures=[coverage, _gap(segments, intervals.coverage, len(subject.test)), *_sizes(subject, covered)],
        tables=[_table(segments, subject)] if segments else [],
        notes=[*_notes(intervals, bool(under), fallen_back(subject, intervals)), *_age(subject, intervals)],
    )


def _coverage(subject: Subject, coverage: Coverage) -> Measure:
    covered = coverage.covered
    interval = share_interval(covered, group_codes(subject.groups), subject.bootstrap.confidence)
    return Measure(name="coverage", value=float(covered.mean()), interval=interval, rows=len(covered))


def _gap(segments: list[CoveredSegment], nominal: float, rows: int) -> Measure:
    """The segments' intervals hold for all of them at once, so the largest shortfall's does."""
    if not segments:
        note = f"no segment has {FEWEST_ROWS} rows"
        return Measure(name="coverage_gap", value=None, rows=rows, note=note)
    worst = _least_covered(segments)
    return Measure(
        name="coverage_gap",
        value=nominal - worst.coverage,
        interval=(
            nominal - min(segment.interval[1] for segment in segments),
            nominal - min(segment.interval[0] for segment in segments),
        ),
        rows=worst.rows,
        note=f"least covered: {worst.name}; the interval allows for {len(segments)} segments looked at",
    )


def _least_covered(segments: list[CoveredSegment]) -> CoveredSegment:
    return min(segments, key=lambda segment: segment.coverage)


def _sizes(subject: Subject, coverage: Coverage) -> list[Measure]:
    rows, mean = len(coverage.sizes), float(coverage.sizes.mean())
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


def _headline(promise: str, coverage: Measure, segments: list[CoveredSegment], under: list[CoveredSegment]) -> str:
    start = f"{promise} cover {figure(coverage.value)} {interval_text(coverage.interval)} of the test rows"
    if not segments:
        return f"{start}."
    if under:
        return f"{start}; under-covered: {', '.join(map(_named, under))}."
    return f"{start}; no segment is under-covered beyond chance, the lowest is {_named(_least_covered(segments))}."


def _named(segment: CoveredSegment) -> str:
    return f"{segment.name} ({figure(segment.coverage)} of {segment.rows} rows)"


def _table(segments: list[CoveredSegment], subject: Subject) -> Table:
    rows = [
        CoverageRow(
            segment=segment.name,
            rows=segment.rows,
            coverage=segment.coverage,
            low=segment.interval[0],
            high=segment.interval[1],
            size=segment.size,
            threshold="own" if segment.own else "of all rows",
        )
        for segment in segments
    ]
    size = "width" if subject.outcomes.task == "regression" else "labels"
    return Table.of(CoverageRow, "Coverage by segment", rows, size=size)


def _notes(intervals: Intervals, under: bool, fallen: dict[str, int]) -> list[str]:
    if intervals.by == NONE:
        remedy = "With model.intervals by: prediction, or by a column, each segment is held to its own coverage."
        return [_chance(intervals), *([remedy] if under else [])]
    sizes = [threshold.rows for threshold in intervals.own]
    segments = f"{len(sizes)} segments" + (f" of {min(sizes)} to {max(sizes)} rows" if sizes else "")
    notes = [f"Calibrated on {intervals.rows} validation rows by {intervals.by}: own thresholds for {segments}."]
    if fallen:
        named = [f"{name} ({rows} test rows)" for name, rows in list(fallen.items())[:MOST_NAMED]]
        others = f" and {len(fallen) - MOST_NAMED} more" if len(fallen) > MOST_NAMED else ""
        notes.append(f"Too few validation rows, so that the threshold of all rows holds: {', '.join(named)}{others}.")
    return notes


def _age(subject: Subject, intervals: Intervals) -> list[str]:
    return [OF_EARLIER_RELEASE] if intervals.may_be_empty and subject.outcomes.task == "classification" else []


def _chance(intervals: Intervals) -> str:
    from scipy.stats import beta

    rank = rank_needed(intervals.rows, intervals.coverage)
    low, high = beta.ppf([0.05, 0.95], rank, intervals.rows + 1 - rank)
    return (
        f"Calibrated on {intervals.rows} validation rows: nine in ten such calibrations cover between {low:.3f} and "
        f"{high:.3f}."
    )


def plots(diagnosis: Diagnosis, gates: Sequence[Verdict]) -> Iterator[tuple[str, str]]:
    """Coverage of each segment against the stated one; a segment is flagged whose whole interval lies below it."""
    rows, gap = diagnosis.rows(CoverageRow), diagnosis.measure("coverage_gap")
    if not rows or gap is None or gap.value is None:
        return
    lowest = min(row.coverage for row in rows)
    nominal = gap.value + lowest
    lines = [_forest_line(row, under=row.high < nominal) for row in rows]
    overall = diagnosis.measure("coverage")
    if overall is not None and overall.value is not None:
        beside = f"{figure(overall.value)}, {overall.rows:,} rows"
        lines.insert(0, ForestLine("all test rows", overall.value, overall.interval, beside))
    under = sum(line.flagged for line in lines)
    yield (
        "Coverage by segment",
        forest(
            "Coverage by segment",
            f"Share of test rows within their interval or label set, for {len(rows)} segments; {under} of them "
            f"lie below the stated {figure(nominal)} with their whole interval, the lowest covers {figure(lowest)}",
            "share of rows that are covered",
            lines,
            [Guide(nominal, f"stated {figure(nominal)}")],
        ),
    )


def _forest_line(row: CoverageRow, under: bool) -> ForestLine:
    beside = f"{figure(row.coverage)}{' under-covered' if under else ''}, {row.rows:,} rows"
    return ForestLine(row.segment, row.coverage, (row.low, row.high), beside, under)
