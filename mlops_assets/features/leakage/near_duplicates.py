"""Near duplicates: rows of different parts that are the same but for a little noise.

Each numeric feature is measured in tolerances, so that near rows lie within a Chebyshev distance of 1, and a KD-tree
finds the nearest row of the earlier parts. Rows that differ in a category or in which cells are empty get places
further apart than that along one more axis.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import polars as pl

from mlops_assets.verdict import Verdict

APART = 4.0
"""Distance, in tolerances, between rows that differ in a category or an empty cell."""
FURTHEST = 1e9
"""Tolerances from the mean beyond which rows are not distinguished; a float64 still has six digits of one there."""
ROUNDING = 1e-6
"""Share of a tolerance by which rounding may exceed it."""
SHOWN = 5
ORDER = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class _Twins:
    """Rows of one part, and for each its nearest row of an earlier part; positions, shape (k,) each."""

    part: str
    rows: np.ndarray
    earlier: np.ndarray


def no_near_duplicates(features: pd.DataFrame, parts: np.ndarray, rows: pl.DataFrame, tolerance: float) -> Verdict:
    """Whether no row has a near twin in an earlier part, exact copies included.

    Near are rows whose every numeric feature differs by at most ``tolerance`` standard deviations of the train rows,
    and whose categories and empty cells are the same. ``rows`` holds ``_batch`` and ``_row`` of all ``n`` rows.
    """
    if not (parts == "train").any():
        return _not_evaluated()
    places = _places(features, parts == "train", tolerance)
    near_twins = [_twins(places, parts, part) for part in ORDER[1:]]
    counts = {twins.part: len(twins.rows) for twins in near_twins}
    later = {part: int((parts == part).sum()) for part in ORDER[1:]}
    near = sum(counts.values())
    return Verdict(
        name="no_near_duplicates",
        outcome="failed" if near else "passed",
        reason=_reason(near_twins, later, rows, tolerance),
        value=near,
        bound=0,
        rows=sum(later.values()),
        details={
            "tolerance": tolerance,
            "by_parts": counts,
            "batches": _batches(near_twins, rows),
            "examples": [_example(near_twins, parts, rows, place) for place in range(min(near, SHOWN))],
        },
    )


def _places(features: pd.DataFrame, train: np.ndarray, tolerance: float) -> np.ndarray:
    """Coordinates of the rows in tolerances, shape (n, numeric features that vary + 1)."""
    axes, exact = [], []
    for _, values in features.items():
        if values.dtype == object:
            exact.append(pd.factorize(values)[0])
            continue
        cells = values.to_numpy()
        mean, spread = mean_and_spread(cells[train])
        if spread > 0:
            exact.append(np.isnan(cells))
            axes.append(_in_tolerances(cells - mean, tolerance * spread))
        else:
            exact.append(pd.factorize(cells)[0])
    axes.append(alike(exact, len(features)) * APART)
    return np.column_stack(axes)


def mean_and_spread(cells: np.ndarray) -> tuple[float, float]:
    """Of the finite cells; (0, 0) where they do not vary, or too little for a float64."""
    cells = cells[np.isfinite(cells)]
    if not len(cells):
        return 0.0, 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        mean, spread = float(cells.mean()), float(cells.std())
    return (mean, spread) if np.isfinite(spread) and spread > 1e-12 * abs(mean) else (0.0, 0.0)


def _in_tolerances(distances: np.ndarray, tolerance: float) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.clip(np.nan_to_num(distances / tolerance, nan=0.0), -FURTHEST, FURTHEST)


def alike(columns: list[np.ndarray], rows: int) -> np.ndarray:
    """A number for each of ``rows`` rows, shape (rows,), equal where all ``columns``, each of that shape, are."""
    if not columns:
        return np.zeros(rows)
    return pd.DataFrame(np.column_stack(columns)).groupby(list(range(len(columns))), sort=False).ngroup().to_numpy()


def _twins(places: np.ndarray, parts: np.ndarray, part: str) -> _Twins:
    from scipy.spatial import KDTree

    later = np.flatnonzero(parts == part)
    earlier = np.flatnonzero(np.isin(parts, ORDER[: ORDER.index(part)]))
    # Copies would make one leaf that every query walks through.
    earlier = earlier[np.sort(np.unique(places[earlier], axis=0, return_index=True)[1])]
    tree = KDTree(places[earlier], balanced_tree=False)
    nearest = np.asarray(tree.query(places[later], p=np.inf, distance_upper_bound=1 + ROUNDING)[1])
    has = nearest < len(earlier)
    return _Twins(part, later[has], earlier[nearest[has]])


def _reason(near_twins: list[_Twins], later: dict[str, int], rows: pl.DataFrame, tolerance: float) -> str:
    within = f"within {tolerance:g} standard deviations in every numeric feature, and equal in all others"
    counts = [
        f"{len(twins.rows):,} of {later[twins.part]:,} {twins.part} rows" for twins in near_twins if len(twins.rows)
    ]
    if not counts:
        return f"0 rows have a near twin in an earlier part ({within}); 0 are allowed"
    batches = _batches(near_twins, rows)
    most = next(iter(batches))
    return (
        f"{' and '.join(reversed(counts))} have a near twin in an earlier part ({within}); 0 are allowed. Batch "
        f"{most[:12]!r} holds one of the two in {batches[most]:,} cases. Remedy: declare what they have in common as "
        "features.split.group, or retract the batch that repeats the others"
    )


def _batches(near_twins: list[_Twins], rows: pl.DataFrame) -> dict[str, int]:
    """How many pairs each batch is in, most first: the batch that repeats others is in all of its own."""
    batch = rows["_batch"].to_numpy()
    pairs = [
        (batch[row], batch[twin]) for twins in near_twins for row, twin in zip(twins.rows, twins.earlier, strict=True)
    ]
    counted = pd.Series([name for pair in pairs for name in dict.fromkeys(pair)], dtype=object).value_counts()
    return {str(name): int(count) for name, count in counted.items()}


def _example(near_twins: list[_Twins], parts: np.ndarray, rows: pl.DataFrame, place: int) -> dict[str, object]:
    pairs = [
        pair for twins in reversed(near_twins) for pair in zip(twins.rows[:SHOWN], twins.earlier[:SHOWN], strict=True)
    ]
    row, twin = (int(position) for position in pairs[place])
    return {**address(row, parts, rows), "twin": address(twin, parts, rows)}


def address(position: int, parts: np.ndarray, rows: pl.DataFrame) -> dict[str, object]:
    """Where the row at ``position`` lies: its part, and the batch and row it came with."""
    return {"part": str(parts[position]), "batch": rows["_batch"][position], "row": rows["_row"][position]}


def _not_evaluated() -> Verdict:
    return Verdict(
        name="no_near_duplicates", outcome="not evaluated", reason="there are no train rows to be near to", rows=0
    )
