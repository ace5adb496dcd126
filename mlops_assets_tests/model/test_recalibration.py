from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline

from mlops_assets.errors import SpecError, TrainingError
from mlops_assets.evaluation.diagnoses.calibration_null import bin_events, null_errors
from mlops_assets.model import artefact
from mlops_assets.model.estimator import check_estimator
from mlops_assets.model.held_out import held_out_rows
from mlops_assets.model.prediction import predict
from mlops_assets.model.recalibration import recalibrated, recalibrated_if_better
from mlops_assets.model.temperature_scaling import fit_temperature
from mlops_assets_tests.model.conftest import held_out, mixed_rows

METHODS = ["sigmoid", "isotonic", "temperature"]
FOREST = "sklearn.ensemble.RandomForestClassifier"


def doubled_logits(rows: int) -> tuple[Pipeline, pd.DataFrame, np.ndarray]:
    """A fitted pipeline that states twice the logits of the events' true chances, U(0, 1)."""
    rng = np.random.default_rng(1)
    chance = rng.uniform(size=rows)
    frame = pd.DataFrame({"logit": np.log(chance / (1 - chance))})
    happened = rng.uniform(size=rows) < chance
    pipeline = Pipeline([("prepare", "passthrough"), ("estimator", LogisticRegression())]).fit(frame, happened)
    estimator: Any = pipeline["estimator"]
    estimator.coef_, estimator.intercept_ = np.array([[2.0]]), np.array([0.0])
    return pipeline, frame, happened


def test_temperature_finds_and_mends_doubled_logits() -> None:
    """Section 7: error .097, T = 2 within .1."""
    pipeline, frame, happened = doubled_logits(200_000)
    stated = pipeline.predict_proba(frame)
    assert fit_temperature(stated, happened.astype(int)) == pytest.approx(2, abs=0.1)
    assert bin_events(stated[:, 1], happened).ece == pytest.approx(0.097, abs=0.002)
    half = len(frame) // 2
    mended = recalibrated(pipeline, "temperature", frame.iloc[:half], happened[:half]).predict_proba(frame[half:])
    assert fit_temperature(mended, happened[half:].astype(int)) == pytest.approx(1, abs=0.05)
    assert bin_events(mended[:, 1], happened[half:]).ece < 1.5 * np.quantile(null_errors(mended[:, 1], draws=300), 0.95)


@pytest.mark.parametrize("method", METHODS)
def test_an_overconfident_forest_states_better_probabilities_and_predicts_by_them(mixed, method) -> None:
    params = {"n_estimators": 10}
    validation, fresh = held_out("integer", count=400), mixed_rows("integer", seed=9, count=800)
    plain = mixed(FOREST, "integer", params=params).train()
    trained = mixed(FOREST, "integer", params=params, calibration=method, intervals=None).train(validation)
    assert (plain.calibration_rows, trained.calibration_rows) == (0, 400)
    before, after = (predict(one.pipeline, fresh) for one in (plain, trained))
    assert log_loss(fresh["label"], after.probabilities) < log_loss(fresh["label"], before.probabilities) - 0.05
    assert after.classes == (1, 2, 3) and after.probabilities is not None
    assert (after.values == np.array([1, 2, 3])[after.probabilities.argmax(axis=1)]).all()
    assert after.probabilities.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("method", METHODS)
def test_the_names_of_the_classes_do_not_matter(mixed, method) -> None:
    """scikit-learn's temperature takes the labels 1, 2, 3 for positions."""
    stated = [
        mixed("sklearn.linear_model.LogisticRegression", target, calibration=method)
        .train(held_out(target))
        .pipeline.predict_proba(mixed_rows(target, seed=9))
        for target in ("position", "integer", "text")
    ]
    assert (stated[0] == stated[1]).all() and (stated[0] == stated[2]).all()


def test_a_classifier_without_probabilities_gets_them(mixed) -> None:
    trained = mixed("sklearn.svm.SVC", "boolean", calibration="sigmoid").train(held_out("boolean"))
    stated = predict(trained.pipeline, held_out("boolean")).probabilities
    assert stated is not None and stated.shape == (240, 2)


def test_only_the_calibrating_half_is_seen_where_there_are_intervals(mixed) -> None:
    validation = held_out("boolean")
    case = mixed(FOREST, "boolean", params={"n_estimators": 5}, calibration="sigmoid")
    halves = held_out_rows(case.spec, case.features, validation)
    assert (halves.calibration ^ halves.intervals).all()
    assert 90 < halves.calibration.sum() < 150
    trained = case.train(validation)
    assert trained.calibration_rows == halves.calibration.sum()
    assert trained.intervals.rows == halves.intervals.sum()
    flipped = validation.assign(label=validation["label"] ^ halves.intervals)
    stated = [one.pipeline.predict_proba(validation) for one in (trained, case.train(flipped))]
    assert (stated[0] == stated[1]).all()


