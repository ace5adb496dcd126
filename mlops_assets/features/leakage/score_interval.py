"""Score interval: a score on rows that were not fitted on, with the one-sided lower end at which it is judged.

Rows of one unit are copies of each other: they count as one observation wherever the spread of a score is concerned.
"""

import numpy as np

LOWER_END = 2.326
"""Normal quantile of a one-sided 99 % bound: a sound feature of a small table must not stand accused by chance."""
FEWEST = 5
"""Rows of a class below which some fold's fit may lack it."""

Score = tuple[float, float]
"""A score, and its lower end."""


def r2(predicted: np.ndarray, target: np.ndarray, units: np.ndarray) -> Score:
    """R² with its lower end by the delta method for a ratio of sums; arrays of shape (n,), ``units`` from 0.

    Example:
        >>> r2(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]), np.arange(3))
        (1.0, 1.0)
    """
    errors, spread = (target - predicted) ** 2, (target - target.mean()) ** 2
    total = max(spread.sum(), 1e-300)
    lost = errors.sum() / total
    deviation = np.sqrt((np.bincount(units, errors - lost * spread) ** 2).sum()) / total
    return float(1 - lost), float(1 - lost - LOWER_END * deviation)


def balanced_accuracy(predicted: np.ndarray, target: np.ndarray, units: np.ndarray) -> Score:
    """Mean recall of the classes (positions) with its lower end; classes of fewer than FEWEST rows are left out.

    Lower ends are Jeffreys' (Brown, Cai and DasGupta, "Interval estimation for a binomial proportion", Statistical
    Science 2001): those of the recalls put together by their distances from these (MOVER; Zou and Donner, Statistics in
    Medicine 2008), or, where no row is wrong, that of the share of rows that are right.

    Example:
        >>> labels = np.arange(100) % 2
        >>> score, lower = balanced_accuracy(labels, labels, np.arange(100))
        >>> score, round(lower, 3)
        (1.0, 0.968)
    """
    counts = np.bincount(target)
    learnable = counts >= FEWEST
    classes = int(learnable.sum())
    if classes < 2:
        return 0.0, 0.0
    hits = np.bincount(target[predicted == target], minlength=len(counts))[learnable]
    counts = counts[learnable]
    score = float((hits / counts).mean())
    if (hits == counts).all():
        observations = len(np.unique(units))
        return score, float(_jeffreys_lower_end(observations, observations))
    sizes = np.array([len(np.unique(units[target == label])) for label in np.flatnonzero(learnable)])
    below = hits / counts - _jeffreys_lower_end(hits * sizes / counts, sizes)
    return score, float(score - np.sqrt((below**2).sum()) / classes)


def _jeffreys_lower_end(hits: float | np.ndarray, sizes: float | np.ndarray) -> np.ndarray:
    """One-sided 99 % lower end of the share of ``hits`` among ``sizes`` observations."""
    from scipy.special import betaincinv

    return np.minimum(betaincinv(hits + 0.5, sizes - hits + 0.5, 0.01), hits / sizes)
