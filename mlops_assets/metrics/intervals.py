"""Intervals: each metric with its bootstrap interval."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from mlops_assets.metrics.blocks import fill_blocks
from mlops_assets.metrics.bootstrap import STANDARD, Atoms, Bootstrap, gather_atoms, group_codes, replicate
from mlops_assets.metrics.catalogue import METRICS
from mlops_assets.metrics.outcomes import Outcomes
from mlops_assets.metrics.scoring import obstacle, statistic, values

UNDEFINED_AT_MOST = 0.05
"""Share of resamples on which a metric may be undefined before its interval means nothing."""
FEWEST_UNITS = 5
"""Fewer rows or groups than this give no interval: their resamples say little about other rows."""

Interval = tuple[float, float]


class Estimate(BaseModel):
    """A metric on one set of rows; ``value`` and ``interval`` are None where they are not evaluated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """Name of the metric."""
    value: float | None
    interval: Interval | None = None
    rows: int
    undefined: float = 0.0
    """Share of resamples on which the metric is undefined."""
    note: str = ""
    """Why value or interval is missing, or what to know of it."""


def estimate(
    names: Iterable[str], outcomes: Outcomes, groups: Any = None, bootstrap: Bootstrap = STANDARD
) -> dict[str, Estimate]:
    """Every metric with its percentile interval; rows are drawn by group where ``groups`` are given.

    Where the percentile interval misses the value (a biased, skewed statistic), it is extended to it.
    A perfect classifier has no spread to resample; there the lower end is the exact bound of ``perfect_lower_end``.
    Label metrics and the others are drawn separately: intervals are per metric, not joint.
    Of more rows than ``bootstrap.most_rows`` that a metric can tell apart, random blocks are drawn (``Blocks``), and
    the estimate's note says so unless each block is one group; values are of all rows in any case.
    """
    names = tuple(names)
    measured = values(names, outcomes)
    usable = [name for name in names if measured[name] is not None]
    spread: dict[str, tuple[np.ndarray, str]] = {}
    units = _units(outcomes, groups)
    if units.max(initial=-1) + 1 >= FEWEST_UNITS:
        for by_label in (True, False):
            chosen = [name for name in usable if (METRICS[name].needs == "labels") == by_label]
            spread |= _replicates(chosen, outcomes, groups, bootstrap, by_label) if chosen else {}
    return {
        name: _estimate(name, measured[name], spread.get(name), outcomes, units, bootstrap.confidence) for name in names
    }


def percentile_interval(replicates: np.ndarray, value: float, confidence: float) -> Interval:
    """Equal-tailed percentiles of the defined replicates, extended to ``value`` where they miss it."""

    tail = (1 - confidence) / 2
    low, high = np.quantile(replicates[np.isfinite(replicates)], [tail, 1 - tail])
    return min(float(low), value), max(float(high), value)


def undefined_share(replicates: np.ndarray) -> float:
    """Share of resamples on which the metric is undefined."""

    return float(np.mean(~np.isfinite(replicates)))


def atoms_of(several: Iterable[Outcomes], groups: Any, by_label: bool) -> Atoms:
    """Atoms of rows that none of ``several`` outcomes tells apart."""
    columns = [
        column for outcomes in several for column in (outcomes.label_columns if by_label else outcomes.value_columns)
    ]
    return gather_atoms(columns, group_codes(groups))


def _replicates(
    names: list[str], outcomes: Outcomes, groups: Any, bootstrap: Bootstrap, by_label: bool
) -> dict[str, tuple[np.ndarray, str]]:
    """Every metric of every resample, with what to know of how they were drawn."""
    atoms = atoms_of([outcomes], groups, by_label)
    if len(atoms.row) <= bootstrap.most_rows:
        drawn, note = replicate([statistic(names, outcomes.take(atoms.row))], atoms, bootstrap)[0], ""
    else:
        blocks = fill_blocks(len(outcomes), group_codes(groups), bootstrap)
        drawn = replicate([statistic(names, outcomes, blocks)], blocks.atoms, bootstrap)[0]
        what = "rows" if groups is None else "groups"
        told = f"drawn as {blocks.count:,} random blocks of {what}, as there are {len(atoms.row):,} different rows"
        note = told if blocks.count < atoms.units else ""
    return {name: (replicates, note) for name, replicates in drawn.items()}


def _estimate(
    name: str,
    value: float | None,
    spread: tuple[np.ndarray, str] | None,
    outcomes: Outcomes,
    units: np.ndarray,
    confidence: float,
) -> Estimate:
    rows = len(outcomes)
    if value is None:
        note = obstacle(name, outcomes) or "undefined on these rows"
        return Estimate(name=name, value=None, rows=rows, note=note)
    if spread is None:
        return Estimate(
            name=name, value=value, rows=rows, note=f"no interval from {units.max() + 1} independent rows or groups"
        )
    replicates, drawn = spread
    undefined = undefined_share(replicates)
    if undefined > UNDEFINED_AT_MOST:
        note = f"no interval: undefined on {undefined:.0%} of the resamples"
        return Estimate(name=name, value=value, rows=rows, undefined=undefined, note=note)
    interval, note = percentile_interval(replicates, value, confidence), drawn
    if interval == (1.0, 1.0) and outcomes.task == "classification":
        interval = (perfect_lower_end(name, outcomes, units, confidence), 1.0)
        note = "no error was seen, so the lower end is an exact bound instead of a percentile"
    return Estimate(name=name, value=value, interval=interval, rows=rows, undefined=undefined, note=note)


def _units(outcomes: Outcomes, groups: Any) -> np.ndarray:
    """What is independent, numbered by row: its group, or itself."""

    codes = group_codes(groups)
    return np.arange(len(outcomes)) if codes is None else codes


BY_ROW = frozenset({"accuracy", "f1_weighted"})


BY_POSITIVE = frozenset({"precision", "recall", "f1", "f2", "f0_5"})


def perfect_lower_end(name: str, outcomes: Outcomes, units: np.ndarray, confidence: float) -> float:
    """Smallest value of a metric at which no error in these rows would still be likelier than (1 - confidence) / 2.

    Clopper and Pearson's exact bound for one proportion (the "rule of three"); for metrics in which classes count
    alike its worst case over the classes' error rates. ``units`` numbers what is independent: rows, or groups.
    """

    tail = (1 - confidence) / 2
    if name in BY_ROW:
        return tail ** (1 / len(np.unique(units)))
    sizes = np.array([len(np.unique(units[outcomes.truth == index])) for index in np.unique(outcomes.truth)])
    if name in BY_POSITIVE:
        return tail ** (1 / len(np.unique(units[outcomes.truth == outcomes.positive])))
    if name in ("roc_auc", "average_precision") and outcomes.positive is not None:
        return tail ** (1 / int(sizes.min()))
    mean = _least_mean_recall(sizes, tail)
    return 2 * mean - 1 if name == "matthews_corrcoef" else mean


def _least_mean_recall(sizes: np.ndarray, tail: float) -> float:
    """Least mean of recalls r with prod(r ** sizes) >= tail: r is proportional to the size, and 1 for large classes."""

    ordered = np.sort(sizes).astype(float)
    recalls = np.ones(len(ordered))
    for open_classes in range(1, len(ordered) + 1):
        small = ordered[:open_classes]
        scale = np.exp((np.log(tail) - (small * np.log(small)).sum()) / small.sum())
        recalls[:open_classes] = scale * small
        if open_classes == len(ordered) or scale * ordered[open_classes] >= 1:
            break
    return float(recalls.mean())
