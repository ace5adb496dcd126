"""Intervals: from replicates of a metric, and where there is no spread to resample."""

import math
from dataclasses import replace

import numpy as np

from mlops_assets.metrics.catalogue import METRICS
from mlops_assets.metrics.outcomes import Outcomes

Interval = tuple[float, float]
"""Lower and upper end."""

UNDEFINED_AT_MOST = 0.05
"""Share of resamples on which a metric may be undefined before its interval means nothing."""
FEWEST_UNITS = 5
"""Fewer rows or groups than this give no interval: their resamples say little about other rows."""


def percentile_interval(replicates: np.ndarray, value: float, confidence: float, units: int | None = None) -> Interval:
    """Equal-tailed percentiles of the defined replicates, extended to ``value`` where they miss it.

    ``units`` is how many independent rows or groups were drawn: percentiles are then expanded for their number.
    """
    tail = (1 - (confidence if units is None else expanded_confidence(confidence, units))) / 2
    low, high = np.quantile(replicates[np.isfinite(replicates)], [tail, 1 - tail])
    return min(float(low), value), max(float(high), value)


def expanded_confidence(confidence: float, units: int) -> float:
    """Confidence at which percentiles are read so that few rows or groups do not make the interval too narrow.

    The bootstrap's spread is too small by the root of (n - 1) / n, and normal where Student's t is due: Hesterberg
    (2015), "What teachers should know about the bootstrap", The American Statistician 69, expanded percentiles.
    """
    from scipy.stats import t

    tail = float(t.isf((1 - confidence) / 2, units - 1))
    return math.erf(math.sqrt(units / (units - 1)) * tail / math.sqrt(2))


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


def worst_upper_end(name: str, outcomes: Outcomes, units: np.ndarray, confidence: float) -> float:
    """Largest value of a metric at which no right answer in these rows would be likelier than (1 - confidence) / 2.

    The mirror of ``perfect_lower_end``: F-measures lie above the recall (or Jaccard share) that bounds them.
    """
    tail, counted = (1 - confidence) / 2, METRICS[name].over
    if counted == "positive":
        claimed = (outcomes.truth == outcomes.positive) | (outcomes.predicted == outcomes.positive)
        share = 1 - tail ** (1 / max(len(np.unique(units[claimed])), 1))
        squared = {"f2": 4.0, "f0_5": 0.25}.get(name, 1.0)
        return (1 + squared) * share / ((1 + squared) * share + min(squared, 1.0) * (1 - share))
    if name.startswith("precision"):
        outcomes = replace(outcomes, truth=outcomes.predicted)
    highest = 1 - perfect_lower_end(name, outcomes, units, confidence)
    if name == "matthews_corrcoef":
        return highest - 1
    return 2 * highest / (1 + highest) if name.startswith("f1") else highest


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
