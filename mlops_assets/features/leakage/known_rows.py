"""Known rows: rows of the dataset whose outcome is known, in an order that the file's does not decide."""

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True, eq=False)
class KnownRows:
    """Rows with their target, ordered by what they hold; copies stand together, or with ``times`` by time."""

    features: pd.DataFrame
    target: np.ndarray
    """Shape (n,); classes as positions."""
    content: np.ndarray
    """Equal for copies of a row, shape (n,)."""
    times: np.ndarray | None = None
    """Of each row, shape (n,), where the split is by time."""

    def taken(self, rows: np.ndarray) -> "KnownRows":
        """The rows at these positions, in this order."""
        times = None if self.times is None else self.times[rows]
        return KnownRows(self.features.iloc[rows], self.target[rows], self.content[rows], times)

    @property
    def in_own_order(self) -> "KnownRows":
        """The same rows by content and target, whatever order they came in."""
        return self.taken(np.lexsort((self.target, self.content)))

    @property
    def by_time(self) -> "KnownRows":
        """The rows that have a time, oldest first."""
        assert self.times is not None
        order = np.argsort(self.times, kind="stable")
        return self.taken(order[np.isfinite(self.times[order])])
