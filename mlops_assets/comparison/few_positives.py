"""Few positives: the interval of a difference of two areas where DeLong's variance rests on a handful of rows."""

import math
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from mlops_assets.comparison.difference import Difference, quantile, two_sided
from mlops_assets.metrics.area_interval import few_misplaced, score_variance
from mlops_assets.metrics.intervals import Interval
from mlops_assets.metrics.placements import Placements

FEWEST = 20
"""Rows of either class below which DeLong's variance of a difference errs too often, wherever the areas lie."""
CLOSEST = 0.99
"""Most that two areas are taken to move together."""
EDGE = 1e-9
"""Nearest to 0 and 1 that an area is supposed to lie."""


@dataclass(frozen=True)
class PairOfAreas:
    """The areas of two models on the same rows."""

    challenger: Placements
    champion: Placements

    @property
    def is_thin(self) -> bool:
        """Whether a class has few rows, or hardly one of them lies out of order for one of the models."""
        areas = (self.challenger.area, self.champion.area)
        return self._smaller < FEWEST or any(few_misplaced(area, self._smaller) for area in areas)

    def widened(self, difference: Difference, confidence: float) -> Difference:
        """DeLong's ``difference``, its interval by Student's t and as wide as the score interval at least.

        DeLong's variance is estimated from the rows that are out of order: near an area of 1 a challenger that is
        worse by just the margin was called non-inferior in 12 % of cases, where 2.5 % is stated.
        """
        score = self.score_interval(difference.value, confidence)
        student, p = self._student(difference, confidence)
        error = math.sqrt(self._variance(0.0))
        p_score = two_sided(difference.value / error)
        interval = max(min(score[0], student[0]), -1.0), min(max(score[1], student[1]), 1.0)
        note = f"{self._smaller} rows of the smaller class: as wide as the score interval at least"
        return replace(difference, interval=interval, p_value=max(p, p_score), note=note)

    def score_interval(self, value: float, confidence: float) -> Interval:
        """The differences whose own standard errors, not that of ``value``, reach it.

        The variances of both areas are those of Newcombe's method 5 (2006) where the areas differ by as much about
        their mean; how far they move together is DeLong's estimate.
        """
        from scipy.optimize import brentq

        z = quantile(confidence)

        def excess(other: float) -> float:
            return abs(other - value) - z * math.sqrt(self._variance(other))

        low = brentq(excess, -1.0, value) if excess(-1.0) > 0 else -1.0
        high = brentq(excess, value, 1.0) if excess(1.0) > 0 else 1.0
        return cast(float, low), cast(float, high)

    def _variance(self, difference: float) -> float:
        """Of the difference of the areas, where that is ``difference``."""
        middle = (self.challenger.area + self.champion.area) / 2
        ours, theirs = (
            score_variance(float(np.clip(middle + side * difference / 2, EDGE, 1 - EDGE)), *self._sizes)
            for side in (1, -1)
        )
        return ours + theirs - 2 * self._correlation * math.sqrt(ours * theirs)

    def _student(self, difference: Difference, confidence: float) -> tuple[Interval, float]:
        """By Satterthwaite's degrees of freedom, with the two-sided p of no difference."""
        from scipy.stats import t

        of_positives, of_negatives = (self.challenger - self.champion).variances
        m, n = self._sizes
        freedom = (of_positives + of_negatives) ** 2 / (of_positives**2 / (m - 1) + of_negatives**2 / (n - 1))
        half = float(t.isf((1 - confidence) / 2, freedom)) * difference.standard_error
        p = 2 * float(t.sf(abs(difference.value) / difference.standard_error, freedom))
        return (difference.value - half, difference.value + half), p

    @property
    def _sizes(self) -> tuple[int, int]:
        return len(self.challenger.positives), len(self.challenger.negatives)

    @property
    def _smaller(self) -> int:
        return min(self._sizes)

    @property
    def _correlation(self) -> float:
        ours, theirs = self.challenger.variance, self.champion.variance
        if min(ours, theirs) == 0:
            return 0.0
        shared = (ours + theirs - (self.challenger - self.champion).variance) / 2
        return float(np.clip(shared / math.sqrt(ours * theirs), 0.0, CLOSEST))
