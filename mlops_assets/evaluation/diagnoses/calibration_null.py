"""The null of calibration: events per bin of stated probability, as they fall where every probability is right."""

from dataclasses import dataclass

import numpy as np

BINS = 15
STEPS = 100
"""Steps within a bin up to which probabilities are distinguished when labels are drawn."""
MOST_CELLS = 50_000_000
"""Rows times draws, beyond which fewer draws are made of rows in groups; never fewer than ``FEWEST_DRAWS``."""
FEWEST_DRAWS = 200


@dataclass(frozen=True, eq=False)
class Bins:
    """Sums over the rows of each bin of equal width."""

    rows: np.ndarray
    stated: np.ndarray
    """Sum of stated probabilities."""
    observed: np.ndarray
    """Number of rows where the event happened."""

    @property
    def ece(self) -> float:
        """Mean distance of stated and observed, weighted by rows (Naeini et al. 2015)."""

        return float(np.abs(self.stated - self.observed).sum() / self.rows.sum())

    @property
    def brier_parts(self) -> tuple[float, float, float]:
        """Reliability, resolution, uncertainty: first - second + third is the Brier score of bins (Murphy 1973)."""
        filled = self.rows > 0
        rows, stated, observed = self.rows[filled], self.stated[filled], self.observed[filled]
        total, base = rows.sum(), observed.sum() / rows.sum()
        reliability = float(((stated - observed) ** 2 / rows).sum() / total)
        resolution = float((rows * (observed / rows - base) ** 2).sum() / total)
        return reliability, resolution, float(base * (1 - base))


def bin_events(stated: np.ndarray, happened: np.ndarray, bins: int = BINS) -> Bins:
    """Rows gathered by stated probability, in bins of equal width."""

    position = _cell(stated, bins) // STEPS
    return Bins(
        rows=np.bincount(position, minlength=bins),
        stated=np.bincount(position, weights=stated, minlength=bins),
        observed=np.bincount(position, weights=happened, minlength=bins),
    )


def null_bins(stated: np.ndarray, draws: int = 2000, seed: int = 0, bins: int = BINS) -> np.ndarray:
    """Events per bin, shape (draws, bins), if each row's event happens with its stated probability.

    Rows whose probabilities differ by less than a hundredth of a bin are drawn as one binomial of their mean: the
    expectation is exact, the variance is too large by less than the square of that difference per row.
    """

    cells, atom, size = np.unique(_cell(stated, bins), return_inverse=True, return_counts=True)
    mean = np.clip(np.bincount(atom, weights=stated) / size, 0, 1)
    drawn = np.random.default_rng(seed).binomial(size, mean, size=(draws, len(size)))
    filled, first = np.unique(cells // STEPS, return_index=True)
    happened = np.zeros((draws, bins))
    happened[:, filled] = np.add.reduceat(drawn, first, axis=1)
    return happened


def null_bins_by_group(
    stated: np.ndarray, happened: np.ndarray, groups: np.ndarray, draws: int = 2000, seed: int = 0, bins: int = BINS
) -> np.ndarray:
    """As ``null_bins``, for rows that come in groups, whose events fall together as far as these did.

    Each row's event is decided by a number of its own, or with probability ``togetherness`` ** 0.5 by its group's.
    ``groups`` numbers the groups of the rows from 0.
    """
    rng, follows = np.random.default_rng(seed), togetherness(stated, happened, groups) ** 0.5
    position, count = _cell(stated, bins) // STEPS, groups.max() + 1
    draws = min(draws, max(FEWEST_DRAWS, MOST_CELLS // len(stated)))
    drawn = np.empty((draws, bins))
    for row in drawn:
        own, shared = rng.random(len(stated)), rng.random(count)[groups]
        luck = np.where(rng.random(len(stated)) < follows, shared, own)
        row[:] = np.bincount(position[luck < stated], minlength=bins)
    return drawn


def togetherness(stated: np.ndarray, happened: np.ndarray, groups: np.ndarray) -> float:
    """How far events of one group fall together: 0 as of rows alone, 1 as if one draw decided for the whole group.

    The sum of the products of two rows' surprises, over that which one draw for both would give on average:
    min(p, q) - pq.
    """
    order = np.lexsort((-stated, groups))
    probability, surprise, group = stated[order], (happened - stated)[order], groups[order]
    first = np.flatnonzero(np.diff(group, prepend=group[0] - 1))
    before = np.arange(len(group)) - np.repeat(first, np.diff(first, append=len(group)))  # rows of a larger probability
    products = _products(surprise, first)
    one_draw = 2 * (before * probability).sum() - _products(probability, first)
    return float(np.clip(products / one_draw, 0, 1)) if one_draw > 0 else 0.0


def _products(values: np.ndarray, first: np.ndarray) -> float:
    """Sum over all pairs of two rows of one group, each pair counted twice."""
    return float((np.add.reduceat(values, first) ** 2).sum() - (values**2).sum())


def null_errors(stated: np.ndarray, draws: int = 2000, seed: int = 0, bins: int = BINS) -> np.ndarray:
    """Calibration errors, shape (draws,), of a model whose stated probabilities are all right."""

    return errors_of(null_bins(stated, draws, seed, bins), bin_events(stated, np.zeros(len(stated)), bins))


def errors_of(simulated: np.ndarray, bins: Bins) -> np.ndarray:
    """Calibration error of each draw."""
    return np.abs(simulated - bins.stated).sum(axis=1) / bins.rows.sum()


def _cell(stated: np.ndarray, bins: int) -> np.ndarray:
    """Which hundredth of a bin."""

    return np.clip((stated * (bins * STEPS)).astype(np.intp), 0, bins * STEPS - 1)
