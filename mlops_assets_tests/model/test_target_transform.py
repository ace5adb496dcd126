"""Models of the logarithm of their target."""

from pathlib import Path

import numpy as np
import pytest

from mlops_assets.errors import SpecError, TrainingError
from mlops_assets.model.artefact import digest, dump, verify
from mlops_assets.model.onnx_copy import export_if_equal
from mlops_assets.model.pipeline import make_pipeline
from mlops_assets.model.prediction import predict

ESTIMATORS = [
    None,
    "sklearn.linear_model.LinearRegression",
    "sklearn.ensemble.RandomForestRegressor",
    "xgboost.XGBRegressor",
    "lightgbm.LGBMRegressor",
]


def skewed(mixed, estimator: str | None = None, **model):
    """A case whose target is the exponential of its other one."""
    small = {} if "linear" in (estimator or "") else {"n_estimators" if estimator else "max_iter": 30}
    case = mixed(estimator, "number", params=small, **model)
    score = case.rows["label"].astype(float)
    case.rows["label"] = np.exp((score - score.mean()) / score.std())
    return case


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_what_is_learnt_is_the_logarithm_and_what_is_predicted_the_target(mixed, tmp_path: Path, estimator):
    case = skewed(mixed, estimator, target_transform="log")
    pipeline = case.train().pipeline
    predictions = predict(pipeline, case.inputs)
    inner = pipeline["estimator"].regressor_.predict(pipeline["prepare"].transform(case.inputs))
    assert predictions.values == pytest.approx(np.exp(inner), rel=1e-6)
    assert np.corrcoef(np.log(predictions.values), np.log(case.rows["label"]))[0, 1] > 0.85
    dump(pipeline, tmp_path / "model.skops")
    verify(tmp_path / "model.skops", digest(tmp_path / "model.skops"), case.inputs, predictions)


def test_a_line_through_logarithms_fits_a_product_better_than_a_line(mixed):
    straight = skewed(mixed, "sklearn.linear_model.LinearRegression")
    logarithmic = skewed(mixed, "sklearn.linear_model.LinearRegression", target_transform="log")

    def score(case):
        return case.train().pipeline.score(case.inputs, case.rows["label"])

    assert score(logarithmic) > score(straight) + 0.05


def test_there_is_no_onnx_copy_and_the_note_says_why(mixed, tmp_path: Path):
    case = skewed(mixed, target_transform="log")
    pipeline = case.train().pipeline
    made, note = export_if_equal("auto", pipeline, case.inputs, predict(pipeline, case.inputs), tmp_path / "model.onnx")
    assert made is None
    assert note.startswith("no ONNX copy: TransformedTargetRegressor")


@pytest.mark.parametrize(("estimator", "scaled"), [(None, False), ("sklearn.linear_model.LinearRegression", True)])
def test_numbers_are_scaled_for_the_estimator_within(mixed, estimator, scaled):
    case = skewed(mixed, estimator, target_transform="log")
    _, numeric, _ = make_pipeline(case.spec, case.features).named_steps["prepare"].transformers[0]
    assert ("scale" in dict(numeric.steps)) is scaled


def test_classes_have_no_logarithm(mixed):
    with pytest.raises(SpecError, match="target_transform 'log' is for regression"):
        mixed(target_transform="log").train()


def test_a_target_without_logarithm_is_refused_by_name(mixed):
    case = skewed(mixed, target_transform="log")
    case.rows.loc[case.rows.index[:2], "label"] = 0.0
    with pytest.raises(TrainingError, match=r"needs a positive 'label'; 2 of \d+ rows are not"):
        case.train()


def test_the_number_of_cores_leaves_no_trace(mixed):
    pipeline = skewed(mixed, target_transform="log").train().pipeline
    assert pipeline["estimator"].regressor_._bin_mapper.n_threads == 1
