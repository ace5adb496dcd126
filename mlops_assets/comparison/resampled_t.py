"""Corrected resampled t-test: two learners over repeated random splits of the same rows."""

import math
from collections.abc import Sequence

import numpy as np

from mlops_assets.comparison.difference import Difference
from mlops_assets.errors import NotEvaluated

NAME = "corrected resampled t"


def corrected_resampled_t(
    differences: Sequence[float] | np.ndarray, test_share: float, confidence: float = 0.95
) -> Difference:
    """Test that the mean of one difference per split is zero, where every split redraws train and test rows.

    Training sets overlap, so that differences are correlated and the plain t-test finds a difference between equal
    learners far too often. The variance of the mean is (1/J + test/train) s² instead of s²/J: Nadeau & Bengio (2003),
    "Inference for the generalization error", Machine Learning 52. It judges learners, not two fitted models.

    ``differences`` has shape (J,); ``test_share`` is the test rows' share of all rows, 0.1 for 90/10 splits.

    Raises:
        ValueError: if ``test_share`` is not between 0 and 1.
        NotEvaluated: if there are fewer than two splits, or all give the same difference other than zero.
    """
    from scipy.stats import t

    if not 0 < test_share < 1:
        raise ValueError(f"test_share is {test_share}. Remedy: the test rows' share of all rows, between 0 and 1")
    observed = np.asarray(differences, dtype=np.float64)
    if len(observed) < 2 or not np.isfinite(observed).all():
        raise NotEvaluated(f"{NAME}: {len(observed)} splits with finite differences are not enough, two are needed")
    if (observed == observed[0]).all():
        if observed[0] != 0:
            raise NotEvaluated(
                f"{NAME}: all {len(observed)} splits differ by {observed[0]:g}, there is no spread to judge by"
            )
        return Difference(0.0, (0.0, 0.0), NAME, 0.0, 1.0, 0.0)
    freedom, mean = len(observed) - 1, float(observed.mean())
    error = math.sqrt((1 / len(observed) + test_share / (1 - test_share)) * float(observed.var(ddof=1)))
    half = float(t.isf((1 - confidence) / 2, freedom)) * error
    statistic = mean / error
    return Difference(
        mean, (mean - half, mean + half), NAME, statistic, 2 * float(t.sf(abs(statistic), freedom)), error
    )
