"""Chance: how often answers that belong to other rows score as well as a model's own (a permutation test)."""

from dataclasses import replace

import numpy as np

from mlops_assets.metrics.bootstrap import group_codes
from mlops_assets.metrics.catalogue import METRICS
from mlops_assets.metrics.outcomes import Column, Outcomes
from mlops_assets.metrics.scoring import values

BETTER_AT_MOST = 4
"""Shuffles that may be as good, at the level that is asked about: more shuffles would decide no more sharply."""
MOST_ROWS = 20_000
"""Of more rows, so many are drawn at random; of classes, as many rows of each as it has, up to an equal share."""
ROUNDING = 1e-12


def chance(metric: str, outcomes: Outcomes, groups: Column | None = None, level: float = 0.025, seed: int = 0) -> float:
    """Share of shuffles of the rows' truth, the one that is there among them, in which ``metric`` is no worse.

    Answers that depend on no row come to ``level`` or less in that share of cases (Phipson and Smyth 2010,
    "Permutation p-values should never be zero"). Rows of one group change places with those of another as a whole,
    which is exact for groups of one size. It is 1 where the rows that are drawn give the metric no value.

    Example:
        >>> import numpy as np
        >>> from mlops_assets.metrics.outcomes import Predictions, read_outcomes
        >>> truth = np.tile([0, 1], 50)
        >>> flips = np.random.default_rng(1).integers(0, 2, 100)
        >>> answers = (read_outcomes("classification", truth, Predictions(each)) for each in (truth, flips))
        >>> [chance("f1_macro", each) <= 0.025 for each in answers]
        [True, False]
    """
    rng = np.random.default_rng(seed)
    codes = np.arange(len(outcomes)) if groups is None else group_codes(groups)
    assert codes is not None
    kept = _by_score(outcomes, _drawn(outcomes, codes, rng, grouped=groups is not None))
    rows, codes = outcomes.take(kept), codes[kept]
    seen = _score(metric, rows)
    if not np.isfinite(seen):
        return 1.0
    worse = seen - ROUNDING * max(1, abs(seen))
    shuffles = round((1 + BETTER_AT_MOST) / level) - 1
    shuffled = (replace(rows, truth=rows.truth[_exchanged(codes, rng)]) for _ in range(shuffles))
    return (1 + sum(_score(metric, each) >= worse for each in shuffled)) / (1 + shuffles)


def _score(metric: str, rows: Outcomes) -> float:
    """The metric, more being better; what is undefined counts as no worse than anything."""
    value = values([metric], rows)[metric]
    sign = 1 if METRICS[metric].greater_is_better else -1
    return np.inf if value is None else sign * value


def _drawn(outcomes: Outcomes, codes: np.ndarray, rng: np.random.Generator, grouped: bool) -> np.ndarray:
    """All rows, or of too many a choice that looks at no answer: by class, or groups until there are enough."""
    if len(codes) <= MOST_ROWS:
        return np.arange(len(codes))
    if outcomes.task == "classification" and not grouped:
        return _of_each_class(outcomes.truth, rng)
    sizes = np.bincount(codes)
    groups = rng.permutation(len(sizes))
    enough = np.searchsorted(np.cumsum(sizes[groups]), MOST_ROWS) + 1
    return np.flatnonzero(np.isin(codes, groups[:enough]))


def _of_each_class(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Drawn from all rows alike, a rare class would be missing."""
    shuffled = rng.permutation(len(truth))
    by_class = [shuffled[truth[shuffled] == label] for label in np.unique(truth)]
    return np.sort(np.concatenate([rows[: MOST_ROWS // len(by_class)] for rows in by_class]))


def _by_score(outcomes: Outcomes, rows: np.ndarray) -> np.ndarray:
    """The same rows, best score first: sorting them again for each shuffle then costs next to nothing."""
    if outcomes.probabilities is None or outcomes.positive is None:
        return rows
    return rows[np.argsort(-outcomes.probabilities[rows, outcomes.positive], kind="stable")]


def _exchanged(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """For every row the row whose truth it is given: groups laid out anew, one after the other."""
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=codes[order][0] - 1))
    if len(starts) == len(codes):
        return rng.permutation(len(codes))
    members = np.split(order, starts[1:])
    given = np.empty(len(codes), dtype=np.intp)
    given[order] = np.concatenate([members[group] for group in rng.permutation(len(members))])
    return given
