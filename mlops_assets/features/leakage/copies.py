"""Copies: rows that are the same observation written down again, and so are no evidence of their own."""

import numpy as np

from mlops_assets.features.leakage.functional_dependency import MIN_ROWS


def units_of(content: np.ndarray) -> np.ndarray:
    """Position of the observation that each row is a copy of, shape (n,), from ``content``, equal for equal rows.

    A content that MIN_ROWS rows share is no row with its copies: in a table of few, coarse columns such rows are
    observations, each one a unit.

    Example:
        >>> units_of(np.array([7, 9, 7]))
        array([0, 1, 0])
    """
    codes, sizes = np.unique(content, return_inverse=True, return_counts=True)[1:]
    alone = len(sizes) + np.arange(len(content))
    return np.unique(np.where(sizes[codes] >= MIN_ROWS, alone, codes), return_inverse=True)[1]


def first_of_each(*keys: np.ndarray) -> np.ndarray:
    """Positions, rising, of the first row of each combination of the keys, of shape (n,) each.

    Example:
        >>> first_of_each(np.array([5, 5, 6]), np.array([0, 0, 0]))
        array([0, 2])
    """
    codes = np.stack([np.unique(key, return_inverse=True)[1] for key in keys])
    return np.sort(np.unique(codes, axis=1, return_index=True)[1])
