import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.metrics.bootstrap import Bootstrap
from mlops_assets.metrics.estimate import Estimate, estimate
from mlops_assets.metrics.intervals import percentile_interval
from mlops_assets.metrics.outcomes import Outcomes, Predictions, read_outcomes
from mlops_assets.metrics.scoring import applicable

QUICK = Bootstrap(resamples=400)


def hits(right: np.ndarray) -> Outcomes:
    """A two-class outcome that is right where ``right`` is, with half of the rows in each class."""
    truth = np.arange(len(right)) % 2
    return read_outcomes("classification", truth, Predictions(np.where(right, truth, 1 - truth)), classes=(0, 1))


def scored(rows: int, seed: int, classes: int = 2) -> Outcomes:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, rows)
    scores = rng.normal(size=(rows, classes))
    scores[np.arange(rows), truth] += 1.5
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    given = Predictions(probabilities.argmax(axis=1), probabilities, tuple(range(classes)))
    return read_outcomes("classification", truth, given)


def width(estimated: Estimate) -> float:
    assert estimated.interval is not None
    return estimated.interval[1] - estimated.interval[0]


def test_an_accuracy_interval_covers_the_true_rate_as_often_as_it_says() -> None:
    rng = np.random.default_rng(11)
    covered = 0
    for run in range(500):
        estimated = estimate(["accuracy"], hits(rng.random(200) < 0.9), bootstrap=Bootstrap(resamples=500, seed=run))
        low, high = estimated["accuracy"].interval or (1, 0)
        covered += low <= 0.9 <= high
    assert 0.93 <= covered / 500 <= 0.975


def test_a_mean_error_interval_covers_the_true_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(12)
    covered = 0
    for run in range(400):
        outcomes = read_outcomes("regression", np.zeros(150), Predictions(rng.laplace(size=150)))
        estimated = estimate(["mean_absolute_error"], outcomes, bootstrap=Bootstrap(resamples=300, seed=run))
        low, high = estimated["mean_absolute_error"].interval or (1, 0)
        covered += low <= 1 <= high
    assert 0.91 <= covered / 400 <= 0.975


def test_rows_of_one_group_that_err_together_make_the_interval_wider() -> None:
    right = np.repeat(np.random.default_rng(3).random(60) < 0.8, 10)
    groups = np.repeat(np.arange(60), 10)
    by_row = estimate(["accuracy"], hits(right))["accuracy"]
    by_group = estimate(["accuracy"], hits(right), groups)["accuracy"]
    # Ten rows that err together are worth one: the interval is sqrt(10) times as wide.
    assert width(by_group) / width(by_row) == pytest.approx(10**0.5, rel=0.12)


@pytest.mark.parametrize("name", ["log_loss", "roc_auc", "accuracy"])
def test_groups_of_one_row_give_the_interval_of_rows(name: str) -> None:
    outcomes = scored(400, seed=1)
    by_row = estimate([name], outcomes)[name]
    by_group = estimate([name], outcomes, np.arange(400))[name]
    assert by_row.interval is not None
    assert by_group.interval == pytest.approx(by_row.interval, rel=0.05)


