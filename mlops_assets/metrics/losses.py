"""Losses: metrics that are weighted means, moments or medians of what each row costs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import cast

import numpy as np

from mlops_assets.metrics.blocks import Blocks
from mlops_assets.metrics.bootstrap import Statistic
from mlops_assets.metrics.catalogue import METRICS
from mlops_assets.metrics.outcomes import Outcomes

NEGLIGIBLE = 1e-12
"""Share of the target's squares below which a resample's spread is rounding, not spread."""
FARTHEST = 12
"""Standard errors of a rank within which the median of a resample of blocks is looked for."""


Term = Callable[[Outcomes], np.ndarray]
"""What each row adds to a mean, or stands for in a median: shape (n,)."""


@dataclass(frozen=True)
class Loss:
    """A formula of weighted means and medians of the rows' terms; ``finish`` takes these in order."""

    means: tuple[Term, ...] = ()
    medians: tuple[Term, ...] = ()
    finish: Callable[..., np.ndarray] = np.asarray

    def terms(self, outcomes: Outcomes) -> np.ndarray:
        """What each row adds to each of the means, shape (n, k)."""
        return np.column_stack([term(outcomes) for term in self.means])

    def __call__(self, means: "_Means", medians: "_Medians") -> np.ndarray:
        return self.finish(*means[self.means], *(medians[term] for term in self.medians))


_Means = dict[tuple[Term, ...], list[np.ndarray]]
_Medians = dict[Term, np.ndarray]


def loss_statistic(outcomes: Outcomes, names: Iterable[str], blocks: Blocks | None = None) -> Statistic:
    """Loss metrics as a function of row weights, shape (b, n) -> (b,) each; of block weights with ``blocks``."""
    losses = {name: cast(Loss, METRICS[name].formula) for name in names}
    means = _mean_statistic(outcomes, dict.fromkeys(loss.means for loss in losses.values()), blocks)
    medians = {term: _median(term(outcomes), blocks) for loss in losses.values() for term in loss.medians}

    def statistic(weights: np.ndarray) -> dict[str, np.ndarray]:
        mean, middle = means(weights), {term: median(weights) for term, median in medians.items()}
        return {name: loss(mean, middle) for name, loss in losses.items()}

    return statistic


def _mean_statistic(
    outcomes: Outcomes, several: Iterable[tuple[Term, ...]], blocks: Blocks | None
) -> Callable[[np.ndarray], _Means]:
    """The weighted means of several losses' terms, from one product of matrices."""
    several = tuple(several)
    columns = [term(outcomes) for terms in several for term in terms]
    matrix = np.column_stack(columns) if columns else np.zeros((len(outcomes), 0))
    matrix = matrix if blocks is None else blocks.totals(matrix)

    def statistic(weights: np.ndarray) -> _Means:
        total = weights.sum(axis=1, dtype=np.float64) if blocks is None else weights @ blocks.sizes
        means = iter((weights.astype(np.float64, copy=False) @ matrix).T / total)
        return {terms: list(islice(means, len(terms))) for terms in several}

    return statistic


def _absolute_error(outcomes: Outcomes) -> np.ndarray:
    return np.abs(outcomes.predicted - outcomes.truth)


def _share_of_truth(outcomes: Outcomes) -> np.ndarray:
    return _absolute_error(outcomes) / np.maximum(np.abs(outcomes.truth), np.finfo(np.float64).eps)


def _squared_error(outcomes: Outcomes) -> np.ndarray:
    return (outcomes.predicted - outcomes.truth) ** 2


def _squared_log_error(outcomes: Outcomes) -> np.ndarray:
    return (np.log1p(outcomes.predicted) - np.log1p(outcomes.truth)) ** 2


def _truth(outcomes: Outcomes) -> np.ndarray:
    return outcomes.truth


def _centred(outcomes: Outcomes) -> np.ndarray:
    """The target less its mean, so that the difference of squares in ``_r2`` keeps its digits."""
    return outcomes.truth - outcomes.truth.mean()


def _centred_squared(outcomes: Outcomes) -> np.ndarray:
    return _centred(outcomes) ** 2


