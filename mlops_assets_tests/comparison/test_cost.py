from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from mlops_assets.comparison.cost import CostSpec, mean_cost, row_costs
from mlops_assets.errors import NotEvaluated, SpecError
from mlops_assets.metrics.outcomes import Outcomes, Predictions, read_outcomes
from mlops_assets_tests.comparison.pairs import compare, compare_costs

TRUTH = np.array(["bad", "bad", "good", "good", "good"])
GUESS = np.array(["bad", "good", "good", "bad", "bad"])


def outcomes(positive: str | None = None) -> Outcomes:
    return read_outcomes("classification", TRUTH, Predictions(GUESS), positive=positive)


def test_each_kind_of_error_costs_what_was_declared() -> None:
    cost = CostSpec(false_positive=1, false_negative=5)
    assert row_costs(outcomes("bad"), cost).tolist() == [0, 5, 0, 1, 1]
    assert row_costs(outcomes("good"), cost).tolist() == [0, 1, 0, 5, 5]
    assert mean_cost(outcomes("bad"), cost) == pytest.approx(7 / 5)


def test_a_matrix_gives_every_pair_its_cost() -> None:
    cost = CostSpec.model_validate({"matrix": {"bad": {"good": 5}, "good": {"bad": 1, "good": -0.5}}})
    assert row_costs(outcomes(), cost).tolist() == [0, 5, -0.5, 1, 1]


def test_a_matrix_may_name_classes_that_are_numbers() -> None:
    cost = CostSpec.model_validate({"matrix": {0: {1: 2.0, 2: 4.0}, 1: {0: 1.0, 2: 1.0}, 2: {0: 8.0, 1: 1.0}}})
    given = read_outcomes("classification", np.array([0, 1, 2]), Predictions(np.array([2, 1, 0])))
    assert row_costs(given, cost).tolist() == [4, 0, 8]


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({}, "give false_positive and false_negative, or matrix"),
        ({"false_positive": 1}, "give false_positive and false_negative, or matrix"),
        ({"false_positive": 1, "matrix": {}}, "give either matrix or false_positive, not both"),
        ({"false_positive": 1, "false_negative": float("inf")}, "inf is not a finite cost"),
        ({"matrix": {"a": {"b": float("nan")}}}, "nan is not a finite cost"),
        ({"false_alarm": 1}, "Extra inputs"),
    ],
)
def test_a_cost_that_cannot_be_meant_is_refused(declared: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CostSpec.model_validate(declared)


def test_a_pair_without_a_cost_is_named() -> None:
    with pytest.raises(SpecError, match="no cost of predicting 'bad' where 'good' is true"):
        row_costs(outcomes(), CostSpec.model_validate({"matrix": {"bad": {"good": 5}}}))


def test_two_kinds_of_error_are_not_enough_for_three_classes() -> None:
    three = read_outcomes("classification", np.arange(9) % 3, Predictions(np.arange(9) % 3))
    with pytest.raises(SpecError, match=r"for two classes, here are 3. Remedy: declare cost.matrix"):
        row_costs(three, CostSpec(false_positive=1, false_negative=1))


def test_costs_are_of_classes_not_of_numbers() -> None:
    numbers = read_outcomes("regression", np.ones(9), Predictions(np.ones(9)))
    with pytest.raises(NotEvaluated, match="the task is regression"):
        row_costs(numbers, CostSpec(false_positive=1, false_negative=1))


def cautious_and_bold(rows: int = 600) -> tuple[np.ndarray, Predictions, Predictions]:
    """As many errors of both, but the bold model misses positives where the cautious one raises false alarms."""
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, rows)
    wrong = rng.random(rows) < 0.2
    cautious, bold = np.where(wrong, 1, truth), np.where(wrong, 0, truth)
    return truth, Predictions(cautious), Predictions(bold)


def test_the_cheaper_model_is_superior_where_accuracy_sees_no_difference() -> None:
    truth, cautious, bold = cautious_and_bold()
    assert compare("accuracy", truth, cautious, bold).standing() == "undecided"
    found = compare_costs(CostSpec(false_positive=1, false_negative=10), truth, cautious, bold)
    assert (found.metric, found.standing()) == ("cost", "superior")
    assert found.difference == pytest.approx(found.champion - found.challenger)
    back = compare_costs(CostSpec(false_positive=1, false_negative=10), truth, bold, cautious)
    assert back.standing() == "inferior"
    assert back.interval == pytest.approx((-found.interval[1], -found.interval[0]))


def test_equal_costs_of_one_are_the_errors_that_accuracy_counts() -> None:
    truth, cautious, bold = cautious_and_bold()
    by_cost = compare_costs(CostSpec(false_positive=1, false_negative=1), truth, cautious, bold, method="bootstrap")
    by_accuracy = compare("accuracy", truth, cautious, bold, method="bootstrap")
    assert by_cost.interval == pytest.approx(by_accuracy.interval)
    assert by_cost.challenger == pytest.approx(1 - by_accuracy.challenger)


def test_costs_of_rows_that_err_together_are_compared_by_group() -> None:
    groups = np.repeat(np.arange(12), 50)
    truth = np.zeros(600, dtype=int)
    ours, theirs = (Predictions(np.repeat(wrong, 50).astype(int)) for wrong in (np.arange(12) >= 9, np.arange(12) < 5))
    cost = CostSpec(false_positive=2, false_negative=1)
    assert compare_costs(cost, truth, ours, theirs, classes=(0, 1)).superior
    assert compare_costs(cost, truth, ours, theirs, groups, classes=(0, 1)).standing() == "undecided"
    with pytest.raises(NotEvaluated, match="cost: no interval from 2 independent"):
        compare_costs(cost, truth, ours, theirs, np.arange(600) // 300, classes=(0, 1))
