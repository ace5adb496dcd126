"""Suspected duplicates: pairs of rows that are far nearer to each other than to any further row, in different parts.

Where rows are spread smoothly, the nearest of several neighbours is seldom much nearer than the last of them, however
dense they lie: along a line, the sparsest case, it is within a share s of that distance four times as often as within
s / 4. Rows that were measured or entered twice stand out as pairs below s / 4 with few others up to s. Only the shape
of distances is judged (after Facco et al. 2017 and the ratio test of Lowe 2004), so that nothing need be declared.
Chance is what the same rows give once each column is shuffled.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import polars as pl

from mlops_assets.features.leakage.near_duplicates import APART, SHOWN, address, alike, mean_and_spread
from mlops_assets.verdict import Verdict

NEIGHBOURS = 8
NEAR, NEARER = (0.24, 0.3), 0.25
"""Distances to the nearest row, in those to the last of the neighbours, that are small; and the share of them below
which rows are near duplicates."""
LEAST = 0.37
"""Share of the small distances that are those of near duplicates."""
CHANCE = 0.003
"""Probability along a line, for each of the two distances."""
FEWEST_PAIRS, TIMES_CHANCE = 3, 5
"""Pairs at least, and in terms of those that shuffled columns give."""
MOST_ROWS, MOST_CELLS = 4_000, 2e8
"""Rows looked at, and cells compared with each other; of more rows, a slice of the table that keeps pairs together."""
AXES = 4
"""Numeric features that the slice is laid across, chosen at random of more."""
OUTLYING = 5.0
"""Standard deviations beyond which a number moves a row no further across the table."""


@dataclass(frozen=True, eq=False)
class NearestRows:
    """Every row's nearest row, each pair once; shape (k,) each."""

    first: np.ndarray
    second: np.ndarray
    """Positions."""
    distance: np.ndarray
    """In standard deviations, the largest of all numeric features."""
    ratio: np.ndarray
    """To the distance of the last of the neighbours."""


def no_suspected_duplicates(features: pd.DataFrame, parts: np.ndarray, unit: np.ndarray, rows: pl.DataFrame) -> Verdict:
    """Whether no pairs of rows that lie in different parts are near duplicates; a warning.

    ``unit`` is equal for rows that stay together, shape (n,); ``rows`` holds ``_batch`` and ``_row`` of all ``n`` rows.
    """
    shown = _slice(features, np.flatnonzero(parts != "excluded"))
    places = _places(features, parts == "train", shown)
    nearest = _nearest(places, unit[shown])
    bound = next((bound for bound in NEAR if _stands_out(nearest.ratio, bound)), None)
    chance = _chance(places, bound) if bound else 0
    near = np.flatnonzero(nearest.ratio < NEARER * bound) if bound else np.zeros(0, np.int64)
    if len(near) < TIMES_CHANCE * chance:
        near = near[:0]
    first, second = shown[nearest.first[near]], shown[nearest.second[near]]
    apart = parts[first] != parts[second]
    tolerance = float(np.quantile(nearest.distance[near], 0.9)) if len(near) else None
    examples = [(int(a), int(b)) for a, b in zip(first[apart][:SHOWN], second[apart][:SHOWN], strict=True)]
    return Verdict(
        name="no_near_duplicates",
        outcome="failed" if apart.any() else "passed",
        severity="warn",
        reason=_reason(len(near), int(apart.sum()), chance, tolerance, len(shown), len(features)),
        value=int(apart.sum()),
        bound=0,
        rows=len(shown),
        details={
            "pairs": len(near),
            "by_chance": chance,
            "tolerance": tolerance,
            "examples": [{**address(a, parts, rows), "twin": address(b, parts, rows)} for a, b in examples],
        },
    )


def _numbers(features: pd.DataFrame) -> list[str]:
    return [str(name) for name, values in features.items() if values.dtype != object]


