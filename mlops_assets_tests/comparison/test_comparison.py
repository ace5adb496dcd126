from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.comparison.comparison import Comparison
from mlops_assets.comparison.mcnemar import Discordance
from mlops_assets.comparison.method import METRIC_TESTS, Method, metric_test
from mlops_assets.errors import NotEvaluated, SpecError
from mlops_assets.metrics.outcomes import Predictions
from mlops_assets_tests.comparison.pairs import compare


def noisy(truth: np.ndarray, rate: float, rng: np.random.Generator) -> Predictions:
    """Labels that are right at ``rate``, with probabilities to match."""
    values = np.where(rng.random(len(truth)) < rate, truth, 1 - truth)
    sure = np.where(values == 1, rng.uniform(0.5, 1, len(truth)), rng.uniform(0, 0.5, len(truth)))
    return Predictions(values, np.column_stack([1 - sure, sure]), (0, 1))


def test_a_better_model_is_found_superior() -> None:
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 2, 500)
    found = compare("accuracy", truth, noisy(truth, 0.9, rng), noisy(truth, 0.75, rng))
    assert found.superior
    assert found.standing() == "superior"
    assert found.difference == pytest.approx(found.challenger - found.champion)
    assert found.interval[0] < found.difference < found.interval[1]


@pytest.mark.parametrize("metric", ["mean_absolute_error", "r2"])
def test_a_positive_difference_means_better_whatever_the_metrics_direction(metric: str) -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(size=300)
    good, bad = (Predictions(truth + scale * rng.normal(size=300)) for scale in (0.2, 0.5))
    there, back = compare(metric, truth, good, bad), compare(metric, truth, bad, good)
    assert there.superior
    assert back.standing() == "inferior"
    assert back.difference == pytest.approx(-there.difference)
    assert back.interval == pytest.approx((-there.interval[1], -there.interval[0]))


def test_identical_predictions_differ_by_exactly_nothing() -> None:
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 2, 100)
    same = noisy(truth, 0.8, rng)
    for metric in ("accuracy", "roc_auc", "log_loss", "brier_score", "f1_macro"):
        found = compare(metric, truth, same, same)
        assert (found.difference, found.interval) == (0, (0, 0))
        assert (found.statistic, found.p_value, found.standard_error) == (0, 1, 0)
        assert not found.superior
        assert found.standing() == "non-inferior"
        assert (found.rows_needed(), found.rows_missing()) == (None, 0)


def test_models_that_are_right_on_the_same_rows_need_not_be_equal() -> None:
    truth = np.arange(60) % 3
    ours = Predictions(np.where(truth == 2, 0, truth), classes=(0, 1, 2))
    theirs = Predictions(np.where(truth == 2, 1, truth), classes=(0, 1, 2))
    found = compare("accuracy", truth, ours, theirs)
    assert (found.difference, found.p_value) == (0, 1)
    assert found.interval[0] < 0 < found.interval[1]
    assert found.standing() == "undecided"
    assert found.standing(0.1) == "non-inferior"


def test_pairing_finds_a_difference_that_separate_intervals_hide() -> None:
    rng = np.random.default_rng(5)
    truth = rng.normal(size=400)
    shared = rng.normal(size=400)
    worse = Predictions(truth + shared)
    better = Predictions(truth + 0.95 * shared)
    found = compare("mean_absolute_error", truth, better, worse)
    assert found.superior
    assert found.interval[1] - found.interval[0] < 0.02


def test_rows_that_err_together_by_group_leave_a_difference_undecided() -> None:
    groups = np.repeat(np.arange(12), 50)
    truth = np.zeros(600, dtype=int)
    right = np.repeat(np.arange(12) < 9, 50), np.repeat(np.arange(12) % 12 >= 5, 50)
    ours, theirs = (Predictions(np.where(one, truth, 1)) for one in right)
    assert compare("accuracy", truth, ours, theirs, classes=(0, 1)).superior
    by_group = compare("accuracy", truth, ours, theirs, groups=groups, classes=(0, 1))
    assert by_group.standing() == "undecided"


def test_a_class_that_only_the_challenger_knows_counts_against_the_champion() -> None:
    truth = np.array(["a", "b", "c"] * 20)
    ours = Predictions(truth, np.eye(3)[np.tile([0, 1, 2], 20)] * 0.9 + 0.1 / 3, ("a", "b", "c"))
    old = np.where(truth == "c", "a", truth)
    theirs = Predictions(old, np.where(np.eye(2)[(old == "b").astype(int)] > 0, 0.9, 0.1), ("a", "b"))
    found = compare("log_loss", truth, ours, theirs)
    assert found.superior
    assert found.champion > 10  # a third of the rows had probability 0
    assert compare("accuracy", truth, ours, theirs).champion == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("metric", "truth", "message"),
    [
        ("roc_auc", [1] * 40, "roc_auc of the challenger: no row is of class 0"),
        ("r2", [1.0] * 40, "r2 of the challenger: undefined on these rows"),
        ("roc_auc", [1] + [0] * 39, "DeLong: 1 positive and 39 negative rows, two of each are needed"),
        ("recall", [1] + [0] * 39, "no interval, undefined on 3.% of the resamples"),
        ("accuracy", [0, 1], "no interval from 2 independent rows"),
    ],
)
def test_a_comparison_that_the_rows_cannot_give_is_refused(metric: str, truth: list[Any], message: str) -> None:
    rng = np.random.default_rng(7)
    ours, theirs = (noisy(np.array(truth, dtype=int), 0.8, rng) for _ in range(2))
    with pytest.raises(NotEvaluated, match=message):
        compare(metric, np.array(truth), ours, theirs, classes=(0, 1) if metric != "r2" else ())


