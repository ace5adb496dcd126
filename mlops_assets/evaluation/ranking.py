"""Ranking metrics: area under the ROC curve and average precision, and the curves themselves."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_assets.evaluation.outcomes import Outcomes

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, eq=False)
class Ranking:
    """One class against the rest, sorted by falling score once; every resample reuses the order.

    Ties cost nothing later: where a positive's tied block of negatives begins and ends is fixed by the scores.
    """

    positives: "np.ndarray"
    """Shape (p,): rows of the class, best score first."""
    negatives: "np.ndarray"
    """Shape (m,): the other rows, best score first."""
    above: "np.ndarray"
    """Shape (p,): negatives with a higher score than this positive."""
    level: "np.ndarray"
    """Shape (p,): negatives with a score as high or higher."""
    last: "np.ndarray"
    """Shape (p,): position of the last positive with the same score."""

    def measure(self, weights: "np.ndarray", names: Iterable[str]) -> dict[str, "np.ndarray"]:
        """The metrics of weighted rows, shape (b, n) -> (b,); NaN where a side has no weight.

        Integer weights stay integers until the last division, so that resamples are counted exactly.
        """
        import numpy as np

        hits = weights.take(self.positives, axis=1)
        alarms = np.zeros((len(weights), len(self.negatives) + 1), dtype=weights.dtype)
        np.cumsum(weights.take(self.negatives, axis=1), axis=1, out=alarms[:, 1:])
        level = alarms.take(self.level, axis=1)
        measured = {}
        if "roc_auc" in names:
            above = level if self.above is self.level else alarms.take(self.above, axis=1)
            measured["roc_auc"] = _area(hits, above, level, alarms[:, -1])
        if "average_precision" in names:
            measured["average_precision"] = self._average_precision(hits, level, alarms[:, -1])
        return measured

    def _average_precision(self, hits: "np.ndarray", level: "np.ndarray", negatives: "np.ndarray") -> "np.ndarray":
        import numpy as np

        found = np.cumsum(hits, axis=1).take(self.last, axis=1)
        precision = found / np.maximum(found + level, np.finfo(np.float64).tiny)
        average = _divide(np.einsum("ij,ij->i", hits, precision), hits.sum(axis=1))
        return np.where(negatives > 0, average, np.nan)


def rank(scores: "np.ndarray", is_positive: "np.ndarray") -> Ranking:
    """Sort rows once for any number of resamples."""
    import numpy as np

    order = np.argsort(-scores, kind="stable")
    positives, negatives = order[is_positive[order]], order[~is_positive[order]]
    falling, rising_negatives = scores[positives], scores[negatives][::-1]
    above = len(negatives) - np.searchsorted(rising_negatives, falling, side="right")
    level = len(negatives) - np.searchsorted(rising_negatives, falling, side="left")
    last = len(positives) - 1 - np.searchsorted(falling[::-1], falling, side="left")
    return Ranking(positives, negatives, level if np.array_equal(above, level) else above, level, last)


def ranking_statistic(outcomes: Outcomes, names: Iterable[str]) -> "Callable[[np.ndarray], dict[str, np.ndarray]]":
    """Ranking metrics as a function of row weights: of the positive class of two, else the mean over classes."""
    import numpy as np

    names = tuple(names)
    rankings = [rank(_scores(outcomes)[:, index], outcomes.truth == index) for index in ranked_classes(outcomes)]

    def statistic(weights: "np.ndarray") -> dict[str, "np.ndarray"]:
        per_class = [ranking.measure(weights, names) for ranking in rankings]
        return {name: np.mean([measured[name] for measured in per_class], axis=0) for name in names}

    return statistic


def ranked_classes(outcomes: Outcomes) -> list[int]:
    """The positive class of two, otherwise every class against the rest."""
    return list(range(len(outcomes.classes))) if outcomes.positive is None else [outcomes.positive]


def roc_points(outcomes: Outcomes, index: int) -> tuple["np.ndarray", "np.ndarray"]:
    """False and true positive rate of one class at every threshold, from (0, 0) to (1, 1)."""
    hits, alarms = _cumulated(outcomes, index)
    return alarms / alarms[-1], hits / hits[-1]


def precision_recall_points(outcomes: Outcomes, index: int) -> tuple["np.ndarray", "np.ndarray"]:
    """Recall and precision of one class at every threshold, recall rising."""
    hits, alarms = _cumulated(outcomes, index)
    return hits[1:] / hits[-1], hits[1:] / (hits[1:] + alarms[1:])


def _cumulated(outcomes: Outcomes, index: int) -> tuple["np.ndarray", "np.ndarray"]:
    import numpy as np

    scores = _scores(outcomes)[:, index]
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    positive = (outcomes.truth == index)[order]
    return np.append(0, np.cumsum(positive)[ends]), np.append(0, np.cumsum(~positive)[ends])


def _scores(outcomes: Outcomes) -> "np.ndarray":
    assert outcomes.probabilities is not None, "ranking needs probabilities"
    return outcomes.probabilities


def _area(hits: "np.ndarray", above: "np.ndarray", level: "np.ndarray", negatives: "np.ndarray") -> "np.ndarray":
    """1 - P(a negative ranks above a positive), a tie counting half: Mann-Whitney's U."""
    import numpy as np

    beaten = np.einsum("ij,ij->i", hits, above) + np.einsum("ij,ij->i", hits, level)
    return 1 - _divide(beaten, 2 * hits.sum(axis=1) * negatives)


def _divide(numerator: "np.ndarray", denominator: "np.ndarray") -> "np.ndarray":
    import numpy as np

    return np.divide(numerator, denominator, out=np.full(len(numerator), np.nan), where=denominator > 0)