def test_a_row_and_its_copies_are_in_one_half_wherever_they_stand(mixed) -> None:
    case = mixed(FOREST, "boolean", calibration="sigmoid")
    validation = held_out("boolean")
    doubled = pd.concat([validation, validation]).sample(frac=1, random_state=0)
    alone, together = (held_out_rows(case.spec, case.features, rows) for rows in (validation, doubled))
    of_identity = dict(zip(validation["_identity"], alone.calibration, strict=True))
    assert together.calibration.tolist() == [of_identity[one] for one in doubled["_identity"]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.iloc[:0], "model.calibration 'sigmoid' needs 30 validation rows, has 0. Remedy: a larger"),
        (lambda rows: rows.head(40), r"needs 30 validation rows, has \d\d. Remedy"),
        (lambda rows: rows[rows["label"] != "low"], "validation rows of every class, has 0 of class low. Remedy"),
        (lambda rows: rows.assign(label="lowest"), "lowest is not a class of 'label'"),
        (lambda rows: rows.assign(_part="train"), "calibrating takes validation rows only; also given: train"),
        (lambda rows: rows.assign(_part="test"), "calibrating takes validation rows only; also given: test"),
    ],
)
def test_rows_that_cannot_calibrate_are_refused_before_anything_is_fitted(mixed, change, message) -> None:
    case = mixed(FOREST, calibration="sigmoid", params={"n_estimators": "not fitted"})
    with pytest.raises(TrainingError, match=message):
        case.train(change(held_out("text")))


def test_an_estimator_that_states_no_probabilities_is_refused_at_the_start(mixed) -> None:
    with pytest.raises(SpecError, match=r"SVC gives no probabilities\. Remedy: calibration: sigmoid"):
        check_estimator(mixed("sklearn.svm.SVC", threshold={"maximise": "f1"}).spec)
    check_estimator(mixed("sklearn.svm.SVC", threshold={"maximise": "f1"}, calibration="sigmoid").spec)


def test_a_map_that_would_make_it_worse_is_not_taken() -> None:
    """Isotonic steps of few rows are sure of what they have not seen."""
    pipeline, frame, happened = doubled_logits(4_000)
    pipeline["estimator"].coef_ = np.array([[1.0]])  # type: ignore[union-attr]
    few, truth = frame.head(60), happened[:60]
    left = recalibrated_if_better(pipeline, "isotonic", few, truth, np.arange(60))
    assert (left.pipeline, left.method) == (pipeline, "none")
    assert left.note.startswith("none, as isotonic would not help: log loss ")
    forced = recalibrated(pipeline, "isotonic", few, truth)
    fresh = slice(2_000, None)
    losses = [log_loss(happened[fresh], one.predict_proba(frame[fresh])) for one in (left.pipeline, forced)]
    assert losses[0] < losses[1]


def test_a_map_that_helps_is_taken_and_says_how_much() -> None:
    pipeline, frame, happened = doubled_logits(1_000)
    taken = recalibrated_if_better(pipeline, "temperature", frame, happened, np.arange(1_000))
    assert taken.method == "temperature"
    assert taken.note.startswith("temperature: log loss 0.5")


def test_with_few_rows_of_a_class_nothing_is_compared() -> None:
    pipeline, frame, happened = doubled_logits(1_000)
    few = np.concatenate([np.flatnonzero(happened)[:5], np.flatnonzero(~happened)[:60]])
    taken = recalibrated_if_better(pipeline, "sigmoid", frame.iloc[few], happened[few], few)
    assert (taken.method, "not compared" in taken.note) == ("sigmoid", True)


@pytest.mark.parametrize("method", METHODS)
def test_every_map_is_stored_as_it_is(method, tmp_path) -> None:
    pipeline, frame, happened = doubled_logits(1_000)
    mapped = recalibrated(pipeline, method, frame, happened)
    artefact.dump(mapped, tmp_path / "model.skops")
    artefact.verify(tmp_path / "model.skops", artefact.digest(tmp_path / "model.skops"), frame, predict(mapped, frame))


def test_copies_of_a_row_do_not_speak_for_the_map() -> None:
    """Each row ten times: in another fold, its copies would tell the steps what they will be asked."""
    pipeline, frame, happened = doubled_logits(4_000)
    pipeline["estimator"].coef_ = np.array([[1.0]])  # type: ignore[union-attr]
    rows = np.repeat(np.arange(60), 10)
    copies, truth = frame.iloc[rows], happened[rows]
    assert recalibrated_if_better(pipeline, "isotonic", copies, truth, rows).method == "none"
    assert recalibrated_if_better(pipeline, "isotonic", copies, truth, np.arange(600)).method == "isotonic"
