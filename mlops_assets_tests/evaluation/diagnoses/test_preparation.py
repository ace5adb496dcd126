from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)

from mlops_assets.evaluation.diagnoses.preparation import TOLERANCE, column_effects, examine, verdict
from mlops_assets.evaluation.diagnosis import Subject
from mlops_assets_tests.evaluation.conftest import Case
from mlops_assets_tests.evaluation.subjects import subject_of

NUMBERS, PLACES = ["size", "age"], ["place"]


def rows(count: int, seed: int, places: str = "abc") -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    size = rng.normal(3, 2, count)
    age = np.where(rng.random(count) < 0.2, np.nan, rng.gamma(2, size=count))
    place = np.array(list(places), dtype=object)[np.arange(count) % len(places)]
    return pd.DataFrame({"size": size, "age": age, "place": place, "goal": size + rng.normal(size=count)})


TRAIN, TEST = rows(400, 0), rows(200, 1)


def pipeline(encoder: Any, scaler: Any = None) -> Pipeline:
    numeric = Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", scaler or StandardScaler())])
    prepare = ColumnTransformer([("numeric", numeric, NUMBERS), ("categorical", encoder, PLACES)], sparse_threshold=0)
    return Pipeline([("prepare", prepare), ("estimator", Ridge())])


def one_hot() -> OneHotEncoder:
    return OneHotEncoder(handle_unknown="ignore", sparse_output=False)


def fitted_on(model: Pipeline, seen: pd.DataFrame, test: pd.DataFrame = TEST, train: pd.DataFrame = TRAIN) -> Subject:
    inputs = [*NUMBERS, *PLACES]
    model.fit(seen[inputs], seen["goal"])
    return replace(subject_of(model, test, kinds={"place": "categorical"}), train=train)


@pytest.mark.parametrize(
    "model",
    [
        pipeline(one_hot()),
        pipeline(OrdinalEncoder(), KBinsDiscretizer(random_state=3, subsample=100)),
        pipeline(TargetEncoder()),
        Pipeline([("log", FunctionTransformer()), *pipeline(one_hot()).steps]),
    ],
    ids=["one hot", "bins of a seeded sample", "learned from the target", "three steps"],
)
def test_a_preparation_fitted_on_the_train_rows_has_no_effect_at_all(model: Pipeline):
    found = examine(fitted_on(model, TRAIN))
    assert found.measures[0].value == 0
    assert found.tables == []
    assert verdict(found).passed and verdict(found).severity == "block"


def test_a_scaler_that_saw_the_test_rows_is_measured_in_sd():
    seen = pd.concat([TRAIN, TEST.assign(size=TEST["size"] + 5)])
    found = examine(fitted_on(pipeline(one_hot()), seen))
    ours, theirs = ((TEST["size"] - one["size"].mean()) / one["size"].std(ddof=0) for one in (seen, TRAIN))
    cells: Any = found.tables[0].rows
    table = dict(cells)
    assert table["numeric__size"] == pytest.approx((ours - theirs).abs().max() / theirs.std(ddof=0))
    assert not any(str(name).startswith("categorical") for name in table)
    assert found.measures[0].value == max(table.values())
    told = verdict(found)
    assert (told.name, told.outcome, told.blocks) == ("preparation_from_train", "failed", True)
    assert "it saw other rows" in told.reason


def test_a_single_foreign_row_is_found():
    found = examine(fitted_on(pipeline(one_hot()), pd.concat([TRAIN, TEST.head(1)])))
    assert found.measures[0].value is not None and found.measures[0].value > 1e-5 > TOLERANCE
    assert verdict(found).outcome == "failed"


def test_an_encoder_that_learned_foreign_targets_is_found():
    seen = pd.concat([TRAIN, TEST.assign(goal=TEST["goal"] + 3)])
    found = examine(fitted_on(pipeline(TargetEncoder(), FunctionTransformer()), seen))
    shown = [row[0] for row in found.tables[0].rows]
    assert shown == ["column 3", "column 2"], "the encoded place, and the median age; one step gives no names"
    assert verdict(found).outcome == "failed"


def test_a_category_of_the_test_part_makes_other_columns():
    test = rows(200, 1, places="abcd")
    found = examine(fitted_on(pipeline(one_hot()), pd.concat([TRAIN, test]), test))
    assert found.measures[0].value == 1
    assert "6 columns, fitted on the train rows alone 5" in found.headline
    assert verdict(found).outcome == "failed"


def test_the_same_rows_in_more_than_one_part_are_no_foreign_rows():
    assert examine(fitted_on(pipeline(one_hot()), TRAIN, TRAIN.head(50))).measures[0].value == 0


def test_effects_are_by_column_and_missing_or_infinite_values_count_as_one_sd():
    expected = np.array([[0.0, 5, np.nan, 1, np.inf], [2, 5, 1, 1, 0]])
    given = np.array([[0.5, 5, np.nan, np.nan, 3], [2, 7, 1, 1, 0]])
    assert column_effects(given, expected).tolist() == [0.5, 2, 0, 1, 1]
    assert column_effects(expected, expected).tolist() == [0] * 5
    assert column_effects(expected + 1e-12, expected)[0] == 0
    words = np.array([["a"], ["b"]], dtype=object)
    assert column_effects(words, words[::-1]).tolist() == [1] and column_effects(words, words).tolist() == [0]


class Restless(TransformerMixin, BaseEstimator):
    """Learns something else each time."""

    def fit(self, rows: pd.DataFrame, target: Any = None) -> "Restless":
        self.shift_ = np.random.default_rng().normal()
        return self

    def transform(self, rows: pd.DataFrame) -> Any:
        return np.asarray(rows)[:, :1].astype(float) + self.shift_


def test_a_step_without_a_seed_is_not_proven():
    model = Pipeline([("restless", Restless()), ("estimator", Ridge())])
    assert verdict(examine(fitted_on(model, TRAIN))).blocks


def test_without_train_rows_nothing_is_said_and_without_steps_nothing_is_to_be_found(regression: Case):
    honest = fitted_on(pipeline(one_hot()), TRAIN)
    for subject in (replace(honest, train=None), replace(honest, train=TRAIN.iloc[:0])):
        found = examine(subject)
        assert found.measures[0].value is None and found.measures[0].note == "the train rows are not at hand"
        assert verdict(found).outcome == "not evaluated" and verdict(found).blocks
    rows = regression.rows
    bare = Subject(regression.spec, regression.features, regression.pipeline, rows, rows, regression.predictions)
    assert examine(replace(bare, train=rows)).measures[0].value == 0


def test_no_declaration_removes_the_gate(regression: Case):
    from mlops_assets.evaluation.assessment import assess

    case = regression.declared(gates=[], diagnoses=[], resamples=200)
    subjects = (case.subject(), replace(case.subject(), train=None))
    with_train, without = (
        {gate.name: gate.outcome for gate in assess(subject, case.baselines).gates} for subject in subjects
    )
    assert with_train["preparation_from_train"] == "passed"
    assert "preparation_from_train" not in without
