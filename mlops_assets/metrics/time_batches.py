"""Time batches: rows in the order of time, in batches long enough to be independent of each other."""

import numpy as np
import pandas as pd

FEWEST, MOST = 8, 16
"""Batches: more would be too short to be independent, fewer say too little (Schmeiser 1982)."""
ROWS_PER_BATCH = 100
"""Rows from which there are more than the fewest batches."""


def time_batches(times: pd.Series) -> pd.Series:
    """The batch of each row, numbered from 0 in the order of time; rows of one instant are in one batch.

    Rows that follow each other err alike, so that fewer of them are independent than there are. Means of consecutive
    batches hardly depend on each other: the method of batch means, Schmeiser (1982), "Batch size effects in the
    analysis of simulation output", Operations Research 30, with few long batches rather than many short ones.

    Example:
        >>> import pandas as pd
        >>> days = pd.Series(pd.date_range("2026-01-01", periods=200))
        >>> time_batches(days).value_counts(sort=False).to_list()
        [25, 25, 25, 25, 25, 25, 25, 25]
    """
    rank = times.rank(method="min").to_numpy(dtype=np.int64) - 1
    count = int(np.clip(len(times) // ROWS_PER_BATCH, FEWEST, MOST))
    return pd.Series(rank * count // max(len(times), 1), index=times.index)
