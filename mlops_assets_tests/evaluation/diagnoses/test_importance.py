from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.evaluation.diagnoses.importance import Shuffling, permutation_importance
from mlops_assets.metrics.outcomes import Outcomes, read_outcomes
from mlops_assets.model.prediction import predict


@pytest.fixture(scope="module")
def fitted() -> tuple[Any, pd.DataFrame, Outcomes]:
    """A linear model of 3·a + b on 400 rows; its exact importance is known."""
    from sklearn.linear_model import LinearRegression

    rng = np.random.default_rng(0)
    inputs = pd.DataFrame({name: rng.normal(size=400) for name in ("a", "b", "useless")})
    target = (3 * inputs["a"] + inputs["b"]).to_numpy()
    model = LinearRegression().fit(inputs, target)
    return model, inputs, read_outcomes("regression", target, predict(model, inputs))


def test_importance_is_the_loss_that_shuffling_costs(fitted: tuple[Any, pd.DataFrame, Outcomes]) -> None:
    found = permutation_importance(*fitted, "root_mean_squared_error", Shuffling(repeats=20))
    by_name = {item.feature: item for item in found.features}
    assert [item.feature for item in found.features] == ["a", "b", "useless"]
    # Shuffling x in slope·x gives errors slope·(x - x'), whose standard deviation is slope·sqrt(2).
    assert by_name["a"].mean == pytest.approx(3 * 2**0.5, rel=0.1)
    assert by_name["b"].mean == pytest.approx(2**0.5, rel=0.1)
    assert by_name["useless"].mean == pytest.approx(0, abs=1e-9)
    assert 0 < by_name["a"].sd < 0.5


def test_importance_of_a_metric_to_be_raised_is_positive_too(fitted: tuple[Any, pd.DataFrame, Outcomes]) -> None:
    found = permutation_importance(*fitted, "r2")
    assert found.features[0].mean > 1


def test_equal_seeds_give_equal_importance_and_the_frame_is_left_alone(
    fitted: tuple[Any, pd.DataFrame, Outcomes],
) -> None:
    before = fitted[1].copy()
    first, second = (permutation_importance(*fitted, "r2", Shuffling(seed=3)) for _ in range(2))
    assert first == second
    assert first != permutation_importance(*fitted, "r2", Shuffling(seed=4))
    pd.testing.assert_frame_equal(fitted[1], before)


def test_predictions_run_on_one_thread(fitted: tuple[Any, pd.DataFrame, Outcomes]) -> None:
    from threadpoolctl import threadpool_info

    seen = []

    class Watched:
        def predict(self, inputs: pd.DataFrame) -> np.ndarray:
            seen.extend(pool["num_threads"] for pool in threadpool_info())
            return fitted[0].predict(inputs)

    assert permutation_importance(Watched(), *fitted[1:], "r2") == permutation_importance(*fitted, "r2")
    assert set(seen) == {1}


def test_rows_are_capped_by_the_predictions_that_they_cost(fitted: tuple[Any, pd.DataFrame, Outcomes]) -> None:
    assert permutation_importance(*fitted, "r2", Shuffling(repeats=5, most_predictions=1500)).rows == 100
    found = permutation_importance(*fitted, "r2", Shuffling(repeats=5, most_predictions=300))
    assert found.features == []
    assert found.note == "not evaluated: 3 features leave no budget for 30 rows each"


def test_few_rows_or_an_impossible_metric_are_not_evaluated(fitted: tuple[Any, pd.DataFrame, Outcomes]) -> None:
    model, inputs, outcomes = fitted
    few = permutation_importance(model, inputs.head(20), outcomes.take(np.arange(20)), "r2")
    assert few.note == "not evaluated: 20 rows, 30 are needed"
    negative = permutation_importance(model, inputs, outcomes, "root_mean_squared_log_error")
    assert "-1 or less" in negative.note


def test_text_and_category_columns_are_shuffled_as_they_are() -> None:
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    colours = np.array(["red", "green", "blue"], dtype=object)[np.arange(90) % 3]
    frame = pd.DataFrame(
        {"colour": pd.Categorical(colours), "shape": np.array(["round", "flat"], dtype=object).repeat(45)}
    )
    target = np.where(colours == "red", "warm", "cold")
    encoder = make_column_transformer((OneHotEncoder(), ["colour", "shape"]))
    model = make_pipeline(encoder, LogisticRegression()).fit(frame, target)
    outcomes = read_outcomes("classification", target, predict(model, frame))
    found = permutation_importance(model, frame, outcomes, "accuracy")
    assert [item.feature for item in found.features] == ["colour", "shape"]
    # A shuffled colour is warm by chance: right on 1/3² + 2/3² of the rows.
    assert found.features[0].mean == pytest.approx(4 / 9, abs=0.1)
    assert found.features[1].mean == 0


def test_a_classifier_without_probabilities_is_measured_by_its_labels() -> None:
    from sklearn.svm import LinearSVC

    rng = np.random.default_rng(1)
    inputs = pd.DataFrame({name: rng.normal(size=100) for name in ("x", "y")})
    target = (inputs["x"] > 0).to_numpy()
    model = LinearSVC().fit(inputs, target)
    outcomes = read_outcomes("classification", target, predict(model, inputs))
    assert permutation_importance(model, inputs, outcomes, "accuracy").features[0].feature == "x"
    without = replace(outcomes, probabilities=None)
    assert "no probabilities" in permutation_importance(model, inputs, without, "log_loss").note
