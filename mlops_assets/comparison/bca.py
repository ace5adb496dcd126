"""BCa: bootstrap intervals corrected for bias and for a spread that changes with the value."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlops_assets.metrics.bootstrap import CELLS_PER_CHUNK, Atoms

if TYPE_CHECKING:
    from mlops_assets.metrics.intervals import Interval

WeightedStatistic = Callable[[np.ndarray], np.ndarray]
"""Row weights of shape (b, a) -> a number of each resample, shape (b,)."""

MOST_BLOCKS = 200
"""Blocks that are left out in turn: with more rows or groups than this, each block holds several."""


@dataclass(frozen=True)
class Correction:
    """Efron's bias-corrected and accelerated percentiles (1987, "Better bootstrap confidence intervals", JASA 82)."""

    bias: float
    """Standard normal quantile of the value among its replicates."""
    acceleration: float

    def interval(self, replicates: np.ndarray, confidence: float) -> "Interval | None":
        """Percentiles at the corrected levels; None where the correction runs past the end of the distribution."""
        from scipy.stats import norm

        z = float(norm.isf((1 - confidence) / 2))
        shifts = [self.bias - z, self.bias + z]
        if any(self.acceleration * shift >= 1 for shift in shifts):
            return None
        levels = [float(norm.cdf(self.bias + shift / (1 - self.acceleration * shift))) for shift in shifts]
        low, high = np.quantile(replicates, levels)
        return float(low), float(high)

    def p_value(self, replicates: np.ndarray) -> float:
        """Two-sided, of zero: one less the confidence of the interval that ends there."""
        from scipy.stats import norm

        below = np.count_nonzero(replicates < 0) + np.count_nonzero(replicates == 0) / 2
        shift = float(norm.ppf((below + 0.5) / (len(replicates) + 1))) - self.bias
        slope = 1 + self.acceleration * shift
        # Beyond the pole of the correction zero lies further out than any interval reaches.
        return math.erfc(abs(shift / slope - self.bias) / math.sqrt(2)) if slope > 0 else 0.0


def correct(replicates: np.ndarray, value: float, left_out: np.ndarray) -> Correction | None:
    """The correction from defined replicates and the jackknife's values; None where either says nothing."""
    from scipy.stats import norm

    below = (np.count_nonzero(replicates < value) + np.count_nonzero(replicates == value) / 2) / len(replicates)
    influence = left_out.mean() - left_out
    spread = float((influence**2).sum())
    if not (0 < below < 1 and math.isfinite(spread) and spread > 0):
        return None
    # A sixth of the skewness of the influences estimates how fast the standard error changes with the value.
    return Correction(float(norm.ppf(below)), float((influence**3).sum()) / (6 * spread**1.5))


def jackknife(measure: WeightedStatistic, atoms: Atoms, seed: int = 0) -> np.ndarray:
    """``measure`` of the rows without each block of rows (or groups) in turn, shape (blocks,).

    At most 200 blocks, filled at random: the acceleration is a skewness over the root of the number of rows, for which
    sums over blocks are as good as single rows.
    """

    blocks = min(atoms.units, MOST_BLOCKS)
    block = np.random.default_rng(seed).permutation(atoms.units) % blocks
    at_once = max(1, CELLS_PER_CHUNK // len(atoms.row))
    starts = range(0, blocks, at_once)
    return np.concatenate(
        [measure(_without(atoms, block, np.arange(start, min(start + at_once, blocks)))) for start in starts]
    )


def _without(atoms: Atoms, block: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Weights, shape (chosen, a), of the rows outside each chosen block."""

    if atoms.group is None and atoms.of_row is not None:
        sizes = [np.bincount(atoms.of_row[block == left_out], minlength=len(atoms.row)) for left_out in chosen]
        return atoms.size - np.stack(sizes)
    of_atom = block if atoms.group is None else block[atoms.group]
    return atoms.size * (of_atom != chosen[:, np.newaxis])
