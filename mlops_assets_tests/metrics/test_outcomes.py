from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.errors import NotEvaluated, SpecError
from mlops_assets.metrics.outcomes import Predictions, read_outcomes


def test_classes_known_to_truth_prediction_and_model_are_all_counted() -> None:
    given = Predictions(np.array([3, 1]), np.array([[0.2, 0.8], [0.6, 0.4]]), (1, 3))
    outcomes = read_outcomes("classification", np.array([2, 1]), given, classes=[5])
    assert outcomes.classes == (1, 2, 3, 5)
    assert outcomes.truth.tolist() == [1, 0]
    assert outcomes.predicted.tolist() == [2, 0]
    assert outcomes.probabilities is not None
    assert outcomes.probabilities.tolist() == [[0.2, 0, 0.8, 0], [0.6, 0, 0.4, 0]]


@pytest.mark.parametrize(
    ("truth", "declared", "positive"),
    [([0, 1], None, 1), ([0, 1], 0, 0), (["no", "yes"], None, 1), (["no", "yes"], "no", 0), ([False, True], True, 1)],
)
def test_the_positive_class_is_the_declared_one_or_the_larger(truth: list[Any], declared: Any, positive: int) -> None:
    outcomes = read_outcomes("classification", truth, Predictions(np.array(truth)), positive=declared)
    assert outcomes.positive == positive


def test_three_classes_have_no_positive_one() -> None:
    labels = np.array(["a", "b", "c"])
    assert read_outcomes("classification", labels, Predictions(labels)).positive is None


def test_labels_may_be_categories_or_text_objects() -> None:
    truth = pd.Series(["x", "y", "x"], dtype="category")
    given = Predictions(np.array(["x", "x", "y"], dtype=object))
    outcomes = read_outcomes("classification", truth, given)
    assert (outcomes.truth.tolist(), outcomes.predicted.tolist()) == ([0, 1, 0], [0, 0, 1])


@pytest.mark.parametrize(
    ("task", "truth", "predictions", "message"),
    [
        ("classification", ["a"], Predictions(np.array(["a", "b"])), "2 predictions for 1 rows"),
        ("classification", ["a", None], Predictions(np.array(["a", "b"])), "1 rows have no class"),
        ("regression", [1.0, np.nan], Predictions(np.array([1.0, 2.0])), "the target is not a finite number in 1 rows"),
        ("regression", [1.0, 2.0], Predictions(np.array([1.0, np.inf])), "the prediction is not a finite number"),
        (
            "classification",
            ["a", "b"],
            Predictions(np.array(["a", "b"]), np.array([[np.nan, 1], [0, 1]]), ("a", "b")),
            "probabilities are not finite in 1 cells",
        ),
    ],
)
def test_rows_that_cannot_be_read_are_refused(task: Any, truth: Any, predictions: Predictions, message: str) -> None:
    with pytest.raises(NotEvaluated, match=message):
        read_outcomes(task, truth, predictions)


def test_a_positive_class_that_is_none_is_refused() -> None:
    labels = np.array(["no", "yes"])
    with pytest.raises(SpecError, match=r"positive: 'ja' is not a class\. Classes: no, yes"):
        read_outcomes("classification", labels, Predictions(labels), positive="ja")
