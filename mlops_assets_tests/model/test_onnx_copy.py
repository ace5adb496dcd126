import hashlib

import numpy as np
import pytest

from mlops_assets.metrics.outcomes import Predictions
from mlops_assets.model.onnx_copy import TOLERANCE, CannotConvert, compare, export, export_if_equal, score
from mlops_assets.model.prediction import predict
from mlops_assets_tests.model.conftest import held_out

SMALL = {"n_estimators": 20}
FAMILIES = [
    (None, "text", {}),
    (None, "boolean", {}),
    (None, "number", {}),
    ("sklearn.ensemble.RandomForestClassifier", "text", SMALL),
    ("sklearn.ensemble.RandomForestRegressor", "number", SMALL),
    ("sklearn.ensemble.ExtraTreesClassifier", "integer", SMALL),
    ("sklearn.ensemble.ExtraTreesRegressor", "number", SMALL),
    ("sklearn.ensemble.GradientBoostingClassifier", "boolean", SMALL),
    ("sklearn.ensemble.GradientBoostingRegressor", "number", SMALL),
    ("sklearn.tree.DecisionTreeClassifier", "boolean", {}),
    ("sklearn.tree.DecisionTreeRegressor", "number", {}),
    ("sklearn.linear_model.LogisticRegression", "text", {}),
    ("sklearn.linear_model.LinearRegression", "number", {}),
    ("sklearn.linear_model.Ridge", "number", {}),
    ("sklearn.neural_network.MLPClassifier", "integer", {"hidden_layer_sizes": [8], "max_iter": 500}),
    ("sklearn.neural_network.MLPRegressor", "number", {"hidden_layer_sizes": [8], "solver": "lbfgs"}),
    ("xgboost.XGBClassifier", "text", SMALL),
    ("xgboost.XGBClassifier", "boolean", SMALL),
    ("xgboost.XGBClassifier", "position", SMALL),
    ("xgboost.XGBRegressor", "number", SMALL),
    ("lightgbm.LGBMClassifier", "text", SMALL),
    ("lightgbm.LGBMRegressor", "number", SMALL),
]
PREPARATIONS = {
    "default": {},
    "ordinal, mean, robust": {"categorical": {"encode": "ordinal"}, "numeric": {"impute": "mean", "scale": "robust"}},
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("preparation", PREPARATIONS)
@pytest.mark.parametrize(("estimator", "target", "params"), FAMILIES)
def test_the_copy_predicts_what_the_pipeline_does(mixed, unseen, path, estimator, target, params, preparation):
    """On rows with other numbers, empty cells and a category that training never saw."""
    pipeline = mixed(estimator, target, params=params, **PREPARATIONS[preparation]).train().pipeline
    fitted = predict(pipeline, unseen)
    digest = export(pipeline, path)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert compare(path, unseen, fitted) <= TOLERANCE
    copy = score(path, unseen)
    assert copy.classes == fitted.classes
    if fitted.classes:
        assert copy.values.dtype.kind == fitted.values.dtype.kind or fitted.values.dtype.kind == "U"
        assert (copy.values == fitted.values).mean() > 0.99
        assert copy.probabilities is not None
        assert copy.probabilities.shape == (len(unseen), len(fitted.classes))
    else:
        assert copy.values == pytest.approx(fitted.values, rel=TOLERANCE)


@pytest.mark.parametrize("target", ["text", "number"])
@pytest.mark.parametrize("library", ["sklearn", "lightgbm"])
def test_numbers_that_only_doubles_tell_apart_go_the_same_way(mixed, path, library, target):
    """Thresholds rounded to 32 bits would send rows astray."""
    name = "LGBMRegressor" if target == "number" else "LGBMClassifier"
    case = mixed(f"lightgbm.{name}" if library == "lightgbm" else None, target)
    case.rows["living area"] = 1e6 + (case.rows["living area"] - 5000) / 1000
    pipeline = case.train().pipeline
    export(pipeline, path)
    assert compare(path, case.inputs, predict(pipeline, case.inputs)) <= TOLERANCE


def test_boosting_routes_empty_numbers_by_itself_where_nothing_fills_them(mixed, unseen, path):
    pipeline = mixed(numeric={"impute": "none"}).train().pipeline
    export(pipeline, path)
    assert compare(path, unseen, predict(pipeline, unseen)) <= TOLERANCE


def test_names_that_onnx_would_confuse_stay_apart(mixed, path):
    case = mixed("sklearn.linear_model.LogisticRegression")
    renamed = {"living area": "a b", "age": "a_b", "rooms": "label", "kind": "probabilities"}
    columns = [column.model_copy(update={"name": renamed[column.name]}) for column in case.features.columns]
    rows = case.rows.rename(columns={"label": "target", **renamed})
    features = case.features.model_copy(update={"columns": columns, "target": "target"})
    pipeline = type(case)(case.spec, features, rows).train().pipeline
    export(pipeline, path)
    assert compare(path, rows, predict(pipeline, rows[features.names])) <= TOLERANCE


def test_the_order_of_columns_does_not_matter(mixed, unseen, path):
    pipeline = mixed().train().pipeline
    export(pipeline, path)
    turned = unseen[unseen.columns[::-1]]
    assert compare(path, turned, predict(pipeline, unseen)) <= TOLERANCE


def test_what_validation_rows_decided_has_no_copy_and_says_so(mixed, unseen, path):
    for model, step in (({"calibration": "sigmoid"}, "Calibrated"), ({"threshold": {"maximise": "f1"}}, "FixedThr")):
        case = mixed("sklearn.linear_model.LogisticRegression", "boolean", **model)
        pipeline = case.train(held_out("boolean")).pipeline
        digest, note = export_if_equal("auto", pipeline, unseen, predict(pipeline, unseen), path)
        assert digest is None and note.startswith(f"no ONNX copy: {step}") and not path.exists()
        with pytest.raises(CannotConvert, match="which rules a fitted estimator, "):
            export_if_equal("required", pipeline, unseen, predict(pipeline, unseen), path)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ({"estimator": "catboost.CatBoostClassifier", "params": {"iterations": 3}}, "CatBoostClassifier"),
        ({"categorical": {"min_frequency": 100}}, "Infrequent categories are not implemented"),
        ({"transformer": "sklearn.preprocessing.FunctionTransformer"}, "the step FunctionTransformer has no ONNX form"),
    ],
)
def test_what_cannot_be_converted_says_so(mixed, unseen, path, model, reason):
    pipeline = mixed(**model).train().pipeline
    fitted = predict(pipeline, unseen)
    digest, note = export_if_equal("auto", pipeline, unseen, fitted, path)
    assert digest is None
    assert note.startswith("no ONNX copy: ")
    assert reason in note
    assert not path.exists()
    with pytest.raises(CannotConvert, match=r"model\.onnx is 'required', but .*Remedy: onnx: auto"):
        export_if_equal("required", pipeline, unseen, fitted, path)


