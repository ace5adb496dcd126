import math

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from mlops_assets.comparison.resampled_t import corrected_resampled_t
from mlops_assets.errors import NotEvaluated

SPLITS, SHARE = 15, 0.1


def errors_of_two_equal_learners(rng: np.random.Generator, rows: int = 150) -> np.ndarray:
    """Difference in squared error of two learners over random 90/10 splits, for one draw of ``rows`` rows.

    Both predict the mean of one column, of which each sees its own noisy copy: equally good in the long run, with
    training sets that overlap from split to split.
    """
    target = rng.normal(size=rows)
    copies = target[:, None] + rng.normal(size=(rows, 2))
    test = int(rows * SHARE)
    differences = []
    for _ in range(SPLITS):
        order = rng.permutation(rows)
        held, seen = order[:test], order[test:]
        slopes = (copies[seen] * target[seen, None]).mean(axis=0) / (copies[seen] ** 2).mean(axis=0)
        squared = (target[held, None] - copies[held] * slopes) ** 2
        differences.append(squared[:, 0].mean() - squared[:, 1].mean())
    return np.array(differences)


def students_p(differences: np.ndarray) -> float:
    """As if the splits' differences were independent."""
    return float(np.asarray(ttest_1samp(differences, 0))[1])


def test_equal_learners_are_told_apart_as_often_as_stated_and_far_more_often_without_correction() -> None:
    rng = np.random.default_rng(15)
    runs = [errors_of_two_equal_learners(rng) for _ in range(600)]
    naive = np.mean([students_p(found) < 0.05 for found in runs])
    corrected = np.mean([corrected_resampled_t(found, SHARE).p_value < 0.05 for found in runs])
    assert naive >= 0.18
    assert corrected <= 0.08


def test_the_variance_has_the_term_of_the_overlap() -> None:
    differences = np.array([0.01, 0.03, -0.01, 0.02, 0.04])
    found = corrected_resampled_t(differences, test_share=0.2)
    error = math.sqrt((1 / 5 + 0.25) * differences.var(ddof=1))
    assert found.standard_error == pytest.approx(error)
    assert found.statistic == pytest.approx(differences.mean() / error)
    # Student's t with 4 degrees of freedom: 2.776445.
    assert found.interval == pytest.approx((found.value - 2.776445 * error, found.value + 2.776445 * error), abs=1e-7)


def test_without_overlap_it_is_students_test() -> None:
    differences = np.random.default_rng(1).normal(0.3, 1, 20)
    found = corrected_resampled_t(differences, test_share=1e-12)
    assert found.p_value == pytest.approx(students_p(differences))


def test_splits_without_any_difference_are_equal() -> None:
    found = corrected_resampled_t([0.0, 0.0, 0.0], SHARE)
    assert (found.statistic, found.p_value, found.interval) == (0, 1, (0, 0))


@pytest.mark.parametrize(
    ("differences", "message"),
    [([0.1], "1 splits"), ([0.1, float("nan")], "finite"), ([0.1, 0.1], "all 2 splits differ by 0.1")],
)
def test_splits_that_say_nothing_are_refused(differences: list[float], message: str) -> None:
    with pytest.raises(NotEvaluated, match=message):
        corrected_resampled_t(differences, SHARE)


def test_a_share_of_all_rows_lies_between_none_and_all() -> None:
    with pytest.raises(ValueError, match="test_share is 9"):
        corrected_resampled_t([0.1, 0.2], 9)
