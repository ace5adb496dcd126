"""Proportion: a share of rows with its interval, also where rows come in clusters."""

import math

import numpy as np

from mlops_assets.metrics.intervals import Interval


def wilson_interval(share: float, trials: float, confidence: float = 0.95) -> Interval:
    """The score interval of a share (Wilson 1927); ``trials`` may be an effective number."""
    from scipy.stats import norm

    z = float(norm.isf((1 - confidence) / 2))
    centre = share + z * z / (2 * trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return min(max((centre - half) / scale, 0.0), share), max(min((centre + half) / scale, 1.0), share)


def effective_trials(hits: np.ndarray, clusters: np.ndarray | None = None) -> float:
    """How many independent trials say as much about the share of ``hits`` as these, which come in ``clusters``.

    Their number over the design effect (Korn & Graubard 1998); never more than there are. Where all hits agree there
    is no effect to see, and each cluster counts once. ``clusters`` are numbered from 0.
    """
    if clusters is None:
        return float(len(hits))
    share, number = float(np.mean(hits)), len(np.unique(clusters))
    if share in (0.0, 1.0) or number < 2:
        return float(number)
    sums = np.bincount(clusters, weights=hits - share)
    variance = float((sums**2).sum()) * number / (number - 1) / len(hits) ** 2
    independent = share * (1 - share) / len(hits)
    return len(hits) if variance <= independent else len(hits) * independent / variance


def share_interval(hits: np.ndarray, clusters: np.ndarray | None = None, confidence: float = 0.95) -> Interval:
    """Wilson interval of the share of ``hits``; ``clusters`` hold rows that do not stand alone.

    Example:
        >>> import numpy as np
        >>> low, high = share_interval(np.repeat([True, False], [27, 3]))
        >>> round(low, 3), round(high, 3)
        (0.744, 0.965)
    """
    return wilson_interval(float(np.mean(hits)), effective_trials(hits, clusters), confidence)
