from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.errors import NotEvaluated
from mlops_assets.evaluation.comparison import Comparison, compare
from mlops_assets.model.prediction import Predictions


def noisy(truth: np.ndarray, rate: float, rng: np.random.Generator) -> Predictions:
    """Labels that are right at ``rate``, with probabilities to match."""
    values = np.where(rng.random(len(truth)) < rate, truth, 1 - truth)
    sure = np.where(values == 1, rng.uniform(0.5, 1, len(truth)), rng.uniform(0, 0.5, len(truth)))
    return Predictions(values, np.column_stack([1 - sure, sure]), (0, 1))


@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_equal_models_are_superior_no_more_often_than_stated(metric: str) -> None:
    rng = np.random.default_rng(21)
    superior = 0
    for run in range(300):
        truth = rng.integers(0, 2, 300)
        found = compare(metric, truth, noisy(truth, 0.8, rng), noisy(truth, 0.8, rng), resamples=300, seed=run)
        superior += found.superior
    # Stated: 2.5 %; three standard errors of 300 runs above it are 5.2 %.
    assert superior / 300 <= 0.052


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
        assert not found.superior
        assert found.standing() == "equal within margin"


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
        ((0.0, 0.2), 0.0, "equal within margin"),
        ((-0.01, 0.2), 0.02, "equal within margin"),
        ((-0.01, 0.2), 0.0, "undecided"),
        ((-0.1, 0.01), 0.02, "undecided"),
        ((-0.1, -0.03), 0.02, "inferior"),
    ],
)
def test_what_may_be_said_follows_from_interval_and_margin(
    interval: tuple[float, float], margin: float, standing: str
) -> None:
    found = Comparison(
        metric="accuracy", challenger=0, champion=0, difference=0, interval=interval, rows=50, confidence=0.95
    )
    assert found.standing(margin) == standing


def test_the_difference_of_two_areas_agrees_with_delongs_interval(golden_data: Path) -> None:
    rows = pd.read_csv(golden_data / "aSAH.csv")
    poor = (rows["outcome"].str.lower() == "poor").to_numpy()
    ours, theirs = (_ranked(rows[name].to_numpy(dtype=float)) for name in ("wfns", "s100b"))
    found = compare("roc_auc", poor, ours, theirs, resamples=4000)
    assert found.difference == pytest.approx(0.82367886 - 0.73136856)
    assert found.interval == pytest.approx((0.0104, 0.1742), abs=0.015)


def _ranked(score: np.ndarray) -> Predictions:
    share = score / score.max()
    return Predictions(share > 0.5, np.column_stack([1 - share, share]), (False, True))
