"""Difference: what a test of two models on the same rows found."""

import math
from dataclasses import dataclass

from mlops_assets.metrics.intervals import Interval


@dataclass(frozen=True)
class Difference:
    """Challenger less champion, in units of what was measured."""

    value: float
    interval: Interval
    """Two-sided, of the confidence asked for; always holds ``value``."""
    test: str
    """The method by name."""
    statistic: float | None
    """Signed like ``value``; None where the method has none or there is no spread to divide by."""
    p_value: float
    """Two-sided, of no difference."""
    standard_error: float
    note: str = ""
    """What to know of the method on these rows."""


def quantile(confidence: float) -> float:
    """Standard normal quantile of a two-sided interval: 1.96 for 0.95."""
    from scipy.stats import norm

    return float(norm.isf((1 - confidence) / 2))


def two_sided(z: float) -> float:
    """P(|Z| >= |z|) of a standard normal Z."""
    return math.erfc(abs(z) / math.sqrt(2))
