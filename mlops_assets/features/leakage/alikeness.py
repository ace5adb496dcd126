"""Alikeness: how much more alike rows of one value are than rows of neighbouring values, and whether by chance.

Within each block of neighbouring values a straight line through them is taken out, so that what changes with the
value does not count. What the values then still explain is compared with what is left within them: the F of a test for
lack of fit, whose expectation is 1 where equals are as alike as neighbours. Its size is the intraclass correlation
(F - 1) / (F - 1 + rows per value), the share of the variance that rows of one value have in common. Chance is what
shuffling the rows within their blocks gives (a permutation test, Anderson 2001).

Where alikeness fades with distance, as between the quarters of a year and those of the next, equals are only the
nearest of all neighbours. The means of neighbouring values then differ less than those of any two (von Neumann's ratio,
1941), and nothing is a group.
"""

from dataclasses import dataclass

import numpy as np

from mlops_assets.features.leakage.repeated_values import RepeatedValues

NEAR, FEATURE, TARGET = 0.1, 0.3, 0.15
"""Intraclass correlations from which rows are alike: of all features together, of the strongest, of the target."""
SHUFFLES = 150
"""For each column that is looked at: none of them may be as alike. Three sizes are looked at, so that chance names any
column of a table in at most 2 % of tables."""
MOST_SHUFFLES = 5_000
"""Of more than 33 columns, chance names a few more."""
TINY = 1e-9
"""Mean square below which a column does not vary."""
FADING = 0.6
"""Mean squared difference of neighbouring values' means, in those of any two, below which alikeness fades."""


@dataclass(frozen=True)
class Alikeness:
    """Intraclass correlations of rows of one value, and whether shuffled rows are less alike, each."""

    features: float
    """Of all features together."""
    strongest: float
    """Of the feature that is most alike."""
    target: float
    beyond_chance: tuple[bool, bool, bool]

    @property
    def is_group(self) -> bool:
        return any(self.beyond_chance)


def alikeness(
    repeated: RepeatedValues, features: np.ndarray, target: np.ndarray, columns: int, names: bool = True
) -> Alikeness:
    """How alike rows of one value are; ``columns`` are looked at in all.

    Where values may be no ``names`` but measurements, from which another feature is computed, that alone says nothing.

    ``features`` and ``target`` hold the rows of ``repeated``, shape (k, any), each column with variance 1.
    """
    blocks = _ValueBlocks(repeated)
    sizes = blocks.correlations(features, target)
    large = (sizes >= np.array([NEAR, FEATURE if names else np.inf, TARGET])) & (
        blocks.contrasts(features, target) >= FADING
    )
    rng = np.random.default_rng(0)
    for _ in range(min(SHUFFLES * columns, MOST_SHUFFLES)):
        if not large.any():
            break
        order = blocks.shuffled(rng)
        large &= blocks.correlations(features[order], target[order]) < sizes
    beyond = (bool(large[0]), bool(large[1]), bool(large[2]))
    return Alikeness(float(sizes[0]), float(sizes[1]), float(sizes[2]), beyond)


class _ValueBlocks:
    """Where values and blocks begin, and how values rise within a block."""

    def __init__(self, repeated: RepeatedValues) -> None:
        self.block = repeated.blocks
        self.values, self.value_rows = _runs(repeated.values)
        self.starts, rows = _runs(self.block)
        self.rows = rows[:, np.newaxis]
        means = np.add.reduceat(repeated.values, self.starts) / rows
        self.rise = (repeated.values - np.repeat(means, rows))[:, np.newaxis]
        self.spread = np.add.reduceat(self.rise**2, self.starts)
        self.between = len(self.values) - 2 * len(self.starts)
        self.within = len(repeated.values) - len(self.values)
        self.rows_per_value = len(repeated.values) / len(self.values)

    def shuffled(self, rng: np.random.Generator) -> np.ndarray:
        """An order that exchanges rows within their blocks, shape (k,)."""
        return np.argsort(self.block + rng.uniform(size=len(self.block)), kind="stable")

    def contrasts(self, features: np.ndarray, target: np.ndarray) -> np.ndarray:
        """How neighbouring values' means differ, in terms of any two; shape (3,), as ``correlations``."""
        table = np.column_stack([features, target])
        means = np.add.reduceat(table, self.values) / self.value_rows[:, np.newaxis]
        beside = np.diff(self.block[self.values]) == 0
        near = (np.diff(means, axis=0)[beside] ** 2).mean(axis=0)
        cut, any_two = features.shape[1], 2 * means.var(axis=0)
        strongest = int(np.argmax(self._by_column(features))) if cut else 0
        parts = (slice(0, cut), slice(strongest, strongest + (cut > 0)), slice(cut, None))
        return np.array([near[part].sum() / max(any_two[part].sum(), TINY) for part in parts])

    def correlations(self, features: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Of all features, of the strongest and of the target, shape (3,); 0 where there is nothing to compare."""
        explained, left = self._squares(np.column_stack([features, target]))
        cut = features.shape[1]
        return np.array(
            [
                self._correlation(explained[:cut].sum(), left[:cut].sum()),
                self._correlation(explained[:cut], left[:cut]).max(initial=0.0),
                self._correlation(explained[cut:].sum(), left[cut:].sum()),
            ]
        )

    def _by_column(self, table: np.ndarray) -> np.ndarray:
        return self._correlation(*self._squares(table))

    def _squares(self, table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sums of squares of each column: explained by values but by no line, and left within values."""
        block = np.add.reduceat(table, self.starts) ** 2 / self.rows
        value = np.add.reduceat(table, self.values) ** 2 / self.value_rows[:, np.newaxis]
        line = np.add.reduceat(self.rise * table, self.starts) ** 2 / self.spread
        explained = value.sum(axis=0) - block.sum(axis=0) - line.sum(axis=0)
        return explained, np.maximum((table**2).sum(axis=0) - value.sum(axis=0), 0.0)

    def _correlation(self, explained: np.ndarray, left: np.ndarray) -> np.ndarray:
        """Mean squares in place of F, so that rows with nothing left within their values have 1."""
        between, within = explained / self.between, left / self.within
        whole = between + (self.rows_per_value - 1) * within
        return np.where(whole > TINY, (between - within) / np.maximum(whole, TINY), 0.0)


def _runs(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where equal values begin, and how many they are."""
    starts = np.flatnonzero(np.diff(values, prepend=-1))
    return starts, np.diff(starts, append=len(values))
