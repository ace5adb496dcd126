"""Gaps: what the rows of one slice cost beyond all other rows, and whether that may be chance."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mlops_assets.metrics.intervals import Interval


@dataclass(frozen=True, eq=False)
class Slice:
    """Rows that a rule names."""

    rule: str
    inside: np.ndarray
    """Shape (n,): a mask of the rows it was found among."""
    origin: Literal["declared", "discovered"] = "declared"


@dataclass(frozen=True)
class Gap:
    """What a slice's rows cost beyond the others; positive is worse."""

    rule: str
    origin: str
    rows: int
    loss: float
    rest: float
    interval: Interval
    """Of ``loss - rest``, simultaneous over all slices."""
    p: float
    """One-sided, before correction."""
    adjusted: float = 1.0
    """After Holm's correction."""

    @property
    def gap(self) -> float:
        return self.loss - self.rest


def measure_gap(compared: Slice, losses: np.ndarray, units: np.ndarray | None = None, level: float = 0.95) -> Gap:
    """Mean loss inside and outside a slice, with interval and one-sided p-value of "worse than the rest".

    Independent 0/1 losses: Fisher's exact test, and Newcombe's (1998) interval from Wilson's. Otherwise Student's t
    with an error linearised over the groups, of the unequal or the pooled spread, whichever is larger: each alone is
    too bold on skewed losses, one where the slice is small and one where the rest is. (A bootstrap's percentiles at
    the simultaneous level would need tens of thousands of resamples.)
    """

    inside = compared.inside
    loss, rest = float(losses[inside].mean()), float(losses[~inside].mean())
    exact = units is None and bool(np.isin(losses, (0, 1)).all())
    p, interval = (_exact if exact else _linearised)(losses, inside, units, level)
    interval = (min(interval[0], loss - rest), max(interval[1], loss - rest))
    return Gap(compared.rule, compared.origin, int(inside.sum()), loss, rest, interval, p)


def _exact(losses: np.ndarray, inside: np.ndarray, units: object, level: float) -> tuple[float, Interval]:
    from scipy.stats import binomtest, hypergeom

    errors = [int(losses[side].sum()) for side in (inside, ~inside)]
    sizes = [int(side.sum()) for side in (inside, ~inside)]
    p = float(hypergeom.sf(errors[0] - 1, sum(sizes), sum(errors), sizes[0]))
    ends = [binomtest(k, n).proportion_ci(level, method="wilson") for k, n in zip(errors, sizes, strict=True)]
    ours, theirs = (k / n for k, n in zip(errors, sizes, strict=True))
    below = math.hypot(ours - ends[0].low, ends[1].high - theirs)
    above = math.hypot(ends[0].high - ours, theirs - ends[1].low)
    return p, (ours - theirs - below, ours - theirs + above)


def _linearised(
    losses: np.ndarray, inside: np.ndarray, units: np.ndarray | None, level: float
) -> tuple[float, Interval]:
    from scipy.stats import t

    codes = np.arange(len(losses)) if units is None else units
    sizes = [int(inside.sum()), int((~inside).sum())]
    weights = np.where(inside, 1 / sizes[0], -1 / sizes[1])
    own = np.where(inside, losses[inside].mean(), losses[~inside].mean())
    gap = float((weights * losses).sum())
    freedom = min(len(np.unique(codes[side])) for side in (inside, ~inside)) - 1
    apart = _error_of_sum(weights * (losses - own), codes)
    pooled = max(_error_of_sum(losses - losses.mean(), codes) / len(losses) ** 0.5, float(losses.std(ddof=1)))
    error = max(apart, pooled * math.sqrt(1 / sizes[0] + 1 / sizes[1]))
    p = float(t.sf(gap / error, freedom)) if error > 0 else 1.0
    reach = error * float(t.ppf((1 + level) / 2, freedom))
    return p, (gap - reach, gap + reach)


def _error_of_sum(terms: np.ndarray, codes: np.ndarray) -> float:
    """Standard error of the sum of ``terms``, whose sums by unit are independent."""

    sums = np.bincount(codes, terms)
    total = len(np.unique(codes))
    return float(np.sqrt((sums**2).sum() * total / (total - 1)))


def ranked(gaps: list[Gap]) -> list[Gap]:
    """Gaps with Holm's (1979) step-down p-values, the largest gap first."""
    adjusted, running = [], 0.0
    for index, gap in enumerate(sorted(gaps, key=lambda gap: gap.p)):
        running = max(running, min(1.0, gap.p * (len(gaps) - index)))
        adjusted.append(replace(gap, adjusted=running))
    return sorted(adjusted, key=lambda gap: (-gap.gap, gap.rule))
