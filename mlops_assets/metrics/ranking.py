"""Ranking metrics: area under the ROC curve and average precision, and the curves themselves."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlops_assets.metrics.blocks import Blocks
from mlops_assets.metrics.bootstrap import Statistic
from mlops_assets.metrics.catalogue import METRICS
from mlops_assets.metrics.outcomes import Outcomes

BINS = 4096
"""Bins of the score that hold equally many positives, and as many again of negatives, where blocks are drawn."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """One class against the rest, sorted by falling score once; every resample reuses the order.

    Ties cost nothing later: where a positive's tied block of negatives begins and ends is fixed by the scores.
    """

    positives: np.ndarray
    """Shape (p,): rows of the class, best score first."""
    negatives: np.ndarray
    """Shape (m,): the other rows, best score first."""
    above: np.ndarray
    """Shape (p,): negatives with a higher score than this positive."""
    level: np.ndarray
    """Shape (p,): negatives with a score as high or higher."""
    last: np.ndarray
    """Shape (p,): position of the last positive with the same score."""

    def measure(self, weights: np.ndarray, names: Iterable[str]) -> dict[str, np.ndarray]:
        """The metrics of weighted rows, shape (b, n) -> (b,); NaN where a side has no weight."""
        counts = self.count(weights)
        return {name: METRICS[name].formula(counts) for name in names}

    def count(self, weights: np.ndarray) -> "RankingCounts":
        """Integer weights stay integers until the last division, so that resamples are counted exactly."""
        alarms = np.zeros((len(weights), len(self.negatives) + 1), dtype=weights.dtype)
        np.cumsum(weights.take(self.negatives, axis=1), axis=1, out=alarms[:, 1:])
        return RankingCounts(self, weights.take(self.positives, axis=1), alarms)


@dataclass(frozen=True, eq=False)
class RankingCounts:
    """What the ranking metrics of ``b`` resamples are formulas of."""

    ranking: Ranking
    hits: np.ndarray
    """Shape (b, p): weight of each positive, best score first."""
    alarms: np.ndarray
    """Shape (b, m + 1): weight of the first 0, 1, ... m negatives."""

    @cached_property
    def level(self) -> np.ndarray:
        """Shape (b, p): weight of the negatives with a score as high as this positive's or higher."""
        return self.alarms.take(self.ranking.level, axis=1)

    @cached_property
    def above(self) -> np.ndarray:
        """Shape (b, p): weight of the negatives with a higher score than this positive's."""
        tied = self.ranking.above is not self.ranking.level
        return self.alarms.take(self.ranking.above, axis=1) if tied else self.level

    @property
    def negatives(self) -> np.ndarray:
        """Shape (b,): weight of all negatives."""
        return self.alarms[:, -1]


def roc_auc(counts: RankingCounts) -> np.ndarray:
    """1 - P(a negative ranks above a positive), a tie counting half: Mann-Whitney's U."""
    beaten = np.einsum("ij,ij->i", counts.hits, counts.above) + np.einsum("ij,ij->i", counts.hits, counts.level)
    return 1 - _divide(beaten, 2 * counts.hits.sum(axis=1) * counts.negatives)


def average_precision(counts: RankingCounts) -> np.ndarray:
    """Precision at each positive, averaged; positives of one score are recalled together, as at one threshold."""
    recalled = np.cumsum(counts.hits, axis=1).take(counts.ranking.last, axis=1)
    precision = recalled / np.maximum(recalled + counts.level, np.finfo(np.float64).tiny)
    average = _divide(np.einsum("ij,ij->i", counts.hits, precision), counts.hits.sum(axis=1))
    return np.where(counts.negatives > 0, average, np.nan)