@pytest.mark.parametrize(
    ("interval", "margin", "standing"),
    [
        ((0.01, 0.2), 0.0, "superior"),
        ((0.0, 0.2), 0.0, "undecided"),
        ((0.0, 0.0), 0.0, "non-inferior"),
        ((-0.01, 0.2), 0.02, "non-inferior"),
        ((-0.01, -0.001), 0.02, "non-inferior"),
        ((-0.02, 0.0), 0.02, "non-inferior"),
        ((-0.01, 0.2), 0.0, "undecided"),
        ((-0.1, 0.01), 0.02, "undecided"),
        ((-0.1, -0.03), 0.02, "inferior"),
        ((-0.1, -0.001), 0.0, "inferior"),
    ],
)
def test_what_may_be_said_follows_from_interval_and_margin(
    interval: tuple[float, float], margin: float, standing: str
) -> None:
    assert _found(0.0, interval).standing(margin) == standing


@pytest.mark.parametrize(
    ("difference", "margin", "needed"),
    [
        # (1.959964 + 0.841621)² = 7.848880 at 100 rows whose standard error is twice the distance.
        (0.01, 0.0, 3140),
        (0.01, 0.5, 101),
        (0.01, 0.03, 197),
        (-0.01, 0.0, 3140),
        (-0.01, 0.03, 785),
        (0.0, 0.02, 785),
        (-0.03, 0.02, 3140),
        (0.2, 0.0, 101),
        (0.0, 0.0, None),
        (-0.02, 0.02, None),
    ],
)
def test_rows_needed_follow_from_the_distance_to_the_limit(difference: float, margin: float, needed: int | None):
    found = _found(difference, (-0.9, 0.9))
    assert found.rows_needed(margin) == needed
    assert found.rows_missing(margin) == (None if needed is None else needed - 100)


@pytest.mark.parametrize(
    ("ours", "theirs", "rows", "margin", "needed"), [(90, 85, 300, 0.05, 1022), (60, 57, 400, 0.04, 1016)]
)
def test_the_better_result_is_not_asked_for_more_rows_than_not_being_worse_needs(
    ours: int, theirs: int, rows: int, margin: float, needed: int
):
    """``needed`` is simulated: rows at which non-inferiority is found in .8, if the shares are those seen."""
    found = compare("accuracy", np.zeros(rows, dtype=int), *_right(rows, ours, theirs), classes=(0, 1))
    assert found.standing(margin) == "undecided"
    assert found.rows_needed(margin) == pytest.approx(needed, rel=0.015)


def test_what_is_decided_needs_no_rows() -> None:
    assert _found(0.3, (0.1, 0.5)).rows_needed() is None
    assert _found(0.3, (0.1, 0.5)).rows_missing() == 0
    assert _found(-0.01, (-0.05, 0.03)).rows_missing(0.1) == 0


def test_with_the_rows_needed_such_a_difference_is_found_as_often_as_the_power_says() -> None:
    rows, ours, theirs = 400, 40, 30
    found = compare("accuracy", np.zeros(rows, dtype=int), *_right(rows, ours, theirs), classes=(0, 1))
    assert found.standing() == "undecided"
    needed = found.rows_needed(power=0.8)
    assert needed is not None
    rng = np.random.default_rng(9)
    drawn = rng.multinomial(needed, [ours / rows, theirs / rows, 1 - (ours + theirs) / rows], size=500)
    superior = [Discordance(int(b), int(c), needed).interval(0.95)[0] > 0 for b, c, _ in drawn]
    # Three standard errors of 500 runs are 0.054.
    assert 0.74 <= np.mean(superior) <= 0.86


