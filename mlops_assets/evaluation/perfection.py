"""Perfection: how far a score without a single error may be trusted, where resampling shows no spread."""

from typing import TYPE_CHECKING

from mlops_assets.evaluation.outcomes import Outcomes

if TYPE_CHECKING:
    import numpy as np

BY_ROW = frozenset({"accuracy", "f1_weighted"})
BY_POSITIVE = frozenset({"precision", "recall", "f1", "f2", "f0_5"})


def perfect_lower_end(name: str, outcomes: Outcomes, units: "np.ndarray", confidence: float) -> float:
    """Smallest value of a metric at which no error in these rows would still be likelier than (1 - confidence) / 2.

    Clopper and Pearson's exact bound for one proportion (the "rule of three"); for metrics in which classes count
    alike its worst case over the classes' error rates. ``units`` numbers what is independent: rows, or groups.
    """
    import numpy as np

    tail = (1 - confidence) / 2
    if name in BY_ROW:
        return tail ** (1 / len(np.unique(units)))
    sizes = np.array([len(np.unique(units[outcomes.truth == index])) for index in np.unique(outcomes.truth)])
    if name in BY_POSITIVE:
        return tail ** (1 / len(np.unique(units[outcomes.truth == outcomes.positive])))
    if name in ("roc_auc", "average_precision") and outcomes.positive is not None:
        return tail ** (1 / int(sizes.min()))
    mean = _least_mean_recall(sizes, tail)
    return 2 * mean - 1 if name == "matthews_corrcoef" else mean


def _least_mean_recall(sizes: "np.ndarray", tail: float) -> float:
    """Least mean of recalls r with prod(r ** sizes) >= tail: r is proportional to the size, and 1 for large classes."""
    import numpy as np

    ordered = np.sort(sizes).astype(float)
    recalls = np.ones(len(ordered))
    for open_classes in range(1, len(ordered) + 1):
        small = ordered[:open_classes]
        scale = np.exp((np.log(tail) - (small * np.log(small)).sum()) / small.sum())
        recalls[:open_classes] = scale * small
        if open_classes == len(ordered) or scale * ordered[open_classes] >= 1:
            break
    return float(recalls.mean())
