"""Estimate: a metric of given rows with its bootstrap interval."""

from collections.abc import Iterable

import numpy as np
from pydantic import BaseModel, ConfigDict

from mlops_assets.metrics.blocks import fill_blocks
from mlops_assets.metrics.bootstrap import STANDARD, Bootstrap, atoms_of, group_codes, replicate
from mlops_assets.metrics.catalogue import METRICS
from mlops_assets.metrics.intervals import (
    FEWEST_UNITS,
    UNDEFINED_AT_MOST,
    Interval,
    percentile_interval,
    perfect_lower_end,
    undefined_share,
)
from mlops_assets.metrics.outcomes import Column, Outcomes
from mlops_assets.metrics.scoring import obstacle, statistic, values

Spread = tuple[np.ndarray, str]
"""A metric of every resample, and what to know of how these were drawn."""


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
    names: Iterable[str], outcomes: Outcomes, groups: Column | None = None, bootstrap: Bootstrap = STANDARD
) -> dict[str, Estimate]:
    """Every metric with its percentile interval; rows are drawn by group where ``groups`` are given.

    Where the percentile interval misses the value (a biased, skewed statistic), it is extended to it.
    A perfect classifier has no spread to resample; there the lower end is the exact bound of ``perfect_lower_end``.
    Label metrics and the others are drawn separately: intervals are per metric, not joint.
    Of more rows than ``bootstrap.most_rows`` that a metric can tell apart, random blocks are drawn (``Blocks``), and
    the estimate's note says so unless each block is one group; values are of all rows in any case.

    Example:
        >>> import numpy as np
        >>> from mlops_assets.metrics.outcomes import Predictions, read_outcomes
        >>> truth = np.tile([1.0, 2.0, 3.0, 4.0], 25)
        >>> outcomes = read_outcomes("regression", truth, Predictions(truth + np.tile([0.5, -0.5, 0.1, -0.1], 25)))
        >>> error = estimate(["mean_absolute_error"], outcomes)["mean_absolute_error"]
        >>> round(error.value, 2), tuple(round(end, 2) for end in error.interval)
        (0.3, (0.26, 0.34))
    """
    names = tuple(names)
    measured = values(names, outcomes)
    usable = [name for name in names if measured[name] is not None]
    spread: dict[str, Spread] = {}
    units = _units(outcomes, groups)
    if units.max(initial=-1) + 1 >= FEWEST_UNITS:
        for by_label in (True, False):
            chosen = [name for name in usable if (METRICS[name].needs == "labels") == by_label]
            spread |= _replicates(chosen, outcomes, groups, bootstrap, by_label) if chosen else {}
    return {
        name: _estimate(name, measured[name], spread.get(name), outcomes, units, bootstrap.confidence) for name in names
    }


def _replicates(
    names: list[str], outcomes: Outcomes, groups: Column | None, bootstrap: Bootstrap, by_label: bool
) -> dict[str, Spread]:
    """Every metric of every resample, with what to know of how they were drawn."""
    atoms = atoms_of([outcomes], groups, by_label)
    if len(atoms.row) <= bootstrap.most_rows:
        drawn, note = replicate([statistic(names, outcomes.take(atoms.row))], atoms, bootstrap)[0], ""
    else:
        blocks = fill_blocks(len(outcomes), group_codes(groups), bootstrap)
        drawn = replicate([statistic(names, outcomes, blocks)], blocks.atoms, bootstrap)[0]
        what = "rows" if groups is None else "groups"
        drawing = f"drawn as {blocks.count:,} random blocks of {what}, as there are {len(atoms.row):,} different rows"
        note = drawing if blocks.count < atoms.units else ""
    return {name: (replicates, note) for name, replicates in drawn.items()}


def _estimate(
    name: str,
    value: float | None,
    spread: Spread | None,
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


def _units(outcomes: Outcomes, groups: Column | None) -> np.ndarray:
    """What is independent, numbered by row: its group, or itself."""
    codes = group_codes(groups)
    return np.arange(len(outcomes)) if codes is None else codes
