"""Moving windows: a feature that is the mean of the target over the rows around each, its own and later ones included.

A mean over the rows i - a … i + b changes from row to row by (y[i + b] - y[i - a - 1]) / (a + b + 1). Every a and b is
tried at once. A window that ends before its row (b = -1) knows the past alone, and is no leak.
"""

import numpy as np

REACH = 30
"""Rows on either side that a window may include."""
LONGEST = 50_000
"""Newest rows that are looked at."""
FEWEST = 60
"""Rows that must have neighbours on either side."""


def moving_window(values: np.ndarray, target: np.ndarray, bound: float) -> tuple[int, int] | None:
    """Rows before and after its own whose target the feature averages: (a, b); None where it does not.

    ``values`` and ``target`` have shape (n,), oldest first. The squared correlation must be at least ``bound``.

    Example:
        >>> import pandas as pd
        >>> daily = pd.Series(np.random.default_rng(0).normal(size=300))
        >>> centred = daily.rolling(7, center=True).mean().to_numpy()
        >>> moving_window(centred, daily.to_numpy(), 0.99)
        (3, 3)
        >>> moving_window(daily.shift(1).rolling(7).mean().to_numpy(), daily.to_numpy(), 0.99) is None
        True
    """
    values, target = values[-LONGEST:], target[-LONGEST:].astype(float)
    reach = min(REACH, (len(values) - FEWEST) // 2 - 1)
    if reach < 1:
        return None
    rows = np.arange(reach + 1, len(values) - reach)
    change = values[rows] - values[rows - 1]
    rows, change = rows[np.isfinite(change)], change[np.isfinite(change)]
    if len(rows) < FEWEST or np.ptp(change) == 0:
        return None
    explained = _explained(change, target, rows, reach)
    before, after = np.unravel_index(int(explained.argmax()), explained.shape)
    if explained[before, after] < bound or after == 0:
        return None
    return int(before), int(after) - 1


def _explained(change: np.ndarray, target: np.ndarray, rows: np.ndarray, reach: int) -> np.ndarray:
    """Squared correlation of the change with y[i + b] - y[i - a - 1], at [a, b + 1]."""
    first = np.column_stack([target[rows - before - 1] for before in range(reach + 1)])
    last = np.column_stack([target[rows + after] for after in range(-1, reach + 1)])
    first, last, change = first - first.mean(axis=0), last - last.mean(axis=0), change - change.mean()
    covariance = change @ last - (change @ first)[:, np.newaxis]
    variance = (last**2).sum(axis=0) + (first**2).sum(axis=0)[:, np.newaxis] - 2 * first.T @ last
    usable = variance > 1e-12 * variance.max()
    return np.where(usable, covariance**2 / np.where(usable, variance, 1.0) / (change @ change), 0.0)
