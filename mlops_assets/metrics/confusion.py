"""Label metrics, from weighted counts of hits, true and predicted rows per class."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from mlops_assets.metrics.blocks import Blocks
from mlops_assets.metrics.outcomes import Outcomes

if TYPE_CHECKING:
    import numpy as np


def label_statistic(
    outcomes: Outcomes, names: Iterable[str], blocks: Blocks | None = None
) -> "Callable[[np.ndarray], dict[str, np.ndarray]]":
    """Label metrics as a function of row weights, shape (b, n) -> (b,) each; of block weights with ``blocks``."""
    names = tuple(names)
    tally = tally_of(outcomes) if blocks is None else _blocked_tally(outcomes, blocks)

    def statistic(weights: "np.ndarray") -> dict[str, "np.ndarray"]:
        counts = tally(weights)
        return {name: label_metric(name, counts, outcomes.positive) for name in names}

    return statistic


def tally_of(outcomes: Outcomes) -> "Callable[[np.ndarray], Tally]":
    """Counts per class as a function of row weights."""
    size = len(outcomes.classes)
    hits = _sums_by(outcomes.truth, size, outcomes.truth == outcomes.predicted)
    support, predicted = _sums_by(outcomes.truth, size), _sums_by(outcomes.predicted, size)
    return lambda weights: Tally(hits(weights), support(weights), predicted(weights))


def _blocked_tally(outcomes: Outcomes, blocks: Blocks) -> "Callable[[np.ndarray], Tally]":
    size = len(outcomes.classes)
    cells = blocks.tally(outcomes.truth * size + outcomes.predicted, size**2)

    def tally(weights: "np.ndarray") -> Tally:
        counts = cells(weights).reshape(len(weights), size, size)
        return Tally(counts.diagonal(axis1=1, axis2=2), counts.sum(axis=2), counts.sum(axis=1))

    return tally


def _sums_by(
    codes: "np.ndarray", size: int, counted: "np.ndarray | None" = None
) -> "Callable[[np.ndarray], np.ndarray]":
    """Sum weights (b, n) by code into (b, size); only of ``counted`` rows."""
    import numpy as np

    rows = np.arange(len(codes)) if counted is None else np.flatnonzero(counted)
    rows = rows[np.argsort(codes[rows], kind="stable")]
    found, starts = np.unique(codes[rows], return_index=True)

    def sums(weights: "np.ndarray") -> "np.ndarray":
        result = np.zeros((len(weights), size), dtype=weights.dtype)
        if len(rows):
            result[:, found] = np.add.reduceat(weights.take(rows, axis=1), starts, axis=1)
        return result

    return sums


BETAS = {"f1": 1.0, "f2": 2.0, "f0_5": 0.5}
"""F-measures of one class: how many times recall counts as much as precision (van Rijsbergen 1979)."""


@dataclass(frozen=True, eq=False)
class Tally:
    """Weighted counts of ``k`` classes in ``b`` resamples, or at ``b`` thresholds."""

    hits: "np.ndarray"
    """Shape (b, k): rows of the class that were predicted as it."""
    support: "np.ndarray"
    """Shape (b, k): rows of the class."""
    predicted: "np.ndarray"
    """Shape (b, k): rows predicted as the class."""

    @property
    def total(self) -> "np.ndarray":
        return self.support.sum(axis=1)

    @property
    def present(self) -> "np.ndarray":
        """Classes that scikit-learn would see: in truth or in prediction."""
        return self.support + self.predicted > 0

    @property
    def precision(self) -> "np.ndarray":
        return _ratio(self.hits, self.predicted)

    @property
    def recall(self) -> "np.ndarray":
        return _ratio(self.hits, self.support)

    @property
    def f1(self) -> "np.ndarray":
        return self.f_measure(1)

    def f_measure(self, beta: float, undefined: float = 0.0) -> "np.ndarray":
        """Weighted harmonic mean of precision and recall; ``undefined`` where there is no row to tell."""
        weight = beta**2
        return _ratio((1 + weight) * self.hits, weight * self.support + self.predicted, undefined)


def label_metric(name: str, tally: Tally, positive: int | None) -> "np.ndarray":
    """One label metric of every resample or threshold, shape (b,); NaN where it is undefined.

    ``positive`` is the position of the positive class. Definitions are scikit-learn's (a class that is never predicted
    has precision 0 within a macro mean); but where it answers 0 for want of rows (precision without a predicted
    positive, Matthews correlation of a single true class), the value is NaN.
    """
    import numpy as np

    if name in BETAS:
        return tally.f_measure(BETAS[name], np.nan)[:, positive]
    if name in ("precision", "recall"):
        rows = {"precision": tally.predicted, "recall": tally.support}[name]
        return np.where(rows[:, positive] > 0, getattr(tally, name)[:, positive], np.nan)
    if name == "balanced_accuracy":
        return _mean_where(tally.recall, tally.support > 0)
    if name.endswith("_macro"):
        return _mean_where(getattr(tally, name.removesuffix("_macro")), tally.present)
    if name == "f1_weighted":
        return _ratio((tally.f1 * tally.support).sum(axis=1), tally.total, np.nan)
    return {"accuracy": _accuracy, "matthews_corrcoef": _matthews}[name](tally)


def _accuracy(tally: Tally) -> "np.ndarray":
    import numpy as np

    return _ratio(tally.hits.sum(axis=1), tally.total, np.nan)


def _matthews(tally: Tally) -> "np.ndarray":
    """Gorodkin's correlation of k categories; 0, its limit, where one class is predicted throughout."""
    import numpy as np

    total = tally.total.astype(np.float64)
    support, predicted = tally.support.astype(np.float64), tally.predicted.astype(np.float64)
    covariance = tally.hits.sum(axis=1) * total - (support * predicted).sum(axis=1)
    spread_true = total**2 - (support**2).sum(axis=1)
    spread_predicted = total**2 - (predicted**2).sum(axis=1)
    value = _ratio(covariance, np.sqrt(spread_true * spread_predicted))
    return np.where(spread_true > 0, value, np.nan)


def _ratio(numerator: "np.ndarray", denominator: "np.ndarray", otherwise: float = 0.0) -> "np.ndarray":
    import numpy as np

    filled = np.full(np.broadcast(numerator, denominator).shape, otherwise)
    return np.divide(numerator, denominator, out=filled, where=denominator > 0)


def _mean_where(values: "np.ndarray", counted: "np.ndarray") -> "np.ndarray":
    import numpy as np

    return _ratio((values * counted).sum(axis=1), counted.sum(axis=1), np.nan)
