import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.errors import SpecError
from mlops_assets.metrics.catalogue import METRICS, metrics_of
from mlops_assets.metrics.estimate import estimate
from mlops_assets.metrics.outcomes import Outcomes, Predictions, read_outcomes
from mlops_assets.metrics.scoring import applicable, obstacle, statistic, values

CLASSES = ("a", "b", "c", "d")


def close(value: float | None) -> Any:
    """Equal to 1e-12, and None only to None."""
    return None if value is None else pytest.approx(value, rel=1e-12, abs=1e-12)


@st.composite
def classified(draw: st.DrawFn) -> tuple[Outcomes, np.ndarray, int]:
    """Outcomes of two to four classes with tied probabilities, classes missing at times; positions and seed."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size, rows = draw(st.integers(2, 4)), draw(st.integers(1, 40))
    counts = rng.integers(0, 5, (rows, size)) + (rng.random((rows, size)) < 0.3)
    counts[:, 0] += counts.sum(axis=1) == 0
    probabilities = counts / counts.sum(axis=1, keepdims=True)
    truth = rng.integers(0, draw(st.integers(1, size)), rows)
    labels = np.array(CLASSES[:size])
    given = Predictions(labels[rng.integers(0, size, rows)], probabilities, CLASSES[:size])
    return read_outcomes("classification", labels[truth], given, CLASSES[:size]), labels, int(rng.integers(2**31))


@st.composite
def measured(draw: st.DrawFn) -> tuple[Outcomes, int]:
    """Outcomes of a regression, with ties and targets around or above zero."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows, digits, offset = draw(st.integers(1, 40)), draw(st.integers(0, 6)), draw(st.sampled_from([0.0, 8.0]))
    truth = np.round(rng.normal(size=rows) + offset, digits)
    return read_outcomes("regression", truth, Predictions(np.round(truth + rng.normal(size=rows), digits))), digits


def label_reference(name: str, truth: Any, predicted: Any, weights: Any, positive: str | None) -> float:
    from sklearn import metrics as sk

    if name in ("f2", "f0_5"):
        beta = float(name[1:].replace("_", "."))
        label: Any = positive
        return sk.fbeta_score(truth, predicted, beta=beta, sample_weight=weights, pos_label=label)
    base, _, average = name.partition("_")
    if base in ("f1", "precision", "recall"):
        score: Any = {"f1": sk.f1_score, "precision": sk.precision_score, "recall": sk.recall_score}[base]
        chosen = {"average": average} if average else {"average": "binary", "pos_label": positive}
        return score(truth, predicted, sample_weight=weights, **chosen)
    score = {
        "accuracy": sk.accuracy_score,
        "balanced_accuracy": sk.balanced_accuracy_score,
        "matthews_corrcoef": sk.matthews_corrcoef,
    }[name]
    return score(truth, predicted, sample_weight=weights)


def probability_reference(name: str, truth: Any, probabilities: np.ndarray, weights: Any, classes: Any) -> float:
    from sklearn import metrics as sk

    two = len(classes) == 2
    if name == "log_loss":
        return sk.log_loss(truth, probabilities, labels=classes, sample_weight=weights)
    if name == "brier_score":
        if two:
            return sk.brier_score_loss(truth, probabilities[:, 1], pos_label=classes[1], sample_weight=weights)
        return sk.brier_score_loss(truth, probabilities, labels=classes, sample_weight=weights)
    if two:
        score = {"roc_auc": sk.roc_auc_score, "average_precision": sk.average_precision_score}[name]
        return score(truth == classes[1], probabilities[:, 1], sample_weight=weights)
    if name == "roc_auc":
        return sk.roc_auc_score(truth, probabilities, multi_class="ovr", labels=classes, sample_weight=weights)
    return sk.average_precision_score(truth, probabilities, sample_weight=weights)


def value_reference(name: str, truth: np.ndarray, predicted: np.ndarray, weights: Any) -> float:
    from sklearn import metrics as sk

    if name == "mean_absolute_error_relative":
        repeated = np.repeat(truth, weights.astype(int)) if weights is not None else truth
        return sk.mean_absolute_error(truth, predicted, sample_weight=weights) / abs(np.median(repeated))
    score = getattr(sk, "r2_score" if name == "r2" else name)
    return score(truth, predicted, sample_weight=weights)


