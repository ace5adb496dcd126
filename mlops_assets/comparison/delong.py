"""DeLong: the difference of two correlated areas under the ROC curve, and the variance of one."""

import math

import numpy as np

from mlops_assets.comparison.difference import Difference, quantile, two_sided
from mlops_assets.comparison.few_positives import PairOfAreas
from mlops_assets.metrics.outcomes import Outcomes
from mlops_assets.metrics.placements import Placements, place

NAME = "DeLong"


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
    """``delong`` of the positive class's probabilities; both must have two classes and probabilities.

    With few rows of a class the interval is as wide as the score interval at least (``few_positives``).
    """
    index, ours, theirs = challenger.positive, challenger.probabilities, champion.probabilities
    assert index is not None, "the area is of two classes"
    assert ours is not None, "the area is of probabilities"
    assert theirs is not None, "the area is of probabilities"
    is_positive = challenger.truth == index
    difference = delong(ours[:, index], theirs[:, index], is_positive, confidence)
    pair = PairOfAreas(place(ours[:, index], is_positive), place(theirs[:, index], is_positive))
    return pair.widened(difference, confidence) if difference.standard_error > 0 and pair.is_thin else difference


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
