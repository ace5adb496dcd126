"""Group errors: how far the errors of a regression lie apart between protected groups."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from mlops_assets.evaluation.diagnoses.disparities import Counts, Disparity, Grouping, disparity
from mlops_assets.evaluation.diagnosis import Row, Subject, Table
from mlops_assets.metrics.bootstrap import Bootstrap, gather_atoms, group_codes, replicate
from mlops_assets.metrics.intervals import FEWEST_UNITS, Interval

MEAN_ERROR, ERROR_RATIO, COVERAGE = "mean_error_difference", "absolute_error_ratio", "coverage_difference"


class ErrorRow(Row):
    """The errors of one protected group of a regression."""

    table = "errors"

    column: str
    group: str
    rows: int
    mean_error: float = Field(title="mean error")
    absolute: float = Field(title="mean absolute error")


@dataclass(frozen=True, eq=False)
class GroupMeans:
    """The mean of a value by group, of the rows and of every resample."""

    of_rows: np.ndarray
    """Shape (groups,)."""
    of_resamples: np.ndarray | None
    """Shape (b, groups); None of too few rows or groups to resample."""


def error_disparities(subject: Subject, groupings: Sequence[Grouping]) -> list[Disparity]:
    """Mean error, in SD of the target; mean absolute error, as a ratio; and coverage of the prediction intervals.

    Each is worst over all pairs of groups of one column. Intervals hold every pair at once, so that a true gap of zero,
    or a ratio of 1, escapes them rarely.
    """
    outcomes = subject.outcomes
    errors, spread = outcomes.predicted - outcomes.truth, float(outcomes.truth.std())
    members = Counts(groupings, np.ones(len(errors), dtype=bool), np.ones(len(errors), dtype=bool))
    pairs = members.pairs([0])
    rows = len(errors)
    if not pairs:
        note = "no column has two groups that are large enough"
        return [Disparity(name, None, rows=rows, note=note) for name in (MEAN_ERROR, ERROR_RATIO, COVERAGE)]
    sides = np.array([[first, second] for _, first, second in pairs])
    scale = spread if spread > 0 else 1.0
    signed, absolute = (_means(values, members, subject) for values in (errors / scale, np.abs(errors)))
    return [
        _apart(MEAN_ERROR, signed, sides, members, subject.bootstrap),
        _ratio(absolute, sides, members, subject.bootstrap),
        _coverage(subject, groupings),
    ]


def error_table(subject: Subject, groupings: Sequence[Grouping]) -> Table:
    """The errors of each group."""
    errors = subject.outcomes.predicted - subject.outcomes.truth
    rows = []
    for grouping in groupings:
        for code, label in enumerate(grouping.labels):
            inside = errors[grouping.codes == code]
            mean, absolute = float(inside.mean()), float(np.abs(inside).mean())
            rows.append(
                ErrorRow(column=grouping.column, group=label, rows=len(inside), mean_error=mean, absolute=absolute)
            )
    return Table.of(ErrorRow, "Errors by group", rows)


def _means(values: np.ndarray, members: Counts, subject: Subject) -> GroupMeans:
    member, bootstrap = members.member.astype(np.float64), subject.bootstrap
    atoms = gather_atoms([np.arange(len(values))], group_codes(subject.groups))
    both = np.hstack([member, member * values[:, np.newaxis]])[atoms.row]

    def mean(weights: np.ndarray) -> dict[str, np.ndarray]:
        counts, sums = np.split(weights.astype(np.float64) @ both, 2, axis=1)
        return {"mean": np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)}

    drawn = replicate([mean], atoms, bootstrap)[0]["mean"] if atoms.units >= FEWEST_UNITS else None
    return GroupMeans(mean(np.ones((1, len(atoms.row))))["mean"][0], drawn)


def _apart(name: str, means: GroupMeans, sides: np.ndarray, members: Counts, bootstrap: Bootstrap) -> Disparity:
    observed = means.of_rows[sides[:, 0]] - means.of_rows[sides[:, 1]]
    drawn = (
        None if means.of_resamples is None else means.of_resamples[:, sides[:, 0]] - means.of_resamples[:, sides[:, 1]]
    )
    worst = int(np.abs(observed).argmax())
    interval = None if drawn is None else _largest(observed, drawn, bootstrap.confidence)
    return _disparity(name, float(abs(observed[worst])), interval, sides[worst], members)


def _ratio(means: GroupMeans, sides: np.ndarray, members: Counts, bootstrap: Bootstrap) -> Disparity:
    if (means.of_rows <= 0).any():
        note = "a group has no error at all, so that there is no ratio"
        return Disparity(ERROR_RATIO, None, rows=len(members.truth), note=note)
    with np.errstate(divide="ignore"):
        logs = GroupMeans(np.log(means.of_rows), None if means.of_resamples is None else np.log(means.of_resamples))
    apart = _apart(ERROR_RATIO, logs, sides, members, bootstrap)
    assert apart.value is not None, "there is a pair"
    interval = None if apart.interval is None else (float(np.exp(apart.interval[0])), float(np.exp(apart.interval[1])))
    return Disparity(ERROR_RATIO, float(np.exp(apart.value)), interval, apart.column, apart.rows, apart.note)


def _coverage(subject: Subject, groupings: Sequence[Grouping]) -> Disparity:
    """As the gap in selection rates of a classifier that selects the rows which their interval covers."""
    from mlops_assets.evaluation.diagnoses.conformal_coverage import coverage_of

    if subject.intervals is None:
        return Disparity(COVERAGE, None, rows=len(subject.test), note=subject.intervals_note)
    covered = coverage_of(subject, subject.intervals).covered
    counts = Counts(groupings, np.ones(len(covered), dtype=bool), np.asarray(covered, dtype=bool))
    return disparity("demographic_parity_difference", COVERAGE, counts, subject.groups, subject.bootstrap)


def _largest(observed: np.ndarray, drawn: np.ndarray, confidence: float) -> Interval:
    """Ends of the largest of all differences, from a band that holds every one at once (bootstrap of the largest t)."""
    from scipy.stats import norm

    shifts = drawn - observed
    errors = np.sqrt(np.nanmean(shifts**2, axis=0))
    known = errors > 0
    largest = np.nanmax(np.abs(shifts[:, known]) / errors[known], axis=1, initial=0.0)
    reach = max(float(np.nanquantile(largest, confidence)), float(norm.ppf((1 + confidence) / 2)))
    seen = np.abs(observed)
    return max(0.0, float((seen - reach * errors).max())), float((seen + reach * errors).max())


def _disparity(name: str, value: float, interval: Interval | None, pair: np.ndarray, members: Counts) -> Disparity:
    grouping = members.groupings[int(members.column[pair[0]])]
    names = [members.labels[index][1] for index in pair]
    note = f"in column {grouping.column}, between {names[0]} and {names[1]}"
    note += "" if interval else "; too few rows or groups to resample"
    return Disparity(name, value, interval, grouping.column, int((grouping.codes >= 0).sum()), note)
