"""Comparison: is one model better than another on the same rows?"""

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict

from mlops_assets.comparison.difference import quantile
from mlops_assets.comparison.paired_bootstrap import PERCENTILE
from mlops_assets.metrics.intervals import Interval

Standing = Literal["superior", "non-inferior", "inferior", "undecided"]


class Comparison(BaseModel):
    """The difference of two models by one metric on the same rows; positive means the challenger is better."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    """Name of the metric, or ``cost``."""
    challenger: float
    champion: float
    difference: float
    """In units of the metric, turned so that positive means the challenger is better."""
    interval: Interval
    """Of ``difference``, two-sided."""
    rows: int
    confidence: float
    test: str = PERCENTILE
    """The method by name."""
    statistic: float | None = None
    """Signed like ``difference``; in standard errors."""
    p_value: float | None = None
    """Two-sided, of no difference."""
    standard_error: float | None = None
    """Of ``difference``."""
    note: str = ""
    """What to know of the method on these rows."""

    @property
    def superior(self) -> bool:
        """Better, with the whole interval above zero."""
        return self.interval[0] > 0

    def not_worse(self, margin: float = 0.0) -> bool:
        """At most ``margin`` worse, at the conservative end of the interval.

        With margin 0 only of equal models, whose interval is [0, 0]: to be surely not worse would be to be superior.
        """
        return self.interval[0] >= -margin and (margin > 0 or self.interval == (0, 0))

    def standing(self, margin: float = 0.0) -> Standing:
        """What may be said of the challenger, given how much worse it may be, in units of the metric.

        ``superior``: the interval lies above 0. ``non-inferior``: it lies above ``-margin``, or is [0, 0], as that of
        a model compared with itself. ``inferior``: it lies below ``-margin``. Otherwise ``undecided``.
        """
        if self.superior:
            return "superior"
        if self.not_worse(margin):
            return "non-inferior"
        return "inferior" if self.interval[1] < -margin else "undecided"

    def rows_needed(self, margin: float = 0.0, power: float = 0.8) -> int | None:
        """Rows, these included, at which a true difference as large as this one is decided with probability ``power``.

        n = rows · ((z_confidence + z_power) · standard error / distance)², by the normal approximation with a standard
        error that falls with the root of n (Lachin 1981, "Introduction to sample size determination and power analysis
        for clinical trials", Controlled Clinical Trials 2). The distance is that of the difference from ``-margin``,
        which its interval must clear: above it the challenger is non-inferior, below it inferior; with margin 0 the
        limit is 0, and above it the challenger is superior. None where the standing is decided, or the difference lies
        on its limit, which no number of rows settles; else more than these rows, which did not decide it.
        With groups, the new rows must come in groups of the same size.
        """
        from scipy.stats import norm

        distance = abs(self.difference + margin)
        if self.standing(margin) != "undecided" or not self.standard_error or distance == 0:
            return None
        errors = (quantile(self.confidence) + float(norm.ppf(power))) * self.standard_error / distance
        return max(math.ceil(self.rows * errors**2), self.rows + 1)

    def rows_missing(self, margin: float = 0.0, power: float = 0.8) -> int | None:
        """Labelled rows still wanted: 0 where the standing is decided, None where no number would decide it."""
        if self.standing(margin) != "undecided":
            return 0
        needed = self.rows_needed(margin, power)
        return None if needed is None else max(0, needed - self.rows)
