"""Losses: metrics that are weighted means, moments or medians of what each row costs."""

from collections.abc import Callable, Iterable

import numpy as np

from mlops_assets.metrics.blocks import Blocks
from mlops_assets.metrics.outcomes import Outcomes

MEDIANS = frozenset({"median_absolute_error", "mean_absolute_error_relative"})
SQUARED = frozenset({"root_mean_squared_error", "root_mean_squared_log_error"})
NEGLIGIBLE = 1e-12
"""Share of the target's squares below which a resample's spread is rounding, not spread."""
FARTHEST = 12
"""Standard errors of a rank within which the median of a resample of blocks is looked for."""


def loss_statistic(
    outcomes: Outcomes, names: Iterable[str], blocks: Blocks | None = None
) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Loss metrics as a function of row weights, shape (b, n) -> (b,) each; of block weights with ``blocks``."""
    names = tuple(names)
    means = _mean_statistic(outcomes, [name for name in names if name != "median_absolute_error"], blocks)
    medians = _median_statistic(outcomes, MEDIANS.intersection(names), blocks)

    def statistic(weights: np.ndarray) -> dict[str, np.ndarray]:
        measured = {**means(weights), **medians(weights)}
        if "mean_absolute_error_relative" in names:
            measured["mean_absolute_error_relative"] = _relative(measured["mean_absolute_error"], measured["median"])
        return {name: measured[name] for name in names}

    return statistic


def _mean_statistic(
    outcomes: Outcomes, names: list[str], blocks: Blocks | None
) -> Callable[[np.ndarray], dict[str, np.ndarray]]:

    wanted = dict.fromkeys("mean_absolute_error" if name == "mean_absolute_error_relative" else name for name in names)
    terms = [term for name in wanted for term in _terms(name, outcomes)]
    matrix = np.column_stack(terms) if terms else np.zeros((len(outcomes), 0))
    matrix = matrix if blocks is None else blocks.totals(matrix)

    def statistic(weights: np.ndarray) -> dict[str, np.ndarray]:
        total = weights.sum(axis=1, dtype=np.float64) if blocks is None else weights @ blocks.sizes
        means = iter((weights.astype(np.float64, copy=False) @ matrix).T / total)
        return {name: _finish(name, means) for name in wanted}

    return statistic


def _terms(name: str, outcomes: Outcomes) -> list[np.ndarray]:
    """What each row adds to the means that ``name`` is made of, each of shape (n,)."""

    if name in ("log_loss", "brier_score"):
        return [_log_losses(outcomes) if name == "log_loss" else _brier_losses(outcomes)]
    truth, error = outcomes.truth, outcomes.predicted - outcomes.truth
    if name == "r2":
        centred = truth - truth.mean()
        return [error**2, centred, centred**2]
    if name == "root_mean_squared_error":
        return [error**2]
    if name == "root_mean_squared_log_error":
        return [(np.log1p(outcomes.predicted) - np.log1p(truth)) ** 2]
    if name == "mean_absolute_percentage_error":
        return [np.abs(error) / np.maximum(np.abs(truth), np.finfo(np.float64).eps)]
    return [np.abs(error)]


def _finish(name: str, means: Iterable[np.ndarray]) -> np.ndarray:

    taken = iter(means)
    first = next(taken)
    if name == "r2":
        return _r2(first, next(taken), next(taken))
    return np.sqrt(first) if name in SQUARED else first


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


def _median_statistic(
    outcomes: Outcomes, names: frozenset[str], blocks: Blocks | None
) -> Callable[[np.ndarray], dict[str, np.ndarray]]:

    medians = {}
    if "median_absolute_error" in names:
        medians["median_absolute_error"] = _median(np.abs(outcomes.predicted - outcomes.truth), blocks)
    if "mean_absolute_error_relative" in names:
        medians["median"] = _median(outcomes.truth, blocks)
    return lambda weights: {name: median(weights) for name, median in medians.items()}


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
