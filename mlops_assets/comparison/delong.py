"""DeLong: the difference of two correlated areas under the ROC curve, and the variance of one."""

import math
from dataclasses import dataclass

import numpy as np

from mlops_assets.comparison.difference import Difference, quantile, two_sided
from mlops_assets.errors import NotEvaluated
from mlops_assets.metrics.outcomes import Outcomes

NAME = "DeLong"


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
    def variance(self) -> float:
        """DeLong's estimate for ``area``; exactly 0 where all placements are equal. Needs two rows of each class."""
        m, n = len(self.positives), len(self.negatives)
        return float(self.positives.var(ddof=1) / (m * (2 * n) ** 2) + self.negatives.var(ddof=1) / (n * (2 * m) ** 2))

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
            f"{NAME}: {len(positives)} positive and {len(negatives)} negative rows, two of each are needed"
        )
    below, above = np.sort(negatives), np.sort(positives)
    ahead = np.searchsorted(below, positives, "left") + np.searchsorted(below, positives, "right")
    behind = np.searchsorted(above, negatives, "left") + np.searchsorted(above, negatives, "right")
    return Placements(ahead, 2 * len(positives) - behind)


def delong(
    challenger: np.ndarray, champion: np.ndarray, is_positive: np.ndarray, confidence: float = 0.95
) -> Difference:
    """Area of ``challenger`` less that of ``champion``, both scores of the same rows, shape (n,) each.

    DeLong, DeLong & Clarke-Pearson (1988) as computed by Sun & Xu (2014), "Fast implementation of DeLong's algorithm",
    IEEE Signal Processing Letters 21(11). Equal curves give Z = 0 and p = 1.

    Raises:
        NotEvaluated: if a class has fewer than two rows.

    Example:
        >>> import numpy as np
        >>> is_positive = np.array([True, True, True, True, False, False, False, False])
        >>> challenger = np.array([0.9, 0.8, 0.7, 0.4, 0.6, 0.3, 0.2, 0.1])
        >>> champion = np.array([0.9, 0.5, 0.3, 0.2, 0.8, 0.6, 0.4, 0.1])
        >>> difference = delong(challenger, champion, is_positive)
        >>> difference.value, round(difference.p_value, 3)
        (0.4375, 0.049)
    """
    paired = place(challenger, is_positive) - place(champion, is_positive)
    if paired.constant:
        return _without_spread(paired, confidence)
    error = math.sqrt(paired.variance)
    z, half = paired.area / error, quantile(confidence) * error
    interval = max(paired.area - half, -1.0), min(paired.area + half, 1.0)
    return Difference(paired.area, interval, NAME, z, two_sided(z), error)


def delong_of_outcomes(challenger: Outcomes, champion: Outcomes, confidence: float = 0.95) -> Difference:
    """``delong`` of the positive class's probabilities; both must have two classes and probabilities."""
    index, ours, theirs = challenger.positive, challenger.probabilities, champion.probabilities
    assert index is not None, "the area is of two classes"
    assert ours is not None, "the area is of probabilities"
    assert theirs is not None, "the area is of probabilities"
    return delong(ours[:, index], theirs[:, index], challenger.truth == index, confidence)


def _without_spread(paired: Placements, confidence: float) -> Difference:
    """Equal curves; or one that wins by as much on every row, as a perfect ranking against a constant score does.

    In the second case a sign test stands in: each row of the smaller class is one vote, and the interval's inner end
    is the area's difference where the share of such votes is at Clopper and Pearson's bound.
    """
    value, votes = paired.area, min(len(paired.positives), len(paired.negatives))
    if value == 0:
        return Difference(0.0, (0.0, 0.0), NAME, 0.0, 1.0, 0.0)
    share = ((1 - confidence) / 2) ** (1 / votes)
    inner = value * max(2 * share - 1, 0.0)
    note = f"the same on every row, so a sign test of {votes} rows stands in for the variance"
    return Difference(value, (min(inner, value), max(inner, value)), NAME, None, 2.0 ** (1 - votes), 0.0, note)
