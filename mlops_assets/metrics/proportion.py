"""Proportion: a share of rows with its interval, also where rows come in clusters."""

import numpy as np

from mlops_assets.metrics.intervals import Interval


def clopper_pearson(share: float, trials: float, confidence: float = 0.95) -> Interval:
    """The exact interval of a share (Clopper & Pearson 1934): either end errs in (1 - confidence) / 2 at most.

    ``trials`` may be an effective number.

    Example:
        >>> [round(end, 3) for end in clopper_pearson(0.95, 100)]
        [0.887, 0.984]
        >>> [round(end, 3) for end in clopper_pearson(0.0, 100)]
        [0.0, 0.036]
    """
    from scipy.stats import beta

    tail, hits = (1 - confidence) / 2, share * trials
    low = 0.0 if share <= 0 else float(beta.ppf(tail, hits, trials - hits + 1))
    high = 1.0 if share >= 1 else float(beta.isf(tail, hits + 1, trials - hits))
    return min(low, share), max(high, share)


def fewer_trials(trials: float, units: int, confidence: float = 0.95) -> float:
    """``trials`` that were estimated from ``units`` clusters, less what their number leaves uncertain.

    Korn & Graubard (1998), "Confidence intervals for proportions with small expected number of positive counts
    estimated from survey data", Survey Methodology 24: times the square of the normal over Student's quantile.
    """
    from scipy.stats import norm, t

    tail = (1 - confidence) / 2
    return trials * float(norm.isf(tail) / t.isf(tail, units - 1)) ** 2


def effective_trials(hits: np.ndarray, clusters: np.ndarray | None = None) -> float:
    """How many independent trials say as much about the share of ``hits`` as these, which come in ``clusters``.

    Their number over the design effect (Korn & Graubard 1998); never more than there are. Where all hits agree there
    is no effect to see, and each cluster counts once. ``clusters`` are numbered from 0.
    """
    if clusters is None:
        return float(len(hits))
    share, number = float(np.mean(hits)), len(np.unique(clusters))
    if share in (0.0, 1.0) or number < 2:
        return float(number)
    sums = np.bincount(clusters, weights=hits - share)
    variance = float((sums**2).sum()) * number / (number - 1) / len(hits) ** 2
    independent = share * (1 - share) / len(hits)
    return len(hits) if variance <= independent else len(hits) * independent / variance


def share_interval(hits: np.ndarray, clusters: np.ndarray | None = None, confidence: float = 0.95) -> Interval:
    """Clopper and Pearson's interval of the share of ``hits``, shape (n,).

    Korn and Graubard's where they come in ``clusters``, numbered by row: rows that do not stand alone.

    Example:
        >>> import numpy as np
        >>> right = np.repeat([True, False], [90, 10])
        >>> [round(end, 3) for end in share_interval(right)]
        [0.824, 0.951]
        >>> [round(end, 3) for end in share_interval(right, np.arange(100) // 10)]
        [0.457, 0.999]
    """
    share = float(np.mean(hits))
    if clusters is None:
        return clopper_pearson(share, len(hits), confidence)
    units = np.unique(clusters, return_inverse=True)[1]
    trials, count = effective_trials(hits, units), int(units.max()) + 1
    # Where all agree, each cluster counts once, and no design effect is estimated that could be wrong.
    estimated = 0 < share < 1 and count > 1
    return clopper_pearson(share, fewer_trials(trials, count, confidence) if estimated else trials, confidence)


def bounded_interval(
    replicates: np.ndarray, value: float, units: int, confidence: float = 0.95, least: float = 0.0
) -> Interval:
    """The interval of a metric between ``least`` and 1 from its resamples, shape (b,), of ``units`` rows or groups.

    The metric is read as a share of as many trials as give it the variance of its resamples, and gets Clopper and
    Pearson's interval: its ends lie within the bounds, and lean towards the middle where few rows speak, which
    percentiles do not. ``value`` and the resamples' spread must lie between the bounds.

    Example:
        >>> import numpy as np
        >>> drawn = np.random.default_rng(0).binomial(100, 0.9, 2000) / 100
        >>> [round(end, 2) for end in bounded_interval(drawn, 0.9, 100)]
        [0.82, 0.95]
    """
    width = 1 - least
    share = (value - least) / width
    defined = replicates[np.isfinite(replicates)]
    variance = float(defined.var(ddof=1)) * units / (units - 1) / width**2
    trials = fewer_trials(share * (1 - share) / variance, units, confidence)
    low, high = clopper_pearson(share, trials, confidence)
    return least + width * low, least + width * high