def _slice(features: pd.DataFrame, used: np.ndarray) -> np.ndarray:
    """Positions of the rows that are looked at: the middle ones along a random direction of some numeric features."""
    numbers = _numbers(features)
    most = min(MOST_ROWS, int(np.sqrt(MOST_CELLS / max(len(numbers), 1))))
    if len(used) <= most:
        return used
    across, rng = np.zeros(len(used)), np.random.default_rng(0)
    for name in rng.permutation(numbers)[:AXES]:
        cells = features[name].to_numpy()[used]
        across += rng.normal() * np.clip(_scaled(cells, cells), -OUTLYING, OUTLYING)
    begin = (len(used) - most) // 2
    return np.sort(used[np.argsort(across, kind="stable")[begin : begin + most]])


def _places(features: pd.DataFrame, train: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Coordinates in standard deviations of the train rows, shape (k, numeric features + 1); rows that differ in a
    category or an empty cell are APART."""
    columns = {name: features[name].to_numpy() for name in _numbers(features)}
    axes = [_scaled(cells[shown], cells[train]) for cells in columns.values()]
    exact = [np.isnan(cells[shown]) for cells in columns.values()]
    exact += [pd.factorize(values.iloc[shown])[0] for _, values in features.items() if values.dtype == object]
    return np.column_stack([*axes, alike(exact, len(shown)) * APART])


def _scaled(cells: np.ndarray, reference: np.ndarray) -> np.ndarray:
    mean, spread = mean_and_spread(reference)
    return np.nan_to_num((cells - mean) / spread, posinf=0.0, neginf=0.0) if spread else np.zeros(len(cells))


def _nearest(places: np.ndarray, unit: np.ndarray) -> NearestRows:
    from scipy.spatial import KDTree

    # A copy is its row's nearest, and stays with it.
    kept = np.sort(np.unique(places, axis=0, return_index=True)[1])
    if len(kept) <= NEIGHBOURS:
        return NearestRows(*(np.zeros(0, kind) for kind in (np.int64, np.int64, float, float)))
    tree = KDTree(places[kept], balanced_tree=False)
    distances, rows = (np.asarray(part) for part in tree.query(places[kept], k=NEIGHBOURS + 1, p=np.inf))
    first, second = kept, kept[rows[:, 1]]
    comparable = (distances[:, -1] < APART) & (unit[first] != unit[second])
    pairs = pd.DataFrame(
        {
            "first": np.minimum(first, second),
            "second": np.maximum(first, second),
            "distance": distances[:, 1],
            "ratio": distances[:, 1] / np.maximum(distances[:, -1], np.finfo(float).tiny),
        }
    )
    pairs = pairs.loc[comparable].sort_values(by="ratio", kind="stable").drop_duplicates(["first", "second"])
    return NearestRows(*(pairs[name].to_numpy() for name in pairs))


def _stands_out(ratio: np.ndarray, bound: float) -> bool:
    from scipy.stats import binom

    small, near = int((ratio < bound).sum()), int((ratio < NEARER * bound).sum())
    return near >= max(FEWEST_PAIRS, LEAST * small) and bool(binom.sf(near - 1, small, NEARER) < CHANCE)


def _chance(places: np.ndarray, bound: float) -> int:
    """Near duplicates among the same rows with each numeric column shuffled."""
    rng = np.random.default_rng(0)
    shuffled = np.column_stack([*(rng.permutation(axis) for axis in places.T[:-1]), places[:, -1]])
    return int((_nearest(shuffled, np.arange(len(shuffled))).ratio < NEARER * bound).sum())


def _reason(pairs: int, apart: int, chance: int, tolerance: float | None, looked_at: int, rows: int) -> str:
    sample = f"{looked_at:,} rows looked at" if looked_at < rows else f"{rows:,} rows"
    if tolerance is None:
        return f"of {sample}, none are far nearer to each other than to any further row"
    return (
        f"{apart:,} of {pairs:,} pairs of rows that are far nearer to each other than to any further row, as if "
        f"measured or entered twice, lie in different parts ({sample}; {chance:,} such pairs by chance). They differ "
        f"by up to {tolerance:.2g} standard deviations in every numeric feature. Remedy: declare what they have in "
        f"common as features.split.group, or retract what repeats; features.leakage.near_duplicates: {tolerance:.2g} "
        "makes them block"
    )
