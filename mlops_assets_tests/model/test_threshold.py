from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import TrainingError
from mlops_assets.metrics.catalogue import METRICS, metrics_of
from mlops_assets.metrics.outcomes import Predictions, read_outcomes
from mlops_assets.metrics.scoring import values
from mlops_assets.model.prediction import predict
from mlops_assets.model.spec import ThresholdSpec
from mlops_assets.model.threshold import ROUNDING, candidates, choose
from mlops_assets_tests.model.conftest import held_out, mixed_rows

OF_LABELS = [name for name in metrics_of("classification") if METRICS[name].needs == "labels"]
COSTS = {"cost": {"false_positive": 1, "false_negative": 5}}
AIMS = [*({"maximise": name} for name in OF_LABELS), COSTS]


def aim(declared: dict[str, Any]) -> ThresholdSpec:
    return ThresholdSpec.model_validate(declared)


def value_at(threshold: float, declared: dict[str, Any], probabilities: np.ndarray, truth: np.ndarray) -> float | None:
    """By the catalogue's own metric, or the mean cost."""
    called = probabilities >= threshold
    if "cost" in declared:
        return float(np.mean((called & ~truth) + 5 * (~called & truth)))
    found = read_outcomes("classification", truth, Predictions(called), (False, True))
    return values([declared["maximise"]], found)[declared["maximise"]]


@given(
    stated=st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])), min_size=2, max_size=25),
    declared=st.sampled_from(AIMS),
    single=st.booleans(),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=80, deadline=None)
def test_no_threshold_is_better_and_none_as_good_is_nearer_to_a_half(
    stated: list[float], declared: dict[str, Any], single: bool, seed: int
) -> None:
    probabilities = np.array(stated, dtype=np.float32 if single else np.float64)
    truth = np.random.default_rng(seed).uniform(size=len(stated)) < 0.5
    assume(0 < truth.sum() < len(truth))
    found = choose(aim(declared), probabilities, truth, True)
    assert found.value == pytest.approx(value_at(found.threshold, declared, probabilities, truth))
    others = {0.0, 0.5, 1.0, *probabilities.tolist(), *np.linspace(0, 1, 7).astype(probabilities.dtype).tolist()}
    sign = -1 if "cost" in declared else 1
    reached = {one: value_at(one, declared, probabilities, truth) for one in others}
    assert all(sign * value <= sign * found.value + 1e-9 for value in reached.values() if value is not None)
    looked_at = {one: value_at(one, declared, probabilities, truth) for one in candidates(probabilities).tolist()}
    tied = [one for one, value in looked_at.items() if value is not None and abs(value - found.value) < ROUNDING]
    assert abs(found.threshold - 0.5) == min(abs(one - 0.5) for one in tied)
    assert found.usual_value == (None if reached[0.5] is None else pytest.approx(reached[0.5]))


def test_the_threshold_of_true_chances_is_that_of_the_costs() -> None:
    """False alarms at 1, misses at 5: call from 1 / (1 + 5) on (Elkan 2001)."""
    rng = np.random.default_rng(0)
    chances = rng.uniform(size=100_000)
    found = choose(aim(COSTS), chances, rng.uniform(size=100_000) < chances, 1)
    assert found.threshold == pytest.approx(1 / 6, abs=0.02)
    # The integral of min(p, 5 (1 - p)) over the better of both, and of calling from a half on.
    assert found.value == pytest.approx(5 / 12, abs=0.01)
    assert found.usual_value == pytest.approx(6 / 8, abs=0.01)
    assert found.objective == "cost per row (1 false positive, 5 missed)"


def test_of_two_equally_near_thresholds_the_lower_is_chosen() -> None:
    """Every row is decided alike from .2 to .4 and from .6 to .8; a half is worse than both."""
    stated = np.array([0.2, 0.4, 0.6, 0.8])
    found = choose(aim({"maximise": "accuracy"}), stated, np.array([False, True, False, True]), 1)
    assert (found.threshold, found.value, found.usual_value) == (pytest.approx(0.3), 0.75, 0.5)


@pytest.mark.parametrize(
    ("estimator", "params"),
    [("sklearn.linear_model.LogisticRegression", {}), ("xgboost.XGBClassifier", {"n_estimators": 20, "n_jobs": 1})],
)
@pytest.mark.parametrize("positive", [True, False])
def test_the_artefact_decides_by_the_threshold(mixed, unseen, estimator, params, positive) -> None:
    case = mixed(estimator, "boolean", params=params, threshold={"maximise": "f2"})
    spec = SystemSpec.model_validate({**case.spec.model_dump(), "evaluation": {"positive": positive}})
    validation = held_out("boolean")
    trained = type(case)(spec, case.features, case.rows).train(validation)
    decision = trained.decision
    assert decision and decision.positive is positive and decision.threshold != 0.5 and decision.rows == 240
    for rows in (unseen, validation):
        found = predict(trained.pipeline, rows)
        assert found.classes == (False, True) and found.probabilities is not None
        called = found.probabilities[:, int(positive)] >= decision.threshold
        assert (found.values == (called == positive)).all()
    outcomes = read_outcomes("classification", validation["label"].to_numpy(), found, positive=positive)
    assert values(["f2"], outcomes)["f2"] == pytest.approx(decision.value)
    assert decision.value > decision.usual_value
    plain = mixed(estimator, "boolean", params=params).train().pipeline
    assert (plain.predict_proba(unseen) == trained.pipeline.predict_proba(unseen)).all()


