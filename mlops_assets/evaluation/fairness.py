"""Fairness: how differently a two-class model treats the groups of a protected column.

The four measures are fairlearn's. Their intervals come from simultaneous ones for every pair of groups, because a
largest difference is positive on every resample, so that plain percentiles would never hold a true gap of zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field

from mlops_assets.declared import Declared, Task, one_of
from mlops_assets.evaluation.diagnosis import Diagnosis, Measure, Subject, Table
from mlops_assets.evaluation.group_rates import group_rates
from mlops_assets.evaluation.intervals import FEWEST_UNITS, Interval
from mlops_assets.evaluation.resampling import STANDARD, Bootstrap, gather_atoms, group_codes, replicate

if TYPE_CHECKING:
    import numpy as np

NAME = "fairness"
TITLE = "Fairness"
TASKS: frozenset[Task] = frozenset({"classification"})
MEASURES = {
    "demographic_parity_difference": "Largest difference in selection rate between groups (lower is better)",
    "equalized_odds_difference": "Largest difference in true or false positive rate (lower is better)",
    "equal_opportunity_difference": "Largest difference in true positive rate (lower is better)",
    "demographic_parity_ratio": "Smallest ratio of two groups' selection rates (higher is better)",
}
SELECTION, TRUE_POSITIVE, FALSE_POSITIVE = range(3)
RATES = {
    "demographic_parity_difference": (SELECTION,),
    "equalized_odds_difference": (TRUE_POSITIVE, FALSE_POSITIVE),
    "equal_opportunity_difference": (TRUE_POSITIVE,),
    "demographic_parity_ratio": (SELECTION,),
}
FEWEST_OF_CLASS = 5
"""A rate among fewer rows of one class says nothing of its group."""
CONDITION = (
    "",
    f", with {FEWEST_OF_CLASS} rows of the positive class",
    f", with {FEWEST_OF_CLASS} rows of the negative class",
)


class FairnessSpec(Declared):
    """Between whose groups a model is compared."""

    protected: list[str] = []
    """Dataset columns, such as ``sex``; they need not be features."""
    min_group: int = Field(default=30, ge=1)
    """Smaller groups are named and left out."""


@dataclass(frozen=True, eq=False)
class Grouping:
    """Rows by the value of one protected column."""

    column: str
    labels: list[str]
    """Names of the groups that are large enough."""
    codes: "np.ndarray"
    """Shape (n,): position in ``labels``; -1 where the group is left out."""
    left_out: list[str]
    """Names and sizes of the groups that are too small."""


@dataclass(frozen=True)
class Disparity:
    """One measure over all protected columns."""

    name: str
    value: float | None
    interval: Interval | None = None
    column: str = ""
    """Where it is worst."""
    rows: int = 0
    note: str = ""


def examine(subject: Subject, options: FairnessSpec | None = None) -> Diagnosis:
    """Disparities between the groups of each protected column on the test rows, with intervals."""
    options = options or FairnessSpec(protected=subject.spec.evaluation.protected)
    columns, missing = _protected(subject, options.protected)
    why_not = _obstacle(subject, options, columns)
    if why_not:
        return _not_evaluated(why_not, len(subject.test))
    positive = subject.outcomes.positive
    groupings = [group_rows(name, values, options.min_group) for name, values in columns.items()]
    counts = Counts(groupings, subject.outcomes.truth == positive, subject.outcomes.predicted == positive)
    found = disparities(counts, subject.groups, subject.bootstrap)
    measures = [
        Measure(name=one.name, value=one.value, interval=one.interval, rows=one.rows, note=one.note) for one in found
    ]
    notes = [
        f"Column {one.column}: too small and left out: {', '.join(one.left_out)}." for one in groupings if one.left_out
    ]
    notes += [f"Not found among the rows: {one_of(missing)}."] if missing else []
    notes += [f"Selected means predicted as {subject.outcomes.classes[positive or 0]!r}."]
    return Diagnosis(
        name=NAME,
        title=TITLE,
        headline=_headline(found),
        measures=measures,
        tables=[_table(counts), *_rates(counts, subject)],
        notes=notes,
    )


def group_rows(column: str, values: Any, min_group: int = 30) -> Grouping:
    """Number the groups that hold at least ``min_group`` rows; a missing value is a group too."""
    import numpy as np
    import pandas as pd

    codes, found = pd.factorize(pd.Series(values), use_na_sentinel=False)
    sizes = np.bincount(codes, minlength=len(found))
    names = ["missing" if pd.isna(value) else str(value) for value in found]
    order = sorted(range(len(found)), key=lambda code: names[code])
    kept = [code for code in order if sizes[code] >= min_group]
    position = np.full(len(found), -1)
    position[kept] = np.arange(len(kept))
    left_out = [f"{names[code]} ({sizes[code]} rows)" for code in order if sizes[code] < min_group]
    return Grouping(column, [names[code] for code in kept], position[codes], left_out)


class Counts:
    """Rows and selected rows of every group: all, of the positive class, of the negative class."""

    def __init__(self, groupings: Sequence[Grouping], truth: "np.ndarray", selected: "np.ndarray") -> None:
        import numpy as np

        self.groupings, self.truth, self.selected = groupings, truth, selected
        masks = [grouping.codes == code for grouping in groupings for code in range(len(grouping.labels))]
        self.member = np.column_stack(masks) if masks else np.zeros((len(truth), 0), dtype=bool)
        self.column = np.repeat(np.arange(len(groupings)), [len(grouping.labels) for grouping in groupings])
        self.of, self.hit = self.among(np.arange(len(truth)))(np.ones((1, len(truth))))

    @property
    def labels(self) -> list[tuple[str, str]]:
        """Column and name of each group."""
        return [(grouping.column, label) for grouping in self.groupings for label in grouping.labels]

    def among(self, rows: "np.ndarray") -> Any:
        """Weights of ``rows``, shape (b, a), to the two counts, shape (b, 3, groups) each."""
        import numpy as np

        member, truth = self.member[rows], self.truth[rows, np.newaxis]
        parts = np.hstack([member, member & truth, member & ~truth]).astype(np.float64)
        both = np.hstack([parts, parts * self.selected[rows, np.newaxis]])

        def counted(weights: "np.ndarray") -> Any:
            sums = (weights.astype(np.float64) @ both).reshape(len(weights), 2, 3, -1)
            return sums[:, 0], sums[:, 1]

        return counted

    def pairs(self, rates: Sequence[int]) -> list[tuple[int, int, int]]:
        """(rate, group, other group) of each pair within one column that has rows enough."""
        enough = self.of[0] >= [[1], [FEWEST_OF_CLASS], [FEWEST_OF_CLASS]]
        size = len(self.column)
        return [
            (rate, one, other)
            for rate in rates
            for one in range(size)
            for other in range(one + 1, size)
            if self.column[one] == self.column[other] and enough[rate, one] and enough[rate, other]
        ]


def disparities(counts: Counts, groups: Any = None, bootstrap: Bootstrap = STANDARD) -> list[Disparity]:
    """The four measures, worst over all columns, each with an interval that a true gap of zero escapes rarely."""
    atoms = gather_atoms([counts.truth, counts.selected, *(one.codes for one in counts.groupings)], group_codes(groups))
    counted = counts.among(atoms.row)

    def statistic(weights: "np.ndarray") -> "dict[str, np.ndarray]":
        return dict(zip(("of", "hit"), counted(weights), strict=True))

    drawn = replicate([statistic], atoms, bootstrap)[0] if atoms.units >= FEWEST_UNITS else None
    return [_disparity(name, counts, drawn, bootstrap.confidence) for name in MEASURES]


def _disparity(name: str, counts: Counts, drawn: "dict[str, np.ndarray] | None", confidence: float) -> Disparity:
    import numpy as np

    rows, pairs = len(counts.truth), counts.pairs(RATES[name])
    lacking = set(RATES[name]) - {rate for rate, _, _ in pairs}
    if lacking:
        wanted = "".join(CONDITION[rate] for rate in sorted(lacking))
        return Disparity(name, None, rows=rows, note=f"no column has two groups that are large enough{wanted}")
    rate, one, other = np.array(pairs).T
    of, hit = counts.of[0], counts.hit[0]
    first, second = (hit[rate, group] / of[rate, group] for group in (one, other))
    ratio = name.endswith("_ratio")
    if ratio and not np.maximum(first, second).any():
        return Disparity(name, None, rows=rows, note="no row of these groups is selected")
    apart = _apart(first, second, ratio)
    worst = int(apart.argmax())
    column = int(counts.column[one[worst]])
    interval = None if drawn is None else _interval(counts, drawn, (rate, one, other), ratio, confidence)
    value = float(1 - apart[worst]) if ratio else float(apart[worst])
    if interval is not None:
        interval = (min(interval[0], value), max(interval[1], value))
    kept = int((counts.groupings[column].codes >= 0).sum())
    note = f"in column {counts.groupings[column].column}" + ("" if interval else "; too few rows or groups to resample")
    return Disparity(name, value, interval, counts.groupings[column].column, kept, note)


def _apart(first: "np.ndarray", second: "np.ndarray", ratio: bool) -> "np.ndarray":
    """Absolute difference, or 1 minus the smaller over the larger; two rates of 0 are no ratio and not apart."""
    import numpy as np

    if not ratio:
        return np.abs(first - second)
    larger = np.maximum(first, second)
    return 1 - np.divide(np.minimum(first, second), larger, out=np.ones(len(larger)), where=larger > 0)


def _interval(counts: Counts, drawn: "dict[str, np.ndarray]", pairs: Any, ratio: bool, confidence: float) -> Interval:
    """Ends of the worst of all pairs, from a band that holds every pair at once (bootstrap of the largest t).

    Errors are never below Agresti and Caffo's (2000), which do not vanish where a group shows rates of 0 or 1, nor
    below those of equal rates: a small group that shows an extreme rate by chance also shows too little spread.
    """
    import numpy as np
    from scipy.stats import norm

    rate, one, other = pairs
    contrast = _log_ratio if ratio else _difference
    observed = contrast(counts.of, counts.hit, pairs)
    seen, shifts = np.abs(observed[0]), contrast(drawn["of"], drawn["hit"], pairs) - observed
    spread = np.sqrt(np.nanmean(shifts**2, axis=0))
    largest = np.max(np.abs(shifts[:, spread > 0]) / spread[spread > 0], axis=1, initial=0.0)
    reach = max(float(np.nanquantile(largest, confidence)), float(norm.ppf((1 + confidence) / 2)))
    plain = (
        np.hypot(*(_plain_error(counts, rate, group, pooled, ratio) for group in (one, other)))
        for pooled in (False, True)
    )
    errors = np.maximum.reduce([spread, *plain])
    low, high = max(0.0, float((seen - reach * errors).max())), float((seen + reach * errors).max())
    return (float(np.exp(-high)), float(np.exp(-low))) if ratio else (low, min(high, 1.0))


def _difference(of: "np.ndarray", hit: "np.ndarray", pairs: Any) -> "np.ndarray":
    import numpy as np

    rate, one, other = pairs
    shares = np.divide(hit, of, out=np.full(of.shape, np.nan), where=of > 0)
    return shares[:, rate, one] - shares[:, rate, other]


def _log_ratio(of: "np.ndarray", hit: "np.ndarray", pairs: Any) -> "np.ndarray":
    """Logarithm of the ratio, with half a row added so that no selected row is no infinity."""
    import numpy as np

    rate, one, other = pairs
    logs = np.log((hit + 0.5) / (of + 0.5))
    return logs[:, rate, one] - logs[:, rate, other]


def _plain_error(counts: Counts, rate: "np.ndarray", group: "np.ndarray", pooled: bool, ratio: bool) -> "np.ndarray":
    """Error of each group's rate (or its logarithm) for independent rows, at its own or at its column's rate."""
    import numpy as np

    of, hit = counts.of[0], counts.hit[0]
    if pooled:
        together = counts.column[:, np.newaxis] == counts.column
        hit = of * (hit @ together) / np.maximum(of @ together, 1)
    rows, hits = of[rate, group], hit[rate, group]
    if ratio:
        return np.sqrt(1 / (hits + 0.5) - 1 / (rows + 0.5))
    share = (hits + 1) / (rows + 2)
    return np.sqrt(share * (1 - share) / (rows + 2))


def _protected(subject: Subject, names: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Values of each protected column that the rows carry, and the names of the others."""
    sources = {name: next((one for one in (f"@{name}", name) if one in subject.test.columns), None) for name in names}
    return (
        {name: subject.test[source] for name, source in sources.items() if source is not None},
        [name for name, source in sources.items() if source is None],
    )


