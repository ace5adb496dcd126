"""Disparities: how far the rates of groups lie apart, each with an interval that a true gap of zero escapes rarely."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mlops_assets.metrics.bootstrap import STANDARD, Bootstrap, gather_atoms, group_codes, replicate
from mlops_assets.metrics.intervals import FEWEST_UNITS, Interval

Counted = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Weights of rows to the two counts."""
Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Rate, group and other group of each pair, shape (pairs,) each."""
SELECTION, TRUE_POSITIVE, FALSE_POSITIVE = range(3)
RATES = {
    "demographic_parity_difference": (SELECTION,),
    "equalized_odds_difference": (TRUE_POSITIVE, FALSE_POSITIVE),
    "equal_opportunity_difference": (TRUE_POSITIVE,),
    "demographic_parity_ratio": (SELECTION,),
}
RATIOS = ("demographic_parity_ratio",)
"""Those of them that divide two rates; the others subtract."""
FEWEST_OF_CLASS = 5
"""A rate among fewer rows of one class says nothing of its group."""
CONDITION = (
    "",
    f", with {FEWEST_OF_CLASS} rows of the positive class",
    f", with {FEWEST_OF_CLASS} rows of the negative class",
)


@dataclass(frozen=True, eq=False)
class Grouping:
    """Rows by the value of one protected column."""

    column: str
    labels: list[str]
    """Names of the groups that are large enough."""
    codes: np.ndarray
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


def group_rows(column: str, values: Iterable[object], min_group: int = 30) -> Grouping:
    """Number the groups that hold at least ``min_group`` rows; a missing value is a group too."""

    codes, known = pd.factorize(pd.Series(values), use_na_sentinel=False)
    sizes = np.bincount(codes, minlength=len(known))
    names = ["missing" if pd.isna(value) else str(value) for value in known]
    order = sorted(range(len(known)), key=lambda code: names[code])
    kept = [code for code in order if sizes[code] >= min_group]
    position = np.full(len(known), -1)
    position[kept] = np.arange(len(kept))
    left_out = [f"{names[code]} ({sizes[code]} rows)" for code in order if sizes[code] < min_group]
    return Grouping(column, [names[code] for code in kept], position[codes], left_out)


class Counts:
    """Rows and selected rows of every group: all, of the positive class, of the negative class."""

    def __init__(self, groupings: Sequence[Grouping], truth: np.ndarray, selected: np.ndarray) -> None:

        self.groupings, self.truth, self.selected = groupings, truth, selected
        masks = [grouping.codes == code for grouping in groupings for code in range(len(grouping.labels))]
        self.member = np.column_stack(masks) if masks else np.zeros((len(truth), 0), dtype=bool)
        self.column = np.repeat(np.arange(len(groupings)), [len(grouping.labels) for grouping in groupings])
        self.of, self.hit = self.among(np.arange(len(truth)))(np.ones((1, len(truth))))

    @property
    def labels(self) -> list[tuple[str, str]]:
        """Column and name of each group."""
        return [(grouping.column, label) for grouping in self.groupings for label in grouping.labels]

    def among(self, rows: np.ndarray) -> Counted:
        """Weights of ``rows``, shape (b, a), to the two counts, shape (b, 3, groups) each."""

        member, truth = self.member[rows], self.truth[rows, np.newaxis]
        parts = np.hstack([member, member & truth, member & ~truth]).astype(np.float64)
        both = np.hstack([parts, parts * self.selected[rows, np.newaxis]])

        def counted(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            sums = (weights.astype(np.float64) @ both).reshape(len(weights), 2, 3, -1)
            return sums[:, 0], sums[:, 1]

        return counted

    def pairs(self, rates: Sequence[int]) -> list[tuple[int, int, int]]:
        """(rate, group, other group) of each pair within one column that has rows enough."""
        enough = self.of[0] >= [[1], [FEWEST_OF_CLASS], [FEWEST_OF_CLASS]]
        size = len(self.column)
        return [
            (rate, group, other)
            for rate in rates
            for group in range(size)
            for other in range(group + 1, size)
            if self.column[group] == self.column[other] and enough[rate, group] and enough[rate, other]
        ]


def disparities(
    counts: Counts, groups: pd.Series | np.ndarray | None = None, bootstrap: Bootstrap = STANDARD
) -> list[Disparity]:
    """The four measures, worst over all columns, each with an interval that a true gap of zero escapes rarely."""
    atoms = gather_atoms(
        [counts.truth, counts.selected, *(grouping.codes for grouping in counts.groupings)], group_codes(groups)
    )
    counted = counts.among(atoms.row)

    def statistic(weights: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(("of", "hit"), counted(weights), strict=True))

    drawn = replicate([statistic], atoms, bootstrap)[0] if atoms.units >= FEWEST_UNITS else None
    return [_disparity(name, counts, drawn, bootstrap.confidence) for name in RATES]


def disparity(
    measure: str,
    name: str,
    counts: Counts,
    groups: pd.Series | np.ndarray | None = None,
    bootstrap: Bootstrap = STANDARD,
) -> Disparity:
    """One of the four measures, under another ``name``."""
    among = {each.name: each for each in disparities(counts, groups, bootstrap)}
    return replace(among[measure], name=name)


def _disparity(name: str, counts: Counts, drawn: dict[str, np.ndarray] | None, confidence: float) -> Disparity:

    rows, pairs = len(counts.truth), counts.pairs(RATES[name])
    lacking = set(RATES[name]) - {rate for rate, _, _ in pairs}
    if lacking:
        required = "".join(CONDITION[rate] for rate in sorted(lacking))
        return Disparity(name, None, rows=rows, note=f"no column has two groups that are large enough{required}")
    rate, group, other = np.array(pairs).T
    of, hit = counts.of[0], counts.hit[0]
    first, second = (hit[rate, side] / of[rate, side] for side in (group, other))
    ratio = name in RATIOS
    if ratio and not np.maximum(first, second).any():
        return Disparity(name, None, rows=rows, note="no row of these groups is selected")
    apart = _apart(first, second, ratio)
    worst = int(apart.argmax())
    column = int(counts.column[group[worst]])
    interval = None if drawn is None else _interval(counts, drawn, (rate, group, other), ratio, confidence)
    value = float(1 - apart[worst]) if ratio else float(apart[worst])
    if interval is not None:
        interval = (min(interval[0], value), max(interval[1], value))
    kept = int((counts.groupings[column].codes >= 0).sum())
    note = f"in column {counts.groupings[column].column}" + ("" if interval else "; too few rows or groups to resample")
    return Disparity(name, value, interval, counts.groupings[column].column, kept, note)


def _apart(first: np.ndarray, second: np.ndarray, ratio: bool) -> np.ndarray:
    """Absolute difference, or 1 minus the smaller over the larger; two rates of 0 are no ratio and not apart."""

    if not ratio:
        return np.abs(first - second)
    larger = np.maximum(first, second)
    return 1 - np.divide(np.minimum(first, second), larger, out=np.ones(len(larger)), where=larger > 0)


def _interval(counts: Counts, drawn: dict[str, np.ndarray], pairs: Pairs, ratio: bool, confidence: float) -> Interval:
    """Ends of the worst of all pairs, from a band that holds every pair at once (bootstrap of the largest t).

    Errors are never below Agresti and Caffo's (2000), which do not vanish where a group shows rates of 0 or 1, nor
    below those of equal rates: a small group that shows an extreme rate by chance also shows too little spread.
    """
    from scipy.stats import norm

    rate, group, other = pairs
    contrast = _log_ratio if ratio else _difference
    observed = contrast(counts.of, counts.hit, pairs)
    seen, shifts = np.abs(observed[0]), contrast(drawn["of"], drawn["hit"], pairs) - observed
    spread = np.sqrt(np.nanmean(shifts**2, axis=0))
    largest = np.max(np.abs(shifts[:, spread > 0]) / spread[spread > 0], axis=1, initial=0.0)
    reach = max(float(np.nanquantile(largest, confidence)), float(norm.ppf((1 + confidence) / 2)))
    plain = (
        np.hypot(*(_plain_error(counts, rate, side, pooled, ratio) for side in (group, other)))
        for pooled in (False, True)
    )
    errors = np.maximum.reduce([spread, *plain])
    low, high = max(0.0, float((seen - reach * errors).max())), float((seen + reach * errors).max())
    return (float(np.exp(-high)), float(np.exp(-low))) if ratio else (low, min(high, 1.0))


def _difference(of: np.ndarray, hit: np.ndarray, pairs: Pairs) -> np.ndarray:
    rate, group, other = pairs
    shares = np.divide(hit, of, out=np.full(of.shape, np.nan), where=of > 0)
    return shares[:, rate, group] - shares[:, rate, other]


def _log_ratio(of: np.ndarray, hit: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Logarithm of the ratio, with half a row added so that no selected row is no infinity."""
    rate, group, other = pairs
    logs = np.log((hit + 0.5) / (of + 0.5))
    return logs[:, rate, group] - logs[:, rate, other]


def _plain_error(counts: Counts, rate: np.ndarray, group: np.ndarray, pooled: bool, ratio: bool) -> np.ndarray:
    """Error of each group's rate (or its logarithm) for independent rows, at its own or at its column's rate."""

    of, hit = counts.of[0], counts.hit[0]
    if pooled:
        together = counts.column[:, np.newaxis] == counts.column
        hit = of * (hit @ together) / np.maximum(of @ together, 1)
    rows, hits = of[rate, group], hit[rate, group]
    if ratio:
        return np.sqrt(1 / (hits + 0.5) - 1 / (rows + 0.5))
    share = (hits + 1) / (rows + 2)
    return np.sqrt(share * (1 - share) / (rows + 2))
