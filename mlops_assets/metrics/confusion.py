"""Confusion counts: hits, true and predicted rows per class, of every resample or at every threshold."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mlops_assets.metrics.blocks import Blocks
from mlops_assets.metrics.outcomes import Outcomes


@dataclass(frozen=True, eq=False)
class ConfusionCounts:
    """Weighted counts of ``k`` classes in ``b`` resamples, or at ``b`` thresholds."""

    hits: np.ndarray
    """Shape (b, k): rows of the class that were predicted as it."""
    support: np.ndarray
    """Shape (b, k): rows of the class."""
    predicted: np.ndarray
    """Shape (b, k): rows predicted as the class."""

    @property
    def total(self) -> np.ndarray:
        return self.support.sum(axis=1)

    @property
    def present(self) -> np.ndarray:
        """Classes that scikit-learn would see: in truth or in prediction."""
        return self.support + self.predicted > 0

    @property
    def precision(self) -> np.ndarray:
        return ratio(self.hits, self.predicted)

    @property
    def recall(self) -> np.ndarray:
        return ratio(self.hits, self.support)

    @property
    def f1(self) -> np.ndarray:
        return self.f_measure(1)

    def f_measure(self, beta: float, undefined: float = 0.0) -> np.ndarray:
        """Harmonic mean of precision and recall, of which recall counts ``beta`` times as much (van Rijsbergen 1979).

        ``undefined`` where there is no row to tell.
        """
        weight = beta**2
        return ratio((1 + weight) * self.hits, weight * self.support + self.predicted, undefined)


def ratio(numerator: np.ndarray, denominator: np.ndarray, otherwise: float = 0.0) -> np.ndarray:
    """A quotient, ``otherwise`` where the denominator is 0."""
    filled = np.full(np.broadcast(numerator, denominator).shape, otherwise)
    return np.divide(numerator, denominator, out=filled, where=denominator > 0)


def confusion_counter(outcomes: Outcomes, blocks: Blocks | None = None) -> Callable[[np.ndarray], ConfusionCounts]:
    """Counts per class as a function of row weights, shape (b, n); of block weights with ``blocks``."""
    return _by_row(outcomes) if blocks is None else _by_block(outcomes, blocks)


def _by_row(outcomes: Outcomes) -> Callable[[np.ndarray], ConfusionCounts]:
    size = len(outcomes.classes)
    hits = _sums_by(outcomes.truth, size, outcomes.truth == outcomes.predicted)
    support, predicted = _sums_by(outcomes.truth, size), _sums_by(outcomes.predicted, size)
    return lambda weights: ConfusionCounts(hits(weights), support(weights), predicted(weights))


def _by_block(outcomes: Outcomes, blocks: Blocks) -> Callable[[np.ndarray], ConfusionCounts]:
    size = len(outcomes.classes)
    cells = blocks.cell_counter(outcomes.truth * size + outcomes.predicted, size**2)

    def count(weights: np.ndarray) -> ConfusionCounts:
        matrix = cells(weights).reshape(len(weights), size, size)
        return ConfusionCounts(matrix.diagonal(axis1=1, axis2=2), matrix.sum(axis=2), matrix.sum(axis=1))

    return count


def _sums_by(codes: np.ndarray, size: int, counted: np.ndarray | None = None) -> Callable[[np.ndarray], np.ndarray]:
    """Sum weights (b, n) by code into (b, size); only of ``counted`` rows."""
    rows = np.arange(len(codes)) if counted is None else np.flatnonzero(counted)
    rows = rows[np.argsort(codes[rows], kind="stable")]
    present, starts = np.unique(codes[rows], return_index=True)

    def sums(weights: np.ndarray) -> np.ndarray:
        result = np.zeros((len(weights), size), dtype=weights.dtype)
        if len(rows):
            result[:, present] = np.add.reduceat(weights.take(rows, axis=1), starts, axis=1)
        return result

    return sums
