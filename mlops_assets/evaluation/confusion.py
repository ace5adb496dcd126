"""Label metrics, from weighted counts of hits, true and predicted rows per class."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from mlops_assets.evaluation.blocks import Blocks
from mlops_assets.evaluation.outcomes import Outcomes
from mlops_assets.model.tally import Tally, label_metric

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