def undefined_labels(name: str, truth: Any, predicted: Any, positive: str | None) -> bool:
    """Where scikit-learn answers 0 with a warning for want of rows."""
    no_positive = positive not in truth and positive not in predicted
    return {
        "precision": positive not in predicted,
        "recall": positive not in truth,
        **dict.fromkeys(["f1", "f2", "f0_5"], no_positive),
        "matthews_corrcoef": len(set(truth)) == 1,
    }.get(name, False)


def check_classification(outcomes: Outcomes, labels: np.ndarray, rows: np.ndarray, weights: Any, given: Any) -> None:
    """``values`` under ``given`` weights equals scikit-learn's on ``rows`` under ``weights``."""
    assert outcomes.probabilities is not None
    truth, predicted = labels[outcomes.truth[rows]], labels[outcomes.predicted[rows]]
    positive = labels[1] if len(labels) == 2 else None
    measured = values(applicable(outcomes), outcomes, given)
    for name, value in measured.items():
        if METRICS[name].needs == "labels":
            undefined = undefined_labels(name, truth, predicted, positive)
            reference = label_reference(name, truth, predicted, weights, positive)
        else:
            undefined = name in ("roc_auc", "average_precision") and len(set(truth)) < len(labels)
            probabilities = outcomes.probabilities[rows]
            reference = np.nan if undefined else probability_reference(name, truth, probabilities, weights, labels)
        assert value == (close(None if undefined else reference)), name


@settings(max_examples=60, deadline=None)
@given(classified())
def test_classification_metrics_are_scikit_learns(case: tuple[Outcomes, np.ndarray, int]) -> None:
    outcomes, labels, _ = case
    with warnings.catch_warnings(action="ignore"):
        check_classification(outcomes, labels, np.arange(len(outcomes)), None, None)


@settings(max_examples=60, deadline=None)
@given(classified())
def test_weighted_classification_metrics_are_scikit_learns(case: tuple[Outcomes, np.ndarray, int]) -> None:
    outcomes, labels, seed = case
    weights = np.random.default_rng(seed).integers(1, 9, len(outcomes)) / 4
    with warnings.catch_warnings(action="ignore"):
        check_classification(outcomes, labels, np.arange(len(outcomes)), weights, weights)


@settings(max_examples=60, deadline=None)
@given(classified())
def test_a_resample_as_weights_equals_its_repeated_rows(case: tuple[Outcomes, np.ndarray, int]) -> None:
    outcomes, labels, seed = case
    drawn = np.random.default_rng(seed).integers(0, len(outcomes), len(outcomes))
    with warnings.catch_warnings(action="ignore"):
        weights = np.bincount(drawn, minlength=len(outcomes))
        check_classification(outcomes, labels, np.repeat(np.arange(len(outcomes)), weights), None, weights)


@settings(max_examples=80, deadline=None)
@given(measured(), st.sampled_from(["none", "fractions", "resample"]), st.integers(0, 2**31))
def test_regression_metrics_are_scikit_learns(case: tuple[Outcomes, int], kind: str, seed: int) -> None:
    outcomes, rng = case[0], np.random.default_rng(seed)
    size = len(outcomes)
    rows, weights, given_weights = np.arange(size), None, None
    if kind == "fractions":
        weights = given_weights = rng.integers(1, 9, size).astype(float)
    elif kind == "resample":
        given_weights = np.bincount(rng.integers(0, size, size), minlength=size)
        rows = np.repeat(rows, given_weights)
    truth, predicted = outcomes.truth[rows], outcomes.predicted[rows]
    for name, value in values(applicable(outcomes), outcomes, given_weights).items():
        if undefined_values(name, outcomes, np.repeat(truth, weights.astype(int)) if weights is not None else truth):
            assert value is None, name
        else:
            assert value == close(value_reference(name, truth, predicted, weights)), name


def undefined_values(name: str, outcomes: Outcomes, truth: np.ndarray) -> bool:
    """Where scikit-learn raises, divides by zero or answers 1 or 0 by convention."""
    return {
        "r2": len(set(truth)) == 1,
        "root_mean_squared_log_error": min(outcomes.truth.min(), outcomes.predicted.min()) <= -1,
        "mean_absolute_error_relative": np.median(truth) == 0,
    }.get(name, False)


