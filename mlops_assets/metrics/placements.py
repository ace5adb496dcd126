"""Placements: where each score lies among those of the other class, from which areas and their variances follow."""

from dataclasses import dataclass

import numpy as np

from mlops_assets.errors import NotEvaluated


@dataclass(frozen=True, eq=False)
class Placements:
    """Where each row's score lies among those of the other class, in half rows: whole numbers, so nothing is rounded.

    Their means are areas and their variances those of areas; the placements of two models subtract row by row.
    """

    positives: np.ndarray
    """Shape (m,): twice the negatives below this positive, a tie counting once; or a difference of such."""
    negatives: np.ndarray
    """Shape (n,): twice the positives above this negative, a tie counting once; or a difference of such."""

    def __sub__(self, other: "Placements") -> "Placements":
        return Placements(self.positives - other.positives, self.negatives - other.negatives)

    @property
    def area(self) -> float:
        """Area under the curve (Mann-Whitney's U / mn), or the difference of two."""
        return float(self.positives.sum() / (2 * len(self.positives) * len(self.negatives)))

    @property
    def variances(self) -> tuple[float, float]:
        """What positives and negatives add to ``variance``. Needs two rows of each class."""
        m, n = len(self.positives), len(self.negatives)
        return (
            float(self.positives.var(ddof=1) / (m * (2 * n) ** 2)),
            float(self.negatives.var(ddof=1) / (n * (2 * m) ** 2)),
        )

    @property
    def variance(self) -> float:
        """DeLong's estimate for ``area``; exactly 0 where all placements are equal."""
        return sum(self.variances)

    @property
    def constant(self) -> bool:
        """No row differs from the others of its class, so that the variance says nothing."""
        return bool((self.positives == self.positives[0]).all() and (self.negatives == self.negatives[0]).all())


def place(scores: np.ndarray, is_positive: np.ndarray) -> Placements:
    """Placements of rows whose scores, shape (n,), should be high where ``is_positive``, in O(n log n).

    The midranks of Sun & Xu (2014): a row's midrank among all less its midrank in its own class.

    Raises:
        NotEvaluated: if a class has fewer than two rows, which have no variance.
    """

    positives, negatives = scores[is_positive], scores[~is_positive]
    if min(len(positives), len(negatives)) < 2:
        raise NotEvaluated(
            f"DeLong: {len(positives)} positive and {len(negatives)} negative rows, two of each are needed"
        )
    below, above = np.sort(negatives), np.sort(positives)
    ahead = np.searchsorted(below, positives, "left") + np.searchsorted(below, positives, "right")
    behind = np.searchsorted(above, negatives, "left") + np.searchsorted(above, negatives, "right")
    return Placements(ahead, 2 * len(positives) - behind)
