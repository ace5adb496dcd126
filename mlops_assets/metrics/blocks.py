"""Blocks: many rows drawn as few random blocks of rows, so that a resample costs little however many rows there are."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlops_assets.metrics.bootstrap import Atoms, Bootstrap

EXACT_COUNTS = 2**24
"""Counts below this are exact in single precision, which is twice as fast as double."""


@dataclass(frozen=True, eq=False)
class Blocks:
    """``n`` rows in ``count`` blocks, filled at random, each drawn whole.

    Sums over random blocks of independent rows (or groups) have the variance of the rows' sums: the error of a mean
    has it without bias, up to a share of 1 / ``count``, and any smooth statistic to first order. These are the random
    groups of Wolter (2007), "Introduction to Variance Estimation", chapter 2, drawn with replacement. The spread that
    they show has a relative standard error of sqrt(1 / (2 * count)): 0.7 % for 10,000 blocks, where the ends of an
    interval from 2,000 resamples have one of about 2 %.
    """

    of_row: np.ndarray
    """Shape (n,): the block of each row."""
    count: int

    @property
    def atoms(self) -> Atoms:
        """What is drawn: the blocks, each as itself."""
        return Atoms(np.arange(self.count), np.ones(self.count, dtype=np.int64), None)

    @cached_property
    def sizes(self) -> np.ndarray:
        """Shape (count,): rows per block."""
        return np.bincount(self.of_row, minlength=self.count).astype(np.float64)

    def totals(self, columns: np.ndarray) -> np.ndarray:
        """Sums of ``columns``, shape (n, c), by block: (count, c)."""
        summed = [np.bincount(self.of_row, column, minlength=self.count) for column in columns.T]
        return np.column_stack(summed) if summed else np.zeros((self.count, 0))

    def cell_counter(self, cell: np.ndarray, cells: int) -> Callable[[np.ndarray], np.ndarray]:
        """How many drawn rows fall into each cell, shape (b, cells), as a function of block weights (b, count).

        ``cell``, shape (n,), is where each row falls.
        """
        from scipy.sparse import csr_matrix

        precision = np.float32 if len(cell) < EXACT_COUNTS else np.float64
        rows = csr_matrix((np.ones(len(cell), dtype=precision), (cell, self.of_row)), shape=(cells, self.count))

        def count(weights: np.ndarray) -> np.ndarray:
            counts = rows @ np.ascontiguousarray(weights.T, dtype=precision)
            return np.ascontiguousarray(counts.T, dtype=np.float64)

        return count


def fill_blocks(rows: int, groups: np.ndarray | None, bootstrap: Bootstrap) -> Blocks:
    """Put rows, or whole groups numbered from 0, at random by the seed into blocks of as many rows (or groups)."""
    units = rows if groups is None else int(groups.max()) + 1
    count = min(units, bootstrap.blocks)
    of_unit = np.random.default_rng(bootstrap.seed).permutation(units) % count
    return Blocks(of_unit if groups is None else of_unit[groups], count)