def _obstacle(subject: Subject, options: FairnessSpec, columns: dict[str, Any]) -> str:
    if subject.spec.task != "classification" or subject.outcomes.positive is None:
        return "fairness is measured for two classes"
    if not options.protected:
        return "no protected column is declared"
    return "" if columns else f"the rows carry no column {one_of(options.protected)}"


def _not_evaluated(why: str, rows: int) -> Diagnosis:
    measures = [Measure(name=name, value=None, rows=rows, note=why) for name in MEASURES]
    return Diagnosis(name=NAME, title=TITLE, headline=f"Not evaluated: {why}.", measures=measures)


def _headline(found: list[Disparity]) -> str:
    said = [f"{one.name.replace('_', ' ')} {one.value:.3g} ({one.column})" for one in found if one.value is not None]
    return f"Worst over protected columns: {', '.join(said)}." if said else f"Not evaluated: {found[0].note}."


def _rates(counts: Counts, subject: Subject) -> list[Table]:
    labels = counts.labels
    if not labels:
        return []
    clusters, confidence = group_codes(subject.groups), subject.bootstrap.confidence
    return [group_rates(labels, counts.member, counts.truth, counts.selected, clusters, confidence)]


def _table(counts: Counts) -> Table:
    rows, of, hit = [], counts.of[0], counts.hit[0]
    for group, (column, label) in enumerate(counts.labels):
        rates = [float(hit[rate, group] / of[rate, group]) if of[rate, group] else None for rate in range(3)]
        rows.append([column, label, int(of[0, group]), *rates])
    columns = ["column", "group", "rows", "selection rate", "true positive rate", "false positive rate"]
    return Table(title="Rates by group", columns=columns, rows=rows)
