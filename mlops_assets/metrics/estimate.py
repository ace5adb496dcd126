"""Estimate: a metric of given rows with its interval, made by the method that holds for it."""

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from mlops_assets.metrics.bootstrap import STANDARD, Bootstrap, group_codes
from mlops_assets.metrics.interval_methods import Made, Rows, interval_of, resampled
from mlops_assets.metrics.intervals import FEWEST_UNITS, Interval
from mlops_assets.metrics.outcomes import Column, Outcomes
from mlops_assets.metrics.scoring import obstacle, values


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
    """Every metric with its interval, by the method that the catalogue names for it.

    Shares of rows have exact intervals, means of such shares by class those of their classes together; the area under
    the curve DeLong's; means of errors and what is made of them the studentized bootstrap's; a median percentiles, and
    what else lies between bounds the interval of a share of as much variance. Where ``groups`` are given, these count
    and are drawn instead of rows. A perfect classifier, or one that is never right, has no spread: its other end is
    exact. Intervals are per metric, not joint.

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
    rows = Rows(outcomes, group_codes(groups), bootstrap)
    usable = [name for name in names if measured[name] is not None]
    drawn = resampled(usable, rows) if rows.units >= FEWEST_UNITS else {}
    estimates = {}
    for name in names:
        value = measured[name]
        if value is None:
            note = obstacle(name, outcomes) or "undefined on these rows"
            estimates[name] = Estimate(name=name, value=None, rows=len(outcomes), note=note)
        elif rows.units < FEWEST_UNITS:
            note = f"no interval from {rows.units} independent rows or groups"
            estimates[name] = Estimate(name=name, value=value, rows=len(outcomes), note=note)
        else:
            estimates[name] = _estimate(name, value, rows, interval_of(name, value, rows, drawn.get(name)))
    return estimates


def _estimate(name: str, value: float, rows: Rows, made: Made) -> Estimate:
    return Estimate(
        name=name,
        value=value,
        interval=made.interval,
        rows=len(rows.outcomes),
        undefined=made.undefined,
        note="; ".join(filter(None, [made.note, rows.few if made.interval else ""])),
    )
