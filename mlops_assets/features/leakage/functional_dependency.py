"""Functional dependency: whether a feature's values and the target's go together without exception, beyond chance.

``codes`` are positions of the feature's values, in their order where they have one; negative ones are missing.
"""

import numpy as np

MIN_ROWS = 20
"""Fewer rows, or fewer rows with a repeated value, show nothing."""
REPEATED = 0.2
"""Share of the rows that must repeat a value before a feature can be called a function."""
LEVELS = 10
"""Distinct targets below which a common order can be chance."""
CHANCE = -6.0
"""log10 of the probability by chance above which a perfect match is taken for one."""


def meets_one_value(codes: np.ndarray, target: np.ndarray) -> bool:
    """Whether repeated values (equal codes; negative ones are missing) always meet one value of the target.

    The match must be less likely by chance than 10**CHANCE: draws of k rows all agree with probability Σ pᵏ.
    """
    target = np.unique(target, return_inverse=True)[1]
    shares = np.bincount(target) / max(len(target), 1)
    present = codes >= 0
    codes, target = codes[present], target[present]
    sizes = np.bincount(codes)
    repeated = sizes[codes] > 1
    if repeated.sum() < max(MIN_ROWS, REPEATED * len(present)):
        return False
    codes, target = codes[repeated], target[repeated]
    values = len(np.unique(codes))
    if len(np.unique(codes * (target.max() + 1) + target)) > values:
        return False
    lengths, counts = np.unique(sizes[sizes > 1], return_counts=True)
    return float((counts * np.log10([(shares**length).sum() for length in lengths])).sum()) < CHANCE


def rises_together(codes: np.ndarray, target: np.ndarray) -> bool:
    """Whether the target only rises, or only falls, with the order of the feature's values."""
    codes, target = codes[codes >= 0], target[codes >= 0]
    if len(codes) < MIN_ROWS or len(np.unique(target)) < LEVELS:
        return False
    order = np.lexsort((target, codes))
    steps, repeats = np.diff(target[order]), np.diff(codes[order]) == 0
    return bool((steps[repeats] == 0).all() and ((steps >= 0).all() or (steps <= 0).all()))
