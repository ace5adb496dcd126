"""Conformal: intervals and label sets with a stated coverage, and where they do not reach it."""

from typing import TYPE_CHECKING, Any

from pydantic import Field

from mlops_assets.declared import Declared, Task
from mlops_assets.errors import NotEvaluated
from mlops_assets.evaluation.coverage import FEWEST_ROWS, Calibrated, Segment, segments_of
from mlops_assets.evaluation.diagnosis import Diagnosis, Measure, Subject, Table
from mlops_assets.evaluation.figures import figure, interval_text
from mlops_assets.evaluation.outcomes import Outcomes
from mlops_assets.evaluation.prediction_sets import Sets, label_scores, rank_needed, threshold
from mlops_assets.evaluation.proportion import share_interval
from mlops_assets.evaluation.resampling import group_codes

if TYPE_CHECKING:
    import numpy as np

NAME = "conformal"
TITLE = "Prediction intervals"
TASKS: frozenset[Task] = frozenset({"classification", "regression"})
MEASURES = {
    "coverage": "Share of test rows within their interval or label set, 0 to 1 (higher is better)",
    "coverage_gap": "Stated coverage minus that of the least covered segment, 0 to 1 (lower is better)",
    "mean_width": "Mean width of the intervals, in SD of the target (lower is better)",
    "mean_set_size": "Mean number of labels in a set (lower is better)",
}


class Coverage(Declared):
    """What intervals and label sets promise."""

    nominal: float = Field(default=0.9, gt=0.5, lt=1)
    """Stated share of rows that lie within."""
    sets: Sets = "least_ambiguous"
    """How labels are ranked into sets."""


STANDARD = Coverage()


def examine(subject: Subject, options: Coverage = STANDARD) -> Diagnosis:
    """Coverage of split conformal intervals that validation rows calibrate, on test rows, overall and by segment."""
    try:
        calibrated = _calibrated(subject, options)
    except NotEvaluated as reason:
        return _without(len(subject.test), str(reason))
    limit = threshold(calibrated.validation_scores, options.nominal)
    if limit is None:
        rows, needed = len(calibrated.validation), _rows_needed(options.nominal)
        note = f"{rows} validation rows, intervals of {options.nominal:.0%} coverage need {needed}"
        return _without(len(subject.test), note)
    segments = segments_of(subject, calibrated, limit, options.nominal)
    measures = [
        _coverage(subject, calibrated, limit),
        _gap(segments, options.nominal, len(subject.test)),
        *_sizes(calibrated, limit),
    ]
    return Diagnosis(
        name=NAME,
        title=TITLE,
        headline=_headline(_promise(options.nominal, calibrated), measures[0], segments, options.nominal),
        measures=measures,
        tables=[_table(segments, calibrated)] if segments else [],
        notes=_notes(len(calibrated.validation), options.nominal),
    )


def _calibrated(subject: Subject, options: Coverage) -> Calibrated:
    for part, rows in (("validation", subject.validation), ("test", subject.test)):
        if rows.empty:
            raise NotEvaluated(f"there are no {part} rows")
    predictions = subject.predict(subject.validation.loc[:, subject.features.names])
    validation, test = subject.read(subject.validation, predictions), subject.outcomes
    if test.task == "regression":
        return Calibrated(validation, test, _misses(validation), _misses(test))
    known, candidates = _label_scores(validation, options.sets), _label_scores(test, options.sets)
    return Calibrated(validation, test, _of_truth(known, validation), _of_truth(candidates, test), candidates)


def _misses(outcomes: Outcomes) -> "np.ndarray":
    return abs(outcomes.truth - outcomes.predicted)


def _label_scores(outcomes: Outcomes, sets: Sets) -> "np.ndarray":
    if outcomes.probabilities is None:
        raise NotEvaluated("the model gives no probabilities")
    return label_scores(outcomes.probabilities, sets)


def _of_truth(scores: "np.ndarray", outcomes: Outcomes) -> "np.ndarray":
    import numpy as np

    return scores[np.arange(len(scores)), outcomes.truth]


def _rows_needed(confidence: float) -> int:
    rows = 1
    while rank_needed(rows, confidence) > rows:
        rows += 1
    return rows


def _without(rows: int, note: str) -> Diagnosis:
    measures = [Measure(name=name, value=None, rows=rows, note=note) for name in MEASURES]
    return Diagnosis(name=NAME, title=TITLE, headline=f"Not evaluated: {note}.", measures=measures)


def _coverage(subject: Subject, calibrated: Calibrated, limit: float) -> Measure:
    covered = calibrated.test_scores <= limit
    interval = share_interval(covered, group_codes(subject.groups), subject.bootstrap.confidence)
    return Measure(name="coverage", value=float(covered.mean()), interval=interval, rows=len(covered))


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


def _sizes(calibrated: Calibrated, limit: float) -> list[Measure]:
    rows, mean = len(calibrated.test), float(calibrated.sizes(limit).mean())
    if calibrated.candidates is not None:
        return [
            Measure(name="mean_width", value=None, rows=rows, note="label sets have a size instead"),
            Measure(name="mean_set_size", value=mean, rows=rows),
        ]
    sets = Measure(name="mean_set_size", value=None, rows=rows, note="intervals have a width instead")
    truth = calibrated.test.truth
    spread = float(truth.std())
    if spread <= 1e-9 * float(abs(truth).max()):
        return [Measure(name="mean_width", value=None, rows=rows, note="the target is constant"), sets]
    return [Measure(name="mean_width", value=mean / spread, rows=rows, note=f"{figure(mean)} in target units"), sets]


def _promise(nominal: float, calibrated: Calibrated) -> str:
    return f"{nominal:.0%} {'intervals' if calibrated.candidates is None else 'label sets'}"


def _headline(promise: str, coverage: Measure, segments: list[Segment], nominal: float) -> str:
    told = f"{promise} cover {figure(coverage.value)} {interval_text(coverage.interval)} of the test rows"
    if not segments:
        return f"{told}."
    under = [one for one in segments if one.interval[1] < nominal]
    if under:
        return f"{told}; under-covered: {', '.join(map(_named, sorted(under, key=lambda one: one.coverage)))}."
    return f"{told}; no segment is under-covered beyond chance, the lowest is {_named(_least_covered(segments))}."


def _named(segment: Segment) -> str:
    return f"{segment.name} ({figure(segment.coverage)} of {segment.rows} rows)"


def _table(segments: list[Segment], calibrated: Calibrated) -> Table:
    size = "width" if calibrated.candidates is None else "labels"
    columns = ["segment", "rows", "coverage", "from", "to", size, "coverage, own threshold", f"{size}, own threshold"]
    rows: list[list[Any]] = [
        [one.name, one.rows, one.coverage, *one.interval, one.size, one.own_coverage, one.own_size] for one in segments
    ]
    return Table(title="Coverage by segment", columns=columns, rows=rows)


def _notes(rows: int, nominal: float) -> list[str]:
    from scipy.stats import beta

    rank = rank_needed(rows, nominal)
    low, high = beta.ppf([0.05, 0.95], rank, rows + 1 - rank)
    return [
        f"Calibrated on {rows} validation rows: nine in ten such calibrations cover between {low:.3f} and {high:.3f}.",
        "Own threshold: calibrated on the segment's validation rows alone (Mondrian); empty where they are too few.",
    ]