@pytest.mark.parametrize("target", ["text", "number"])
def test_a_copy_that_differs_is_not_kept(mixed, unseen, path, target):
    pipeline = mixed(target=target).train().pipeline
    fitted = predict(pipeline, unseen)
    shifted = (
        Predictions(fitted.values * 1.001)
        if fitted.probabilities is None
        else Predictions(fitted.values, fitted.probabilities + 0.001, fitted.classes)
    )
    digest, note = export_if_equal("auto", pipeline, unseen, shifted, path)
    assert digest is None
    assert "the copy differs by 0.001 (allowed: 1e-05)" in note
    assert not path.exists()
    with pytest.raises(CannotConvert, match=r"differs by 0\.001"):
        export_if_equal("required", pipeline, unseen, shifted, path)


def test_an_equal_copy_is_kept_with_the_figure(mixed, unseen, path):
    pipeline = mixed().train().pipeline
    digest, note = export_if_equal("required", pipeline, unseen, predict(pipeline, unseen), path)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert note.startswith("differs by at most ")
    assert "on 200 rows (allowed: 1e-05)" in note


def test_no_copy_is_made_where_it_is_switched_off(mixed, unseen, path):
    pipeline = mixed().train().pipeline
    assert export_if_equal("off", pipeline, unseen, predict(pipeline, unseen), path) == (
        None,
        "switched off by model.onnx",
    )
    assert not path.exists()


def test_swapped_labels_are_told_although_probabilities_agree(mixed, unseen, path):
    pipeline = mixed(target="boolean").train().pipeline
    fitted = predict(pipeline, unseen)
    export(pipeline, path)
    assert compare(path, unseen, Predictions(~fitted.values, fitted.probabilities, fitted.classes)) == 1.0


def test_a_prediction_near_zero_is_compared_with_the_usual_size(mixed, unseen, path):
    """Relative to itself a prediction of nearly 0 would differ by any amount."""
    pipeline = mixed("sklearn.linear_model.Ridge", "number").train().pipeline
    fitted = predict(pipeline, unseen)
    export(pipeline, path)
    nearly_zero = np.where(np.arange(len(unseen)) == 0, 1e-9, fitted.values)
    assert compare(path, unseen, Predictions(nearly_zero)) < 10
