import numpy as np
import pytest

from mlops_assets.model.pipeline import make_baselines, make_pipeline

TREES = [
    None,
    "sklearn.ensemble.RandomForestClassifier",
    "sklearn.ensemble.GradientBoostingClassifier",
    "sklearn.tree.DecisionTreeClassifier",
    "xgboost.XGBClassifier",
    "lightgbm.LGBMClassifier",
]


def prepared(case):
    pipeline = case.train().pipeline
    return pipeline["prepare"].transform(case.inputs)


def numeric_steps(pipeline):
    _, numeric, _ = pipeline.named_steps["prepare"].transformers[0]
    return [name for name, _ in numeric.steps]


@pytest.mark.parametrize(
    ("estimator", "scale", "steps"),
    [
        *((estimator, "auto", ["impute"]) for estimator in TREES),
        ("sklearn.linear_model.LogisticRegression", "auto", ["impute", "scale"]),
        ("sklearn.neural_network.MLPClassifier", "auto", ["impute", "scale"]),
        ("sklearn.linear_model.LogisticRegression", "none", ["impute"]),
        (None, "standard", ["impute", "scale"]),
    ],
)
def test_numbers_are_scaled_where_it_matters(mixed, estimator, scale, steps):
    case = mixed(estimator, numeric={"scale": scale})
    assert numeric_steps(make_pipeline(case.spec, case.features)) == steps


def test_empty_numbers_become_the_median_of_the_train_rows(mixed):
    case = mixed()
    assert prepared(case)[case.rows["age"].isna(), 1] == pytest.approx(case.rows["age"].median())


def test_empty_numbers_stay_empty_where_declared(mixed):
    case = mixed(numeric={"impute": "none"})
    assert np.isnan(prepared(case)[case.rows["age"].isna(), 1]).all()


def test_a_column_that_is_empty_in_training_stays_a_column(mixed):
    case = mixed("sklearn.linear_model.LogisticRegression")
    case.rows["age"] = np.nan
    assert prepared(case).shape[1] == 3 + 4


def test_both_kinds_of_empty_category_become_one(mixed):
    case = mixed()
    encoder = case.train().pipeline["prepare"].named_transformers_["categorical"]["encode"]
    assert encoder.categories_[0].tolist() == ["flat", "house", "loft", "missing"]


def test_an_unknown_category_is_all_zeros(mixed, unseen):
    pipeline = mixed().train().pipeline
    codes = pipeline["prepare"].transform(unseen)[:, 3:]
    assert (codes.sum(axis=1) == (unseen["kind"] != "castle")).all()


def test_an_unknown_category_is_minus_one_in_ordinal_codes(mixed, unseen):
    pipeline = mixed(categorical={"encode": "ordinal"}).train().pipeline
    codes = pipeline["prepare"].transform(unseen)[:, 3]
    assert ((codes == -1) == (unseen["kind"] == "castle")).all()


def test_rare_categories_share_a_column(mixed):
    case = mixed(categorical={"min_frequency": 100})
    assert prepared(case).shape[1] == 3 + 1


def test_a_declared_transformer_comes_first_and_decides_the_columns(plain):
    case = plain("sklearn.linear_model.LogisticRegression", transformer="sklearn.preprocessing.PolynomialFeatures")
    trained = case.train()
    assert [name for name, _ in trained.pipeline.steps] == ["transform", "prepare", "estimator"]
    assert trained.pipeline["estimator"].n_features_in_ == 1 + 13 + 13 * 14 // 2
    assert [name for name, _ in trained.baselines["linear"].steps] == ["transform", "prepare", "estimator"]


@pytest.mark.parametrize(("target", "linear"), [("text", "LogisticRegression"), ("number", "Ridge")])
def test_the_baseline_is_a_scaled_linear_model(mixed, target, linear):
    case = mixed(target=target, numeric={"impute": "none", "scale": "none"})
    baselines = make_baselines(case.spec, case.features)
    assert type(baselines["linear"]["estimator"]).__name__ == linear
    assert numeric_steps(baselines["linear"]) == ["impute", "scale"]


@pytest.mark.parametrize(
    "estimator", ["xgboost.XGBClassifier", "lightgbm.LGBMClassifier", "catboost.CatBoostClassifier"]
)
@pytest.mark.parametrize(
    ("target", "classes"),
    [
        ("text", ["high", "low", "middle"]),
        ("integer", [1, 2, 3]),
        ("position", [0, 1, 2]),
        ("boolean", [False, True]),
    ],
)
def test_boosters_predict_the_original_labels(mixed, estimator, target, classes):
    small = {"iterations": 20} if "catboost" in estimator else {"n_estimators": 20}
    case = mixed(estimator, target, params=small)
    pipeline = case.train().pipeline
    labels = pipeline.predict(case.inputs)
    assert pipeline.classes_.tolist() == classes
    assert {type(label) for label in labels.tolist()} == {type(classes[0])}
    assert (labels == case.rows["label"].to_numpy()).mean() > 0.8