@pytest.mark.parametrize("labels", [("no", "yes"), (0, 1), (1, 2)])
def test_labels_of_any_type_are_decided(mixed, labels) -> None:
    case = mixed("sklearn.linear_model.LogisticRegression", "boolean", threshold=COSTS, calibration="isotonic")
    features = case.features.model_copy(update={"classes": list(labels)})
    named = [
        rows.assign(label=[labels[int(one)] for one in rows["label"]]) for rows in (case.rows, held_out("boolean"))
    ]
    trained = type(case)(case.spec, features, named[0]).train(named[1])
    found = predict(trained.pipeline, named[1])
    assert trained.decision.positive == labels[1] and found.probabilities is not None
    called = found.probabilities[:, 1] >= trained.decision.threshold
    assert found.values.tolist() == [labels[int(one)] for one in called]


def test_three_classes_or_a_foreign_positive_class_are_refused(mixed) -> None:
    with pytest.raises(TrainingError, match=r"model\.threshold is for two classes, 'label' has 3"):
        mixed(target="text", threshold=COSTS).train(held_out("text"))
    case = mixed(target="boolean", threshold=COSTS)
    spec = SystemSpec.model_validate({**case.spec.model_dump(), "evaluation": {"positive": "yes"}})
    with pytest.raises(TrainingError, match=r"'yes' is not a class\. Classes: False, True"):
        type(case)(spec, case.features, case.rows).train(held_out("boolean"))
    with pytest.raises(TrainingError, match=r"model\.threshold needs 30 validation rows, has 20"):
        case.train(held_out("boolean", count=20))


def declared(**parts: Any) -> SystemSpec:
    columns = {"x": {"type": "float"}, "goal": {"type": "integer"}, "late": {"type": "integer", "post_outcome": True}}
    base = {"name": "plant", "task": "classification", "dataset": {"target": "goal", "columns": columns}}
    return SystemSpec.model_validate({**base, **parts})


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"task": "regression", "model": {"calibration": "isotonic"}}, "calibration is for classification"),
        ({"task": "regression", "model": {"threshold": COSTS}}, "threshold is for classification"),
        (
            {"model": {"calibration": "sigmoid"}, "features": {"split": {"validation": 0}}},
            "calibration needs validation rows, features.split.validation is 0",
        ),
        (
            {"model": {"threshold": COSTS}, "features": {"split": {"validation": 0}}},
            "threshold needs validation rows, features.split.validation is 0",
        ),
        ({"model": {"threshold": {}}}, "exactly one of maximise, cost"),
        ({"model": {"threshold": {"maximise": "f1", **COSTS}}}, "exactly one of maximise, cost"),
        ({"model": {"threshold": {"maximise": "f3"}}}, "'f3' is not a metric of predicted labels. Metrics: accuracy"),
        ({"model": {"threshold": {"maximise": "log_loss"}}}, "'log_loss' is not a metric of predicted labels"),
        ({"model": {"calibration": "platt"}}, "'none', 'sigmoid', 'isotonic' or 'temperature'"),
        ({"model": {"intervals": {"by": "region"}}}, "'region' is not a declared column"),
        ({"model": {"intervals": {"by": "goal"}}}, "'goal' is known only after the outcome"),
        ({"model": {"intervals": {"by": "late"}}}, "'late' is known only after the outcome"),
        ({"model": {"intervals": {"by": "x"}}}, "'x' is float; intervals are by a boolean, integer or string column"),
    ],
)
def test_a_declaration_that_cannot_be_meant_is_a_mistake(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        declared(**parts)


def test_a_threshold_for_more_than_two_declared_classes_is_a_mistake() -> None:
    columns = {"x": {"type": "float"}, "goal": {"type": "integer", "allowed": [1, 2, 3]}}
    with pytest.raises(ValidationError, match="a threshold is for two classes, 'goal' has 3"):
        declared(dataset={"target": "goal", "columns": columns}, model={"threshold": COSTS})


def test_without_a_declared_threshold_the_likelier_class_is_predicted(mixed) -> None:
    trained = mixed("sklearn.linear_model.LogisticRegression", "boolean").train(held_out("boolean"))
    assert trained.decision is None
    found = predict(trained.pipeline, mixed_rows("boolean", seed=4))
    assert found.probabilities is not None and (found.values == (found.probabilities[:, 1] > 0.5)).all()