@settings(max_examples=25, deadline=None)
@given(classified(), st.integers(1, 5))
def test_many_resamples_at_once_equal_one_at_a_time(case: tuple[Outcomes, np.ndarray, int], resamples: int) -> None:
    outcomes, _, seed = case
    names = [name for name in applicable(outcomes) if not obstacle(name, outcomes)]
    weights = np.random.default_rng(seed).integers(0, 3, (resamples, len(outcomes)))
    weights[:, 0] += 1
    measure = statistic(names, outcomes)
    together = measure(weights)
    for index in range(resamples):
        alone = measure(weights[index : index + 1])
        for name in names:
            np.testing.assert_allclose(together[name][index], alone[name][0], rtol=1e-13, err_msg=name)


@settings(max_examples=25, deadline=None)
@given(classified())
def test_the_order_of_rows_does_not_matter(case: tuple[Outcomes, np.ndarray, int]) -> None:
    outcomes, _, seed = case
    shuffled = outcomes.take(np.random.default_rng(seed).permutation(len(outcomes)))
    before, after = (values(applicable(outcomes), each) for each in (outcomes, shuffled))
    assert after == {name: close(value) for name, value in before.items()}


def test_every_metric_of_the_catalogue_is_computed() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(50)
    given = Predictions(p > 0.5, np.column_stack([1 - p, p]), (False, True))
    two_classes = read_outcomes("classification", rng.random(50) < p, given)
    numbers = read_outcomes("regression", p + 1, Predictions(rng.random(50) + 1))
    for outcomes in (two_classes, numbers):
        measured = values(metrics_of(outcomes.task), outcomes)
        assert [name for name, value in measured.items() if value is None] == []


@pytest.mark.parametrize(
    ("name", "truth", "predictions", "reason"),
    [
        ("f1", "abc", Predictions(np.array(list("abc"))), "f1 is for two classes, here are 3"),
        ("log_loss", "ab", Predictions(np.array(list("ab"))), "gives no probabilities"),
        ("roc_auc", "aa", Predictions(np.array(list("ab")), np.eye(2), ("a", "b")), "no row is of class 'b'"),
        ("roc_auc", "aa", Predictions(np.array(list("aa")), np.ones((2, 1)), ("a",)), "every row is of one class"),
        ("accuracy", "", Predictions(np.array([], dtype=object)), "there are no rows"),
        ("root_mean_squared_log_error", [1.0, 2.0], Predictions(np.array([-1.0, 2.0])), "-1 or less"),
    ],
)
def test_a_metric_that_cannot_be_computed_says_why_and_has_no_value(
    name: str, truth: Any, predictions: Predictions, reason: str
) -> None:
    outcomes = read_outcomes(METRICS[name].task, np.array(list(truth)), predictions)
    assert reason in obstacle(name, outcomes)
    assert values([name], outcomes) == {name: None}


def test_f_beta_weighs_recall_by_the_square_of_beta_and_has_intervals() -> None:
    """Two hits, one false alarm, two missed: precision 2/3, recall 1/2."""
    truth, predicted = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0]), np.array([1, 1, 0, 0, 1, 0, 0, 0, 0])
    measured = estimate(["f1", "f2", "f0_5"], read_outcomes("classification", truth, Predictions(predicted)))
    expected = {"f1": 4 / 7, "f2": 5 * 2 / (5 * 2 + 4 * 2 + 1), "f0_5": 1.25 * 2 / (1.25 * 2 + 0.25 * 2 + 1)}
    assert {name: each.value for name, each in measured.items()} == pytest.approx(expected)
    for name, each in measured.items():
        assert each.interval and each.interval[0] < expected[name] < each.interval[1]
    perfect = estimate(["f2"], read_outcomes("classification", truth, Predictions(truth)))["f2"]
    assert perfect.value == 1 and perfect.interval and perfect.interval[0] < 0.6


def test_a_metric_of_the_other_task_is_refused() -> None:
    outcomes = read_outcomes("regression", [1.0], Predictions(np.array([1.0])))
    with pytest.raises(SpecError, match=r"'accuracy' is not a regression metric\. Metrics: mean_absolute_error, "):
        obstacle("accuracy", outcomes)


def test_area_under_the_curve_equals_proc_on_its_published_data(golden_data: Path) -> None:
    rows = pd.read_csv(golden_data / "aSAH.csv")
    poor = (rows["outcome"].str.lower() == "poor").to_numpy()
    for column, expected in (("wfns", 0.82367886), ("s100b", 0.73136856)):
        score = rows[column].to_numpy(dtype=float)
        score = score / score.max()
        given = Predictions(score > 0.5, np.column_stack([1 - score, score]), (False, True))
        assert values(["roc_auc"], read_outcomes("classification", poor, given))["roc_auc"] == pytest.approx(expected)
