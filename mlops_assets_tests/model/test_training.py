import dataclasses

import numpy as np
import pytest

from mlops_assets.errors import TrainingError
from mlops_assets.model.training import train


def with_rows(case, **columns):
    return dataclasses.replace(case, rows=case.rows.assign(**columns))


def test_a_trained_model_says_what_made_it(plain):
    trained = plain("sklearn.ensemble.RandomForestClassifier", params={"n_estimators": 5}, seed=3).train()
    assert trained.estimator == "sklearn.ensemble.RandomForestClassifier"
    assert trained.params == {"n_estimators": 5, "random_state": 3}
    assert (trained.seed, trained.rows) == (3, 178)
    assert 0 < trained.seconds < 60
    assert sorted(trained.baselines) == ["linear"]


def test_it_learns_more_than_a_constant(plain):
    case = plain()
    trained, labels = case.train(), case.rows["label"]
    assert trained.pipeline.score(case.inputs, labels) > labels.value_counts(normalize=True).max() + 0.4


def test_the_baseline_of_regression_learns(mixed):
    case = mixed(target="number")
    baselines = case.train().baselines
    assert baselines["linear"].score(case.inputs, case.rows["label"]) > 0.5


def test_rows_of_another_part_are_refused(plain):
    case = plain()
    parts = np.where(np.arange(len(case.rows)) < 3, "test", "train")
    with pytest.raises(TrainingError, match=r"only train rows may train a model; also given: \{'test': 3\}"):
        with_rows(case, _part=parts).train()


@pytest.mark.parametrize("column", ["alcohol", "label", "_part"])
def test_a_missing_column_is_named(plain, column):
    case = plain()
    with pytest.raises(TrainingError, match=f"the rows have no column {column}"):
        train(case.spec, case.features, case.rows.drop(columns=column))


def test_no_rows_is_said(plain):
    case = plain()
    with pytest.raises(TrainingError, match="there are no rows to train on"):
        train(case.spec, case.features, case.rows.head(0))


@pytest.mark.parametrize(("target", "empty"), [("text", None), ("number", np.nan)])
def test_an_empty_target_is_refused(mixed, target, empty):
    case = mixed(target=target)
    case.rows.loc[[0, 5], "label"] = empty
    with pytest.raises(TrainingError, match="the target 'label' is empty in 2 of 240 rows"):
        case.train()


@pytest.mark.parametrize(("target", "column"), [("text", "rooms"), ("number", "label")])
def test_infinite_values_are_named(mixed, target, column):
    case = mixed(target=target)
    case.rows.loc[0, column] = np.inf
    with pytest.raises(TrainingError, match=f"infinite values in {column}"):
        case.train()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"low": "high", "middle": "high"}, "all 240 train rows are of class high"),
        ({"low": "high"}, "no train row is of class low"),
        ({"low": "lowest"}, "lowest is not a class of 'label'"),
    ],
)
def test_rows_that_cannot_teach_every_class_are_refused(mixed, labels, message):
    case = mixed()
    with pytest.raises(TrainingError, match=message):
        with_rows(case, label=case.rows["label"].replace(labels)).train()


def test_training_leaves_the_rows_as_they_were(mixed):
    case = mixed()
    before = case.rows.copy(deep=True)
    case.train()
    assert case.rows.equals(before)


def test_declared_jobs_are_for_fitting_only(plain):
    """Votes that threads add up in any order would differ in the last bit."""
    pipeline = (
        plain("sklearn.ensemble.RandomForestClassifier", params={"n_estimators": 5, "n_jobs": 2}).train().pipeline
    )
    assert pipeline["estimator"].n_jobs is None
