"""Bias: how far a regression's errors lie to one side, overall and in each tenth of its predictions."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from pydantic import Field

from mlops_assets.evaluation.diagnosis import Measure, Row, Table
from mlops_assets.metrics.bootstrap import Bootstrap, gather_atoms, group_codes, replicate
from mlops_assets.metrics.intervals import FEWEST_UNITS, UNDEFINED_AT_MOST, Interval, percentile_interval
from mlops_assets.metrics.outcomes import Outcomes

SEGMENTS = 10
FEWEST_SEGMENT_ROWS = 30


class BiasRow(Row):
    """The mean error where some tenth of the values is predicted."""

    table = "biases"

    start: float = Field(title="predicted from")
    end: float = Field(title="to")
    rows: int
    mean_error: float
    low: float | None
    high: float | None


def segments_of(predicted: np.ndarray, segments: int = SEGMENTS) -> np.ndarray:
    """The quantile segment of each prediction, numbered from 0; equal predictions share one."""

    edges = np.quantile(predicted, np.arange(1, segments) / segments)
    return np.unique(np.searchsorted(np.unique(edges), predicted, side="left"), return_inverse=True)[1]


def size_interval(interval: Interval) -> Interval:
    """The interval of a quantity's size, from that of the quantity with its sign."""
    low, high = interval
    ends = abs(low), abs(high)
    return (0.0 if low <= 0 <= high else min(ends), max(ends))


def simultaneous_band(means: np.ndarray, replicates: np.ndarray, confidence: float) -> np.ndarray | None:
    """Half width for each of ``means``, such that all of them hold together (max-t bootstrap, Romano and Wolf 2005).

    ``replicates`` has shape (resamples, means). None where resamples leave too many of them without rows.
    """

    defined = np.isfinite(replicates).all(axis=1)
    if defined.mean() < 1 - UNDEFINED_AT_MOST:
        return None
    moved = np.abs(replicates[defined] - means)
    errors = replicates[defined].std(axis=0)
    ratios = np.divide(moved, errors, out=np.zeros_like(moved), where=errors > 0)
    return float(np.quantile(ratios.max(axis=1), confidence)) * errors


def replicates_of(
    outcomes: Outcomes, segments: np.ndarray, groups: pd.Series | None, bootstrap: Bootstrap
) -> dict[str, np.ndarray] | None:
    """Bias, moments and each segment's bias in every resample; segments stay those of all rows.

    None where there are too few independent rows or groups.
    """
    codes = group_codes(groups)
    units = len(outcomes) if codes is None else int(codes.max()) + 1
    if units < FEWEST_UNITS:
        return None
    atoms = gather_atoms([outcomes.truth, outcomes.predicted], codes)
    chosen = outcomes.take(atoms.row)
    return replicate([_statistic(chosen, segments[atoms.row])], atoms, bootstrap)[0]


def _statistic(outcomes: Outcomes, segments: np.ndarray) -> Callable[[np.ndarray], dict[str, np.ndarray]]:

    errors = outcomes.predicted - outcomes.truth
    unit, scale = float(outcomes.truth.std()), float(errors.std()) or 1.0
    z, y = (errors - errors.mean()) / scale, (outcomes.truth - outcomes.truth.mean()) / unit
    inside = (segments[:, np.newaxis] == np.arange(segments.max() + 1)).astype(np.float64)
    matrix = np.column_stack([errors / unit, y, y**2, z, z**2, z**3, z**4, inside, inside * errors[:, np.newaxis]])

    def statistic(weights: np.ndarray) -> dict[str, np.ndarray]:
        sums = weights.astype(np.float64) @ matrix
        means = (sums[:, :7] / weights.sum(axis=1, keepdims=True)).T
        counts, totals = np.split(sums[:, 7:], 2, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            sd = np.sqrt(np.maximum(means[2] - means[1] ** 2, 0))
            by_segment = totals / counts / unit
            whole = {"bias": means[0] / sd, **_moments(*means[3:])}
        return whole | {f"segment {index}": column for index, column in enumerate(by_segment.T)}

    return statistic


def _moments(m1: np.ndarray, m2: np.ndarray, m3: np.ndarray, m4: np.ndarray) -> dict[str, np.ndarray]:
    """Skew and excess kurtosis from raw moments."""
    variance = m2 - m1**2
    return {
        "abs_skew": (m3 - 3 * m1 * m2 + 2 * m1**3) / variance**1.5,
        "excess_kurtosis": (m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4) / variance**2 - 3,
    }


def biases(
    outcomes: Outcomes, segments: np.ndarray, spread: dict[str, np.ndarray] | None, confidence: float
) -> tuple[list[Measure], Table]:
    """``bias`` and ``largest_segment_bias``, with the segments behind them."""

    errors, unit = outcomes.predicted - outcomes.truth, float(outcomes.truth.std())
    bias = float(errors.mean()) / unit
    interval = size_interval(percentile_interval(spread["bias"], bias, confidence)) if spread else None
    direction = "too much" if bias > 0 else "too little"
    rows = np.bincount(segments)
    means = np.bincount(segments, errors) / rows / unit
    large = np.flatnonzero(rows >= FEWEST_SEGMENT_ROWS)
    band = None
    if spread and len(large):
        replicates = np.column_stack([spread[f"segment {index}"] for index in large])
        band = simultaneous_band(means[large], replicates, confidence)
    measures = [
        Measure(
            name="bias",
            value=abs(bias),
            interval=interval,
            rows=len(errors),
            note=f"predicts {direction}" if bias else "",
        ),
        _worst_segment(means[large], rows[large], band, int(rows.max())),
    ]
    half = {} if band is None else dict(zip(large.tolist(), (band * unit).tolist(), strict=True))
    return measures, _segment_table(outcomes, segments, means * unit, half)


def _worst_segment(means: np.ndarray, rows: np.ndarray, band: np.ndarray | None, most: int) -> Measure:
    """The interval covers the largest of all true sizes, so that having looked at many is accounted for."""

    name = "largest_segment_bias"
    if not len(means):
        note = f"no tenth of the predictions has {FEWEST_SEGMENT_ROWS} rows, the largest has {most}"
        return Measure(name=name, value=None, rows=most, note=note)
    sizes = np.abs(means)
    worst = int(sizes.argmax())
    interval = None if band is None else (float(np.maximum(sizes - band, 0).max()), float((sizes + band).max()))
    note = "" if band is not None else "no interval: too few independent rows or groups"
    return Measure(name=name, value=float(sizes[worst]), interval=interval, rows=int(rows[worst]), note=note)


def _segment_table(outcomes: Outcomes, segments: np.ndarray, means: np.ndarray, half: dict[int, float]) -> Table:
    rows = []
    for index, mean in enumerate(means.tolist()):
        predicted = outcomes.predicted[segments == index]
        low, high = (mean - half[index], mean + half[index]) if index in half else (None, None)
        start, end = float(predicted.min()), float(predicted.max())
        rows.append(BiasRow(start=start, end=end, rows=len(predicted), mean_error=mean, low=low, high=high))
    return Table.of(BiasRow, "Mean error by tenth of the predictions (intervals hold for all tenths together)", rows)