@pytest.mark.parametrize(
    ("metric", "grouped", "test"),
    [
        ("roc_auc", False, "DeLong"),
        ("roc_auc", True, "paired bootstrap (percentile)"),
        ("accuracy", False, "McNemar (exact)"),
        ("accuracy", True, "paired bootstrap (percentile)"),
        ("log_loss", False, "paired bootstrap (percentile)"),
    ],
)
def test_the_method_follows_from_metric_and_groups(metric: str, grouped: bool, test: str) -> None:
    rng = np.random.default_rng(12)
    truth = rng.integers(0, 2, 200)
    ours, theirs = noisy(truth, 0.8, rng), noisy(truth, 0.7, rng)
    found = compare(metric, truth, ours, theirs, groups=np.arange(200) // 4 if grouped else None)
    assert found.test == test
    assert found.standard_error
    # The bootstrap of the same rows agrees with the exact and asymptotic methods.
    by_bootstrap = compare(metric, truth, ours, theirs, method="bootstrap")
    if not grouped:
        assert found.interval == pytest.approx(by_bootstrap.interval, abs=0.25 * found.standard_error)
        assert found.standard_error == pytest.approx(by_bootstrap.standard_error, rel=0.08)


@pytest.mark.parametrize(
    ("metric", "method", "groups"),
    [("log_loss", "delong", None), ("roc_auc", "mcnemar", None), ("accuracy", "mcnemar", np.arange(40) // 2)],
)
def test_a_method_that_is_not_for_the_metric_is_refused(metric: str, method: Method, groups: Any) -> None:
    rng = np.random.default_rng(13)
    truth = np.arange(40) % 2
    with pytest.raises(SpecError, match=f"method '{method}' is for .* on rows without groups.*Remedy"):
        compare(metric, truth, noisy(truth, 0.8, rng), noisy(truth, 0.7, rng), groups, method=method)


def test_areas_of_three_classes_are_compared_by_bootstrap() -> None:
    rng = np.random.default_rng(14)
    truth = np.arange(90) % 3
    ours, theirs = (Predictions(truth, rng.dirichlet(np.ones(3), 90), (0, 1, 2)) for _ in range(2))
    assert compare("roc_auc", truth, ours, theirs).test == "paired bootstrap (percentile)"


def test_no_decision_is_made_on_fewer_than_two_thousand_resamples() -> None:
    rng = np.random.default_rng(15)
    truth = np.arange(100) % 2
    ours, theirs = noisy(truth, 0.8, rng), noisy(truth, 0.7, rng)
    few, many = (compare("log_loss", truth, ours, theirs, resamples=resamples) for resamples in (50, 2000))
    assert few == many
    assert compare("log_loss", truth, ours, theirs, resamples=50, method="bootstrap").interval != many.interval


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**16),
    rows=st.integers(20, 80),
    rounded=st.booleans(),
    chosen=st.sampled_from([("roc_auc", "delong"), ("accuracy", "mcnemar"), ("log_loss", "auto"), ("f1", "bootstrap")]),
)
def test_swapping_the_models_mirrors_the_comparison(seed: int, rows: int, rounded: bool, chosen: Any) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.arange(rows) % 2)
    scores = [np.round(rng.random(rows), 1 if rounded else 6) for _ in range(2)]
    ours, theirs = (Predictions((s > 0.5).astype(int), np.column_stack([1 - s, s]), (0, 1)) for s in scores)
    metric, method = chosen
    there = compare(metric, truth, ours, theirs, method=method, resamples=200)
    back = compare(metric, truth, theirs, ours, method=method, resamples=200)
    assert back.difference == pytest.approx(-there.difference, abs=1e-12)
    assert back.interval == pytest.approx((-there.interval[1], -there.interval[0]), abs=1e-12)
    assert back.statistic == pytest.approx(-(there.statistic or 0), abs=1e-9)
    assert back.p_value == pytest.approx(there.p_value)
    assert there.interval[0] <= there.difference <= there.interval[1]


@pytest.mark.parametrize("method", ["auto", "delong"])
def test_the_difference_of_two_areas_is_that_of_proc(golden_data: Path, method: Method) -> None:
    rows = pd.read_csv(golden_data / "aSAH.csv")
    poor = (rows["outcome"].str.lower() == "poor").to_numpy()
    ours, theirs = (_ranked(rows[name].to_numpy(dtype=float)) for name in ("wfns", "s100b"))
    found = compare("roc_auc", poor, ours, theirs, method=method)
    assert found.difference == pytest.approx(0.82367886 - 0.73136856, abs=1e-8)
    assert found.interval == pytest.approx((0.0104061769564846, 0.174214419249478), abs=1e-12)
    assert found.p_value == pytest.approx(0.0271757822291882, abs=1e-12)
    by_bootstrap = compare("roc_auc", poor, ours, theirs, method="bootstrap", resamples=4000)
    assert by_bootstrap.interval == pytest.approx(found.interval, abs=0.015)


def _found(difference: float, interval: tuple[float, float]) -> Comparison:
    """On 100 rows, with a standard error of 0.02."""
    return Comparison(
        metric="accuracy",
        challenger=difference,
        champion=0,
        difference=difference,
        interval=interval,
        rows=100,
        confidence=0.95,
        standard_error=0.02,
    )


def _right(rows: int, ours: int, theirs: int) -> tuple[Predictions, Predictions]:
    """Of class 0 throughout; the first is wrong on the last ``theirs`` rows, the second on the first ``ours``."""
    row = np.arange(rows)
    return Predictions((row >= rows - theirs).astype(int)), Predictions((row < ours).astype(int))


def _ranked(score: np.ndarray) -> Predictions:
    share = score / score.max()
    return Predictions(share > 0.5, np.column_stack([1 - share, share]), (False, True))


def test_every_test_of_a_metric_can_be_asked_for_and_is_there() -> None:
    assert set(METRIC_TESTS) < set(get_args(Method))
    assert all(callable(metric_test(name)) for name in METRIC_TESTS)
    assert metric_test("bootstrap") is None