@settings(max_examples=40, deadline=None)
@given(st.integers(5, 60), st.integers(2, 3), st.integers(0, 2**31), st.booleans())
def test_an_interval_contains_the_value(rows: int, classes: int, seed: int, grouped: bool) -> None:
    outcomes = scored(rows, seed, classes)
    estimated = estimate(applicable(outcomes), outcomes, np.arange(rows) // 2 if grouped else None, QUICK)
    for each in estimated.values():
        assert each.interval is None or (each.value is not None and each.interval[0] <= each.value <= each.interval[1])


@settings(max_examples=25, deadline=None)
@given(st.integers(5, 60), st.integers(0, 2**31))
def test_a_regression_interval_contains_the_value(rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.lognormal(size=rows)
    estimated = estimate(
        applicable(outcomes := read_outcomes("regression", truth, Predictions(truth + rng.normal(size=rows)))),
        outcomes,
        bootstrap=QUICK,
    )
    for each in estimated.values():
        assert each.interval is None or (each.value is not None and each.interval[0] <= each.value <= each.interval[1])


@pytest.mark.parametrize(("value", "interval"), [(0.5, (0.1, 0.9)), (0.95, (0.1, 0.95)), (0.01, (0.01, 0.9))])
def test_percentiles_that_miss_the_value_are_extended_to_it(value: float, interval: tuple[float, float]) -> None:
    replicates = np.append(np.linspace(0, 1, 1001), np.nan)
    assert percentile_interval(replicates, value, confidence=0.8) == pytest.approx(interval)


def test_a_metric_undefined_on_many_resamples_has_a_value_but_no_interval() -> None:
    truth = np.array([1, *[0] * 39])
    scores = np.array([0.7, 0.8, *[0.1] * 38])
    given = Predictions(truth, np.column_stack([1 - scores, scores]), (0, 1))
    estimated = estimate(["average_precision", "roc_auc", "log_loss"], read_outcomes("classification", truth, given))
    # One positive among 40 rows is missing from (1 - 1/40)^40 = 36 % of the resamples.
    assert estimated["average_precision"].value == 0.5
    assert estimated["average_precision"].interval is None
    assert estimated["average_precision"].undefined == pytest.approx(0.363, abs=0.04)
    assert "undefined on 3" in estimated["average_precision"].note
    assert (estimated["roc_auc"].interval, estimated["roc_auc"].note) == (
        None,
        "no interval: a class has fewer than two rows",
    )
    assert estimated["log_loss"].interval is not None


def test_a_metric_that_is_undefined_on_the_rows_has_neither_value_nor_interval() -> None:
    estimated = estimate(["recall"], hits(np.ones(40, dtype=bool)).take(np.arange(0, 40, 2)))["recall"]
    assert (estimated.value, estimated.interval, estimated.note) == (None, None, "undefined on these rows")


@pytest.mark.parametrize(("rows", "lower"), [(36, 0.0974), (100, 0.0362), (1000, 0.00368)])
def test_accuracy_without_an_error_has_clopper_and_pearsons_lower_end(rows: int, lower: float) -> None:
    estimated = estimate(["accuracy"], hits(np.ones(rows, dtype=bool)))["accuracy"]
    assert estimated.interval == (pytest.approx(1 - lower, rel=0.002), 1.0)


def test_a_perfect_score_by_class_is_worth_as_little_as_its_rarest_class() -> None:
    truth = np.array([0] * 500 + [1] * 20)
    estimated = estimate(["balanced_accuracy", "recall"], read_outcomes("classification", truth, Predictions(truth)))
    rare = 0.025 ** (1 / 20)
    assert estimated["recall"].interval == (pytest.approx(rare), 1.0)
    assert estimated["balanced_accuracy"].interval == (pytest.approx((1 + rare) / 2), 1.0)


def test_a_perfect_score_over_groups_counts_groups() -> None:
    estimated = estimate(["accuracy"], hits(np.ones(400, dtype=bool)), np.arange(400) // 10)["accuracy"]
    assert estimated.interval == (pytest.approx(0.025 ** (1 / 40)), 1.0)


def test_too_few_rows_or_groups_give_no_interval() -> None:
    assert estimate(["accuracy"], hits(np.array([True, False, True])))["accuracy"].interval is None
    estimated = estimate(["accuracy"], hits(np.arange(100) % 3 > 0), np.arange(100) // 25)["accuracy"]
    assert (estimated.interval, estimated.note) == (None, "no interval from 4 independent rows or groups")


def test_a_higher_confidence_gives_a_wider_interval() -> None:
    outcomes = scored(300, seed=2)
    widths = [
        width(estimate(["log_loss"], outcomes, bootstrap=Bootstrap(confidence=c))["log_loss"]) for c in (0.8, 0.99)
    ]
    assert widths[1] / widths[0] == pytest.approx(2.576 / 1.282, rel=0.12)


def test_two_thousand_resamples_of_a_hundred_thousand_rows_take_seconds() -> None:
    outcomes = scored(100_000, seed=4)
    tracemalloc.start()
    started = time.process_time()
    estimated = estimate(applicable(outcomes), outcomes)
    # Processor time of all threads, about 3 s here when nothing else runs: the bound is for a busy machine.
    assert time.process_time() - started < 20
    assert tracemalloc.get_traced_memory()[1] < 200e6
    tracemalloc.stop()
    assert all(each.interval is not None for each in estimated.values())
    # The standard error of a proportion, as a check that these are intervals of 100,000 rows.
    accuracy = estimated["accuracy"]
    assert accuracy.value is not None
    expected = 2 * 1.96 * (accuracy.value * (1 - accuracy.value) / 100_000) ** 0.5
    assert width(accuracy) == pytest.approx(expected, rel=0.1)
