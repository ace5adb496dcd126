"""Intervals: from replicates of a metric, and where there is no spread to resample."""

import numpy as np

from mlops_assets.metrics.catalogue import METRICS
from mlops_assets.metrics.outcomes import Outcomes

Interval = tuple[float, float]
"""Lower and upper end."""

UNDEFINED_AT_MOST = 0.05
"""Share of resamples on which a metric may be undefined before its interval means nothing."""
FEWEST_UNITS = 5
"""Fewer rows or groups than this give no interval: their resamples say little about other rows."""


def percentile_interval(replicates: np.ndarray, value: float, confidence: float) -> Interval:
    """Equal-tailed percentiles of the defined replicates, extended to ``value`` where they miss it."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(replicates[np.isfinite(replicates)], [tail, 1 - tail])
    return min(float(low), value), max(float(high), value)


def undefined_share(replicates: np.ndarray) -> float:
    """Share of resamples on which the metric is undefined."""
    return float(np.mean(~np.isfinite(replicates)))


def perfect_lower_end(name: str, outcomes: Outcomes, units: np.ndarray, confidence: float) -> float:
    """Smallest value of a metric at which no error in these rows would still be likelier than (1 - confidence) / 2.

    Clopper and Pearson's exact bound for one proportion (the "rule of three"); for metrics in which classes count
    alike its worst case over the classes' error rates. ``units`` numbers what is independent: rows, or groups.
    """
    tail = (1 - confidence) / 2
    over = METRICS[name].over
    if over == "rows":
        return tail ** (1 / len(np.unique(units)))
    sizes = np.array([len(np.unique(units[outcomes.truth == index])) for index in np.unique(outcomes.truth)])
    if over == "positive":
        return tail ** (1 / len(np.unique(units[outcomes.truth == outcomes.positive])))
    if METRICS[name].family == "ranking" and outcomes.positive is not None:
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