def _r2(squared_error: np.ndarray, mean: np.ndarray, squared: np.ndarray) -> np.ndarray:
    """1 - error / spread; NaN where the target has no spread (scikit-learn answers 1 or 0 there)."""
    spread = squared - mean**2
    share = np.divide(squared_error, spread, out=np.full(len(spread), np.nan), where=spread > NEGLIGIBLE * squared)
    return 1 - share


def _log_losses(outcomes: Outcomes) -> np.ndarray:
    assert outcomes.probabilities is not None, "log loss needs probabilities"
    chosen = outcomes.probabilities[np.arange(len(outcomes)), outcomes.truth]
    eps = np.finfo(chosen.dtype).eps
    return -np.log(np.clip(chosen, eps, 1 - eps)).astype(np.float64)


def _brier_losses(outcomes: Outcomes) -> np.ndarray:
    """Squared distance to the true class, halved for two classes as scikit-learn does."""
    assert outcomes.probabilities is not None, "the Brier score needs probabilities"
    distance = outcomes.probabilities.astype(np.float64)
    distance[np.arange(len(outcomes)), outcomes.truth] -= 1
    squared = np.einsum("ij,ij->i", distance, distance)
    return squared / 2 if len(outcomes.classes) < 3 else squared


def _median(values: np.ndarray, blocks: Blocks | None) -> Callable[[np.ndarray], np.ndarray]:
    return weighted_median(values) if blocks is None else blocked_median(values, blocks)


def weighted_median(values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Median of ``values`` repeated by weight, as a function of weights (b, n); one sort for all of them."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]

    def median(weights: np.ndarray) -> np.ndarray:
        doubled = 2 * np.cumsum(weights.take(order, axis=1), axis=1)
        total = doubled[:, -1:] / 2
        lower, upper = (doubled >= total).argmax(axis=1), (doubled > total).argmax(axis=1)
        return np.where(total[:, 0] > 0, (ordered[lower] + ordered[upper]) / 2, np.nan)

    return median


def blocked_median(values: np.ndarray, blocks: Blocks) -> Callable[[np.ndarray], np.ndarray]:
    """``weighted_median`` as a function of block weights (b, count), one by one only of rows near the median of all.

    How many rows of a resample lie below that median has a standard error, from the sums of blocks; the rows whose
    rank is within ``FARTHEST`` of these hold the median of the resample, and those below are counted by block.
    """
    order = np.argsort(values, kind="stable")
    centre = len(values) // 2
    below = np.bincount(blocks.of_row[order[:centre]], minlength=blocks.count)
    reach = int(FARTHEST * np.sqrt(((below - blocks.sizes / 2) ** 2).sum())) + 1
    first, last = max(0, centre - reach), min(len(values), centre + reach)
    ordered, block = values[order[first:last]], blocks.of_row[order[first:last]]
    under = np.bincount(blocks.of_row[order[:first]], minlength=blocks.count)

    def median(weights: np.ndarray) -> np.ndarray:
        counted = np.cumsum(weights.take(block, axis=1), axis=1) + (weights @ under)[:, np.newaxis]
        half = (weights @ blocks.sizes)[:, np.newaxis] / 2
        lower, upper = (counted < half).sum(axis=1), (counted <= half).sum(axis=1)
        return (ordered.take(lower, mode="clip") + ordered.take(upper, mode="clip")) / 2

    return median


def _relative(error: np.ndarray, median: np.ndarray) -> np.ndarray:
    return np.divide(error, np.abs(median), out=np.full(len(error), np.nan), where=median != 0)


log_loss = Loss(means=(_log_losses,))
brier_score = Loss(means=(_brier_losses,))
r2 = Loss(means=(_squared_error, _centred, _centred_squared), finish=_r2)
mean_absolute_error = Loss(means=(_absolute_error,))
root_mean_squared_error = Loss(means=(_squared_error,), finish=np.sqrt)
root_mean_squared_log_error = Loss(means=(_squared_log_error,), finish=np.sqrt)
mean_absolute_percentage_error = Loss(means=(_share_of_truth,))
median_absolute_error = Loss(medians=(_absolute_error,))
mean_absolute_error_relative = Loss(means=(_absolute_error,), medians=(_truth,), finish=_relative)
