"""Label metrics: formulas of confusion counts, shape (b,) each, or (b, k) where a metric is of the positive class.

Definitions are scikit-learn's (a class that is never predicted has precision 0 within a macro mean); but where it
answers 0 for want of rows (precision without a predicted positive, Matthews correlation of a single true class), the
value is NaN.
"""

from collections.abc import Iterable

import numpy as np

from mlops_assets.metrics.blocks import Blocks
from mlops_assets.metrics.bootstrap import Statistic
from mlops_assets.metrics.catalogue import METRICS
from mlops_assets.metrics.confusion import ConfusionCounts, confusion_counter, ratio
from mlops_assets.metrics.outcomes import Outcomes


def label_statistic(outcomes: Outcomes, names: Iterable[str], blocks: Blocks | None = None) -> Statistic:
    """Label metrics as a function of row weights, shape (b, n) -> (b,) each; of block weights with ``blocks``."""
    names, count = tuple(names), confusion_counter(outcomes, blocks)

    def statistic(weights: np.ndarray) -> dict[str, np.ndarray]:
        counts = count(weights)
        return {name: label_metric(name, counts, outcomes.positive) for name in names}

    return statistic


def label_metric(name: str, counts: ConfusionCounts, positive: int | None) -> np.ndarray:
    """One label metric of every resample or threshold, shape (b,); NaN where it is undefined.

    ``positive`` is the position of the positive class.
    """
    values = METRICS[name].formula(counts)
    return values[:, positive] if METRICS[name].over == "positive" else values


def accuracy(counts: ConfusionCounts) -> np.ndarray:
    """Share of rows predicted right."""
    return ratio(counts.hits.sum(axis=1), counts.total, np.nan)


def balanced_accuracy(counts: ConfusionCounts) -> np.ndarray:
    """Recall, averaged over the true classes."""
    return _mean_where(counts.recall, counts.support > 0)


def f1(counts: ConfusionCounts) -> np.ndarray:
    """Harmonic mean of precision and recall, of each class."""
    return counts.f_measure(1, np.nan)


def f2(counts: ConfusionCounts) -> np.ndarray:
    """As ``f1``, with recall counted twice as much."""
    return counts.f_measure(2, np.nan)


def f0_5(counts: ConfusionCounts) -> np.ndarray:
    """As ``f1``, with precision counted twice as much."""
    return counts.f_measure(0.5, np.nan)


def f1_macro(counts: ConfusionCounts) -> np.ndarray:
    """F1, averaged over the classes in truth or prediction."""
    return _mean_where(counts.f1, counts.present)


def f1_weighted(counts: ConfusionCounts) -> np.ndarray:
    """F1, averaged over the true rows."""
    return ratio((counts.f1 * counts.support).sum(axis=1), counts.total, np.nan)


def precision(counts: ConfusionCounts) -> np.ndarray:
    """Hits among rows predicted as the class, of each class."""
    return ratio(counts.hits, counts.predicted, np.nan)


def precision_macro(counts: ConfusionCounts) -> np.ndarray:
    """Precision, averaged over the classes in truth or prediction."""
    return _mean_where(counts.precision, counts.present)


def precision_weighted(counts: ConfusionCounts) -> np.ndarray:
    """Precision, averaged over the true rows."""
    return ratio((counts.precision * counts.support).sum(axis=1), counts.total, np.nan)


def recall(counts: ConfusionCounts) -> np.ndarray:
    """Hits among rows of the class, of each class."""
    return ratio(counts.hits, counts.support, np.nan)


def recall_macro(counts: ConfusionCounts) -> np.ndarray:
    """Recall, averaged over the classes in truth or prediction."""
    return _mean_where(counts.recall, counts.present)


def recall_weighted(counts: ConfusionCounts) -> np.ndarray:
    """Recall, averaged over the true rows: the share of rows predicted right."""
    return accuracy(counts)


def matthews_corrcoef(counts: ConfusionCounts) -> np.ndarray:
    """Gorodkin's correlation of k categories; 0, its limit, where one class is predicted throughout."""
    total = counts.total.astype(np.float64)
    support, predicted = counts.support.astype(np.float64), counts.predicted.astype(np.float64)
    # Covariance and both spreads of the classes' indicators, each times total squared, which cancels in the quotient.
    covariance = counts.hits.sum(axis=1) * total - (support * predicted).sum(axis=1)
    spread_true = total**2 - (support**2).sum(axis=1)
    spread_predicted = total**2 - (predicted**2).sum(axis=1)
    correlation = ratio(covariance, np.sqrt(spread_true * spread_predicted))
    return np.where(spread_true > 0, correlation, np.nan)


def _mean_where(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    return ratio((values * counted).sum(axis=1), counted.sum(axis=1), np.nan)
