"""Class shares: the intervals of metrics that are shares of rows, or means of such shares over the classes."""

import math
from collections.abc import Callable

import numpy as np

from mlops_assets.metrics.intervals import Interval
from mlops_assets.metrics.outcomes import Outcomes
from mlops_assets.metrics.proportion import clopper_pearson, share_interval

COUNTED: dict[str, Callable[[Outcomes], np.ndarray]] = {
    "accuracy": lambda outcomes: np.ones(len(outcomes), dtype=bool),
    "recall_weighted": lambda outcomes: np.ones(len(outcomes), dtype=bool),
    "recall": lambda outcomes: outcomes.truth == outcomes.positive,
    "precision": lambda outcomes: outcomes.predicted == outcomes.positive,
}
"""Of which rows a metric is the share that is right: a mask of shape (n,)."""


def metric_share_interval(name: str, outcomes: Outcomes, groups: np.ndarray | None, confidence: float) -> Interval:
    """The exact interval of a metric of ``COUNTED``.

    ``groups`` numbers the rows' groups from 0.
    """
    counted = COUNTED[name](outcomes)
    right = outcomes.predicted[counted] == outcomes.truth[counted]
    return share_interval(right, None if groups is None else groups[counted], confidence)


def mean_recall_interval(outcomes: Outcomes, classes: int, confidence: float) -> Interval:
    """The interval of recall, averaged over ``classes`` of which those without a true row count 0.

    Each end lies as far from the mean as the root of the squared distances of the classes' own exact ends: the MOVER
    of Newcombe (1998), "Interval estimation for the difference between independent proportions", Statistics in
    Medicine 17, for a mean. It is as wide as that of a share of as much variance at least, which it is not where few
    rows are wrong. Rows must stand alone.

    Example:
        >>> import numpy as np
        >>> from mlops_assets.metrics.outcomes import Predictions, read_outcomes
        >>> truth = np.repeat([0, 1], [291, 9])
        >>> outcomes = read_outcomes("classification", truth, Predictions(np.where(np.arange(300) > 297, 0, truth)))
        >>> [round(end, 2) for end in mean_recall_interval(outcomes, 2, 0.95)]
        [0.7, 0.99]
    """
    recalls, spread, below, above = [], [], 0.0, 0.0
    for label in np.unique(outcomes.truth):
        right = outcomes.predicted[outcomes.truth == label] == label
        recall = float(right.mean())
        low, high = clopper_pearson(recall, len(right), confidence)
        recalls.append(recall)
        spread.append(recall * (1 - recall) / len(right))
        below, above = below + (recall - low) ** 2, above + (high - recall) ** 2
    mean = sum(recalls) / classes
    low, high = mean - math.sqrt(below) / classes, mean + math.sqrt(above) / classes
    variance = sum(spread) / classes**2
    if variance > 0:
        least, most = clopper_pearson(mean, mean * (1 - mean) / variance, confidence)
        low, high = min(low, least), max(high, most)
    return max(low, 0.0), min(high, 1.0)
