"""The interval of the area under the ROC curve, also where positives are few or the area is near 1."""

import math
from typing import cast

from mlops_assets.metrics.intervals import Interval
from mlops_assets.metrics.outcomes import Outcomes
from mlops_assets.metrics.placements import Placements, place

FEW_MISPLACED = 5
"""Rows of the smaller class, times the share of pairs out of order, below which DeLong's variance is too small."""
EDGE = 1e-12
"""Nearest to 0 and 1 that an end is looked for."""


def area_interval(outcomes: Outcomes, confidence: float) -> Interval | None:
    """DeLong's interval of the logit of the area; where few rows are misplaced, as wide as the score interval at least.

    DeLong's variance is estimated from the rows that lie in the wrong order, so that with few of these a small area is
    excluded far too often: measured 8 to 13 % of intervals lie above the area where 2.5 % should. None where the area
    is 0 or 1, or a class has fewer than two rows.

    Example:
        >>> import numpy as np
        >>> from mlops_assets.metrics.outcomes import Predictions, read_outcomes
        >>> truth, score = np.repeat([0, 1], 50), np.arange(100) % 67 / 67
        >>> stated = Predictions(np.round(score), np.column_stack([1 - score, score]), (0, 1))
        >>> [round(end, 3) for end in area_interval(read_outcomes("classification", truth, stated), 0.95)]
        [0.373, 0.607]
    """
    index, scores = outcomes.positive, outcomes.probabilities
    assert index is not None, "the area is of two classes"
    assert scores is not None, "the area is of probabilities"
    is_positive = outcomes.truth == index
    positives = int(is_positive.sum())
    smaller = min(positives, len(outcomes) - positives)
    if smaller < 2:
        return None
    placements = place(scores[:, index], is_positive)
    if not 0 < placements.area < 1:
        return None
    low, high = _logit_interval(placements, confidence)
    if few_misplaced(placements.area, smaller):
        least, most = score_interval(placements.area, positives, len(outcomes) - positives, confidence)
        low, high = min(low, least), max(high, most)
    return low, high


def few_misplaced(area: float, smaller: int) -> bool:
    """Whether hardly a row lies out of order, ``smaller`` being the rows of the smaller class."""
    return smaller * min(area, 1 - area) < FEW_MISPLACED


def score_interval(area: float, positives: int, negatives: int, confidence: float) -> Interval:
    """The areas whose own standard errors, not that of ``area``, reach it.

    Method 5 of Newcombe (2006), "Confidence intervals for an effect size measure based on the Mann-Whitney statistic,
    part 2", Statistics in Medicine 25: Hanley and McNeil's variance of exponential scores, the sizes taken as equal.

    Example:
        >>> [round(end, 3) for end in score_interval(0.9, 9, 291, 0.95)]
        [0.744, 0.969]
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    z = float(norm.isf((1 - confidence) / 2))

    def excess(other: float) -> float:
        return abs(other - area) - z * math.sqrt(score_variance(other, positives, negatives))

    low = brentq(excess, EDGE, area) if area > EDGE else 0.0
    high = brentq(excess, area, 1 - EDGE) if area < 1 - EDGE else 1.0
    return cast(float, low), cast(float, high)


def score_variance(area: float, positives: int, negatives: int) -> float:
    """Variance of an area as Newcombe's method 5 has it, for scores that are exponential."""
    mean = (positives + negatives) / 2 - 1
    pairs = 1 + mean * (1 - area) / (2 - area) + mean * area / (1 + area)
    return area * (1 - area) * pairs / (positives * negatives)


def _logit_interval(placements: Placements, confidence: float) -> Interval:
    """Of the logit, by Student's t with Satterthwaite's degrees of freedom (Brunner & Munzel 2000)."""
    from scipy.stats import t

    of_positives, of_negatives = placements.variances
    variance = of_positives + of_negatives
    area, m, n = placements.area, len(placements.positives), len(placements.negatives)
    if variance == 0:
        return area, area
    freedom = variance**2 / (of_positives**2 / (m - 1) + of_negatives**2 / (n - 1))
    reach = float(t.isf((1 - confidence) / 2, freedom)) * math.sqrt(variance) / (area * (1 - area))
    logit = math.log(area / (1 - area))
    return _area_of(logit - reach), _area_of(logit + reach)


def _area_of(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit > 0 else math.exp(logit) / (1 + math.exp(logit))