def rank(scores: np.ndarray, is_positive: np.ndarray) -> Ranking:
    """Sort rows once for any number of resamples."""
    order = np.argsort(-scores, kind="stable")
    positives, negatives = order[is_positive[order]], order[~is_positive[order]]
    falling, rising_negatives = scores[positives], scores[negatives][::-1]
    above = len(negatives) - np.searchsorted(rising_negatives, falling, side="right")
    level = len(negatives) - np.searchsorted(rising_negatives, falling, side="left")
    last = len(positives) - 1 - np.searchsorted(falling[::-1], falling, side="left")
    return Ranking(positives, negatives, level if np.array_equal(above, level) else above, level, last)


def ranking_statistic(outcomes: Outcomes, names: Iterable[str], blocks: Blocks | None = None) -> Statistic:
    """Ranking metrics as a function of row weights: of the positive class of two, else the mean over classes.

    With ``blocks``, as a function of block weights.
    """

    names = tuple(names)
    sides = [(_scores(outcomes)[:, index], outcomes.truth == index) for index in ranked_classes(outcomes)]
    measures = [_by_row(*side, names) if blocks is None else _by_block(*side, names, blocks) for side in sides]

    def statistic(weights: np.ndarray) -> dict[str, np.ndarray]:
        per_class = [measure(weights) for measure in measures]
        return {name: np.mean([measured[name] for measured in per_class], axis=0) for name in names}

    return statistic


def _by_row(scores: np.ndarray, is_positive: np.ndarray, names: tuple[str, ...]) -> Statistic:
    ranking = rank(scores, is_positive)
    return lambda weights: ranking.measure(weights, names)


def _by_block(scores: np.ndarray, is_positive: np.ndarray, names: tuple[str, ...], blocks: Blocks) -> Statistic:
    """Metrics of scores in bins, plus what the bins make of the metric of all rows: bias goes, spread stays.

    The least positive score begins a bin, so that classes which scores keep apart stay apart.
    """

    fine = rank(scores, is_positive)
    edges = np.unique(np.concatenate([_spaced(scores[fine.positives]), _spaced(scores[fine.negatives])]))
    bins = np.searchsorted(edges, scores, side="right") - 1
    count = blocks.cell_counter(bins + len(edges) * is_positive, 2 * len(edges))
    coarse = rank(np.tile(np.arange(len(edges)), 2), np.repeat([False, True], len(edges)))
    exact = fine.measure(np.ones((1, len(scores)), dtype=np.int64), names)
    rough = coarse.measure(count(np.ones((1, blocks.count))), names)

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        measured = coarse.measure(count(weights), names)
        return {name: np.clip(binned + exact[name] - rough[name], 0, 1) for name, binned in measured.items()}

    return measure


def _spaced(falling: np.ndarray) -> np.ndarray:
    """At most ``BINS`` of the sorted values, equally many apart, with the first and the last."""

    return falling[np.linspace(0, len(falling) - 1, min(len(falling), BINS)).astype(np.int64)]


def ranked_classes(outcomes: Outcomes) -> list[int]:
    """The positive class of two, otherwise every class against the rest."""
    return list(range(len(outcomes.classes))) if outcomes.positive is None else [outcomes.positive]


def roc_points(outcomes: Outcomes, index: int) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rate of one class at every threshold, from (0, 0) to (1, 1)."""
    hits, alarms = _cumulated(outcomes, index)
    return alarms / alarms[-1], hits / hits[-1]


def precision_recall_points(outcomes: Outcomes, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Recall and precision of one class at every threshold, recall rising."""
    hits, alarms = _cumulated(outcomes, index)
    return hits[1:] / hits[-1], hits[1:] / (hits[1:] + alarms[1:])


def _cumulated(outcomes: Outcomes, index: int) -> tuple[np.ndarray, np.ndarray]:

    scores = _scores(outcomes)[:, index]
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    positive = (outcomes.truth == index)[order]
    return np.append(0, np.cumsum(positive)[ends]), np.append(0, np.cumsum(~positive)[ends])


def _scores(outcomes: Outcomes) -> np.ndarray:
    assert outcomes.probabilities is not None, "ranking needs probabilities"
    return outcomes.probabilities


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:

    return np.divide(numerator, denominator, out=np.full(len(numerator), np.nan), where=denominator > 0)
