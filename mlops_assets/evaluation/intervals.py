"""Intervals: each metric with its bootstrap interval."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from mlops_assets.evaluation.blocks import fill_blocks
from mlops_assets.evaluation.catalogue import METRICS
from mlops_assets.evaluation.metrics import obstacle, statistic, values
from mlops_assets.evaluation.outcomes import Outcomes
from mlops_assets.evaluation.perfection import perfect_lower_end
from mlops_assets.evaluation.resampling import STANDARD, Atoms, Bootstrap, gather_atoms, group_codes, replicate

if TYPE_CHECKING:
    import numpy as np

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
    A perfect classifier has no spread to resample; there the lower end is the exact bound of ``perfection``.
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


def percentile_interval(replicates: "np.ndarray", value: float, confidence: float) -> Interval:
    """Equal-tailed percentiles of the defined replicates, extended to ``value`` where they miss it."""
    import numpy as np

    tail = (1 - confidence) / 2
    low, high = np.quantile(replicates[np.isfinite(replicates)], [tail, 1 - tail])
    return min(float(low), value), max(float(high), value)


def undefined_share(replicates: "np.ndarray") -> float:
    """Share of resamples on which the metric is undefined."""
    import numpy as np

    return float(np.mean(~np.isfinite(replicates)))


def atoms_of(several: Iterable[Outcomes], groups: Any, by_label: bool) -> Atoms:
    """Atoms of rows that none of ``several`` outcomes tells apart."""
    columns = [
        column for outcomes in several for column in (outcomes.label_columns if by_label else outcomes.value_columns)
    ]
    return gather_atoms(columns, group_codes(groups))


def _replicates(
    names: list[str], outcomes: Outcomes, groups: Any, bootstrap: Bootstrap, by_label: bool
) -> "dict[str, tuple[np.ndarray, str]]":
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
    spread: "tuple[np.ndarray, str] | None",
    outcomes: Outcomes,
    units: "np.ndarray",
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


def _units(outcomes: Outcomes, groups: Any) -> "np.ndarray":
    """What is independent, numbered by row: its group, or itself."""
    import numpy as np

    codes = group_codes(groups)
    return np.arange(len(outcomes)) if codes is None else codes
