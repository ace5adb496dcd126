from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.evaluation.diagnoses import labels
from mlops_assets.evaluation.diagnoses.labels import conflicting_rows, examine, likely_classes, noise_counts
from mlops_assets.evaluation.diagnosis import Subject
from mlops_assets.metrics.outcomes import Predictions
from mlops_assets_tests.evaluation.conftest import Case


def subject_of(case: Case, predictions: Predictions | None = None) -> Subject:
    rows = case.rows.assign(_batch="b1", _row=np.arange(len(case.rows)) + 7)
    return Subject(case.spec, case.features, None, rows, rows.iloc[:0], predictions or case.predictions)


@pytest.mark.parametrize("seed", [0, 1])
def test_flipped_digits_are_found(seed: int):
    # cleanlab with 300 trees on flips of its own: precision .982, recall .911; 60 trees and other flips here.
    from sklearn.datasets import load_digits
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    digits: Any = load_digits()
    inputs, truth = digits.data, digits.target
    rng = np.random.default_rng(seed)
    flipped, given_labels = rng.choice(len(truth), 179, replace=False), truth.copy()
    given_labels[flipped] = (truth[flipped] + rng.integers(1, 10, 179)) % 10
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    trees = ExtraTreesClassifier(60, random_state=0)
    probabilities = np.asarray(cross_val_predict(trees, inputs, given_labels, cv=folds, method="predict_proba"))
    likely = likely_classes(given_labels, probabilities)
    suspects = np.flatnonzero(likely != given_labels)
    found = np.intersect1d(suspects, flipped)
    assert len(found) / len(suspects) == pytest.approx(0.982, abs=0.04)
    assert len(found) / len(flipped) == pytest.approx(0.911, abs=0.08)
    assert (likely[found] == truth[found]).mean() > 0.95


def test_the_confident_joint_counts_rows_above_their_class_threshold():
    given_labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    positive = np.array([0.1, 0.1, 0.2, 0.9, 0.9, 0.9, 0.8, 0.6])
    probabilities = np.column_stack([1 - positive, positive])
    # Thresholds are .675 and .8: row 3 counts as class 1; row 7 reaches neither and its class is scaled up.
    assert noise_counts(given_labels, probabilities).tolist() == [[0, 1], [0, 0]]
    assert likely_classes(given_labels, probabilities).tolist() == [0, 0, 0, 1, 1, 1, 1, 1]


def test_a_class_that_the_model_underrates_is_not_disputed():
    # A rare class whose rows never get more than .4: its own threshold is low, so they are confidently itself.
    given_labels = np.r_[np.zeros(90, dtype=int), np.ones(10, dtype=int)]
    positive = np.r_[np.full(90, 0.05), np.full(10, 0.4)]
    probabilities = np.column_stack([1 - positive, positive])
    assert (likely_classes(given_labels, probabilities) == given_labels).all()
    assert (probabilities.argmax(axis=1) != given_labels).sum() == 10


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.integers(2, 5))
def test_only_labels_that_are_not_the_most_probable_are_disputed(seed: int, classes: int):
    rng = np.random.default_rng(seed)
    given_labels, probabilities = rng.integers(0, classes, 80), rng.dirichlet(np.ones(classes), 80)
    likely = likely_classes(given_labels, probabilities)
    rows = np.arange(80)
    disputed = likely != given_labels
    assert not (disputed & (probabilities.argmax(axis=1) == given_labels)).any()
    assert disputed.sum() <= np.rint(noise_counts(given_labels, probabilities)).sum()
    order = rng.permutation(80)
    assert (likely_classes(given_labels[order], probabilities[order]) == likely[order])[rows].all()


def test_equal_features_with_other_labels_conflict_and_missing_equals_missing():
    inputs = pd.DataFrame({"x": [1, 1, 1, 2, np.nan, np.nan, 2], "y": pd.Series(["a", "a", "b", "c", None, None, "c"])})
    labels_given = np.array([0, 1, 0, 1, 0, 1, 1])
    assert conflicting_rows(inputs, labels_given).tolist() == [True, True, False, False, True, True, False]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from("ab"), st.integers(0, 1)), min_size=1, max_size=40))
def test_conflicts_are_those_of_pairwise_comparison(rows: list[tuple[int, str, int]]):
    inputs = pd.DataFrame({"x": [row[0] for row in rows], "y": [row[1] for row in rows]})
    expected = [any(one[:2] == other[:2] and one[2] != other[2] for other in rows) for one in rows]
    assert conflicting_rows(inputs, np.array([row[2] for row in rows])).tolist() == expected


def test_a_mislabelled_row_leads_the_table_and_no_row_is_changed(classification: Case):
    clean = subject_of(classification)
    assert clean.predictions.probabilities is not None
    surest = int(clean.predictions.probabilities.max(axis=1).argmax())
    right = clean.test["goal"].iloc[surest]
    wrong = next(name for name in clean.outcomes.classes if name != right)
    rows = clean.test.copy()
    rows.loc[surest, "goal"] = wrong
    before = rows.copy()
    found = examine(replace(clean, test=rows))
    assert found.tables[0].rows[0][:4] == ["b1", surest + 7, wrong, right]
    assert found.tables[0].rows[0][4] == pytest.approx(clean.predictions.probabilities.max())
    assert len(found.tables[0].rows) <= 20
    pd.testing.assert_frame_equal(rows, before)
    share = found.measures[0]
    assert share.value is not None and share.interval is not None
    assert 0 < share.interval[0] < share.value < share.interval[1] < 1
    assert found.measures[1].value == 0


def test_rows_of_one_group_widen_the_interval(classification: Case):
    alone = examine(subject_of(classification)).measures[0]
    features = classification.features.model_copy(update={"group": "site"})
    grouped = examine(subject_of(replace(classification, features=features))).measures[0]
    assert alone.value == grouped.value
    assert grouped.interval is not None and grouped.interval != alone.interval


def test_without_probabilities_only_conflicts_are_evaluated(classification: Case):
    found = examine(subject_of(classification, replace(classification.predictions, probabilities=None)))
    assert [measure.name for measure in found.measures] == list(labels.INFO.measures)
    assert [measure.value for measure in found.measures] == [None, 0]
    assert found.measures[0].note == "the model gives no probabilities"
    assert found.tables == []


def test_numbers_have_no_labels(regression: Case):
    assert {measure.value for measure in examine(subject_of(regression)).measures} == {None}
