"""Target means: a feature made from the mean of the target over a group of rows, each row's own target included.

Means of groups scatter about whatever honestly predicts them by as much as the rows within a group do, divided by
their number. A mean of the very same rows does not scatter: the group means lie on the line by the feature closer than
the noise permits, which is the left tail of the F test of lack of fit (Fisher 1922; Draper and Smith, "Applied
Regression Analysis", 1998, section 2.1). Groups are the rows that share a value of the feature, such as all those of
one customer, or, for a rolling mean, a moment.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mlops_assets.features.leakage.functional_dependency import CHANCE, MIN_ROWS

FEWEST = 3
"""Groups of several rows below which a line is no evidence."""
NEEDED = 12.0
"""Smallest share of the slope in what the groups differ by, in mean squares within groups: the line must matter."""
EQUAL = 1e-7
"""Share of the target's deviation within which a mean is that mean."""
CLASSES = 10
"""Most classes whose share is looked for one by one."""


@dataclass(frozen=True, eq=False)
class _Groups:
    """Groups of at least two rows; arrays of shape (G,)."""

    sizes: np.ndarray
    means: np.ndarray
    """Of the target."""
    values: np.ndarray
    """Mean of the feature."""
    variances: np.ndarray
    """Unbiased variance of the target within the group, beyond what the feature explains there."""


def repeats_target_mean(values: np.ndarray, target: np.ndarray, groups: np.ndarray | None = None) -> bool:
    """Whether group means of the target agree with the feature's, closer than is likely by 10**CHANCE.

    ``values`` and ``target`` have shape (n,), as ``groups`` (equal within a group), by default the values themselves.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> customer, spent = rng.integers(0, 100, 400), rng.normal(size=400)
        >>> mean = np.bincount(customer, spent) / np.bincount(customer)
        >>> repeats_target_mean(mean[customer], spent), repeats_target_mean(rng.normal(size=100)[customer], spent)
        (True, False)
    """
    known = np.isfinite(values) & (np.abs(values) < 1e150)
    values, target = values[known], target[known].astype(float)
    if len(values) < MIN_ROWS or np.ptp(target) == 0:
        return False
    means = _groups_of(values, target, values if groups is None else groups[known])
    return means is not None and ((groups is None and _equal(means, target)) or _closer_than_noise(means))


def outcomes_of(target: np.ndarray, task: str) -> Iterator[np.ndarray]:
    """What a mean can be taken of: the numbers, or class positions and, of three classes or more, each one's share."""
    yield target.astype(float)
    labels = np.unique(target) if task == "classification" else []
    if 2 < len(labels) <= CLASSES:
        yield from ((target == label).astype(float) for label in labels)


def _groups_of(values: np.ndarray, target: np.ndarray, groups: np.ndarray) -> _Groups | None:
    codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)[1:]
    several = sizes > 1
    if several.sum() < FEWEST:
        return None
    rows = several[codes]
    codes, x, y = (np.cumsum(several) - 1)[codes[rows]], values[rows], target[rows]
    sizes = sizes[several]
    mean_x, mean_y = np.bincount(codes, x) / sizes, np.bincount(codes, y) / sizes
    x, y = x - mean_x[codes], y - mean_y[codes]
    spread = (x**2).sum()
    if spread > 1e-18 * (values**2).sum():
        y = y - x * (x * y).sum() / spread
    return _Groups(sizes, mean_y, mean_x, np.bincount(codes, y**2) / (sizes - 1))


def _equal(groups: _Groups, target: np.ndarray) -> bool:
    """Whether each value is the mean itself, which is no chance: the density of the means, times the target's step."""
    deviation = target.std()
    if not (groups.variances > 0).any() or (np.abs(groups.means - groups.values) > EQUAL * deviation).any():
        return False
    step = 1.0 if (target == np.round(target)).all() else EQUAL * deviation
    apart = (groups.means - target.mean()) / (deviation / np.sqrt(groups.sizes))
    likely = np.log10(step / (deviation * np.sqrt(2 * np.pi * groups.sizes))) - apart**2 / 2 * np.log10(np.e)
    return bool(np.minimum(likely, 0).sum() < CHANCE)


def _closer_than_noise(groups: _Groups) -> bool:
    """The left tail of F, with Satterthwaite's degrees of freedom, since variances differ between groups."""
    from scipy.special import betainc

    noise = groups.variances.sum()
    if len(groups.sizes) <= FEWEST or noise <= 0:
        return False
    slope, lack = _line(groups)
    if slope < NEEDED * noise / len(groups.sizes):
        return False
    squares = groups.variances**2
    above = max(noise**2 / squares.sum() - 2, 1.0)
    below = max(noise**2 / (squares / (groups.sizes - 1)).sum(), 1.0)
    ratio = lack / noise * above / below
    return bool(betainc(above / 2, below / 2, ratio / (1 + ratio)) < 10**CHANCE)


def _line(groups: _Groups) -> tuple[float, float]:
    """Sums of squares of the group means, weighted by size: along the line by the feature, and beside it."""
    weights = groups.sizes / groups.sizes.sum()
    x, y = groups.values - weights @ groups.values, groups.means - weights @ groups.means
    spread = weights @ x**2
    slope = (weights @ (x * y)) / spread if spread > 0 else 0.0
    size = groups.sizes.sum()
    return float(size * slope**2 * spread), float(size * (weights @ (y - slope * x) ** 2))
