import sys

import pytest

from mlops_assets.errors import MissingExtra, SpecError
from mlops_assets.model.estimator import check_estimator, effective_params, make_estimator

FOREST = "sklearn.ensemble.RandomForestClassifier"


@pytest.mark.parametrize(
    ("estimator", "params"),
    [
        (None, {}),
        (None, {"max_iter": 50, "learning_rate": 0.2}),
        (FOREST, {"n_estimators": 10, "max_depth": None}),
        ("sklearn.neural_network.MLPClassifier", {"hidden_layer_sizes": [20, 10]}),
        ("xgboost.XGBClassifier", {"max_depth": 3}),
        ("lightgbm.LGBMClassifier", {"num_leaves": 7, "bagging_fraction": 0.8}),
        ("catboost.CatBoostClassifier", {"depth": 3}),
    ],
)
def test_what_fits_the_task_is_accepted(mixed, estimator, params):
    check_estimator(mixed(estimator, params=params).spec)


@pytest.mark.parametrize(
    ("estimator", "params", "message"),
    [
        (
            FOREST,
            {"n_estimatrs": 10},
            r"sys: model\.params: RandomForestClassifier has no parameter 'n_estimatrs'\. "
            r"Did you mean 'n_estimators'\? Parameters: .*max_depth, .*n_estimators",
        ),
        ("xgboost.XGBClassifier", {"max_dpth": 3}, "XGBClassifier has no parameter 'max_dpth'.*'max_depth'"),
        ("lightgbm.LGBMClassifier", {"bagging_fracton": 1}, "no parameter 'bagging_fracton'.*'bagging_fraction'"),
        (FOREST, {"n_estimators": 0}, "sys: model.params: The 'n_estimators' parameter .* Got 0 instead"),
        (FOREST, {"criterion": "beauty"}, "The 'criterion' parameter .*'gini'.* Got 'beauty' instead"),
        ("sklearn.ensemble.RandomForestRegressor", {}, "'sklearn.ensemble.RandomForestRegressor' is not a classifier"),
        ("sklearn.ensemble.RandomForest", {}, "'sklearn.ensemble' has no 'RandomForest'. It has: .*RandomForestClassi"),
        ("sklearn.forests.RandomForest", {}, "'sklearn.forests.RandomForest' does not import"),
        ("sklearn.metrics.accuracy_score", {}, "is not a scikit-learn estimator class"),
        ("sklearn.preprocessing.StandardScaler", {}, "is not a scikit-learn estimator class"),
        ("sklearn.ensemble.VotingClassifier", {}, "VotingClassifier refuses {}: .*'estimators'"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_any_row_is_read(mixed, estimator, params, message):
    with pytest.raises(SpecError, match=message):
        check_estimator(mixed(estimator, params=params).spec)


def test_a_classifier_is_refused_for_regression(mixed):
    with pytest.raises(SpecError, match="is not a regressor, which the task 'regression' needs"):
        check_estimator(mixed(FOREST, target="number").spec)


@pytest.mark.parametrize(
    ("transformer", "message"),
    [
        ("sklearn.preprocessing.StandardScalr", "sys: model.transformer: .* has no 'StandardScalr'"),
        (FOREST, "is not a scikit-learn transformer class"),
        ("sklearn.compose.ColumnTransformer", "cannot be made without arguments: .*'transformers'"),
    ],
)
def test_a_wrong_transformer_is_refused(mixed, transformer, message):
    with pytest.raises(SpecError, match=message):
        check_estimator(mixed(transformer=transformer).spec)


def test_a_missing_booster_names_the_extra_that_brings_it(mixed, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "xgboost"]:
        monkeypatch.delitem(sys.modules, name)

    class Hidden:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name.split(".")[0] == "xgboost":
                raise ModuleNotFoundError("No module named 'xgboost'", name="xgboost")

    monkeypatch.setattr(sys, "meta_path", [Hidden, *sys.meta_path])
    with pytest.raises(MissingExtra, match=r"'xgboost' is not installed.*pip install 'mlops-assets\[boosters\]'"):
        check_estimator(mixed("xgboost.XGBClassifier").spec)


@pytest.mark.parametrize("estimator", [None, FOREST, "xgboost.XGBClassifier", "lightgbm.LGBMClassifier"])
def test_the_seed_reaches_the_estimator(mixed, estimator):
    assert make_estimator(mixed(estimator, seed=7).spec).get_params()["random_state"] == 7


def test_a_declared_random_state_wins_over_the_seed(mixed):
    assert effective_params(mixed(FOREST, seed=7, params={"random_state": 3}).spec) == {"random_state": 3}


def test_an_estimator_without_randomness_gets_no_seed(mixed):
    assert effective_params(mixed("sklearn.neighbors.KNeighborsClassifier").spec) == {}
