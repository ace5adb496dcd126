"""Where there is nothing to find, what is found is chance: no more often than stated.

Seeds are fixed; each bound is the stated rate and three standard errors of the number of trials.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.evaluation.diagnoses import calibration, conformal, fairness, slices
from mlops_assets.evaluation.diagnosis import Measure, Subject
from mlops_assets.metrics.bootstrap import Bootstrap
from mlops_assets.metrics.outcomes import Predictions
from mlops_assets.model.prediction import predict
from mlops_assets.model.prediction_intervals import fit_intervals
from mlops_assets.model.spec import IntervalsSpec
from mlops_assets_tests.comparison.pairs import compare
from mlops_assets_tests.evaluation.subjects import Classifier, Regressor, measures, subject_of

TRIALS, FAST = 200, Bootstrap(resamples=200)
STATED = Classifier(lambda rows: rows["p"])
GUESS = Regressor(lambda rows: rows["x"])


def at_most(rate: float, trials: int = TRIALS) -> float:
    return rate + 3 * (rate * (1 - rate) / trials) ** 0.5


def equal_models(metric: str, rows: int, seed: int) -> tuple[np.ndarray, Predictions, Predictions]:
    """Two models whose errors are alike and partly shared."""
    rng = np.random.default_rng(seed)
    shared, *own = rng.normal(size=(3, rows))
    if metric == "mean_absolute_error":
        truth = rng.normal(size=rows)
        ours, theirs = (Predictions(truth + shared + noise) for noise in own)
        return truth, ours, theirs
    truth = rng.integers(0, 2, rows)
    scores = [1 / (1 + np.exp(-(2 * truth - 1 + shared + noise))) for noise in own]
    ours, theirs = (Predictions((p > 0.5).astype(int), np.column_stack([1 - p, p]), (0, 1)) for p in scores)
    return truth, ours, theirs


@pytest.mark.parametrize(("metric", "rows"), [("accuracy", 100), ("accuracy", 400), ("roc_auc", 400)])
def test_of_two_equal_models_neither_is_superior(metric: str, rows: int):
    found = [compare(metric, *equal_models(metric, rows, seed), resamples=200, seed=seed) for seed in range(TRIALS)]
    better = np.mean([one.superior for one in found])
    worse = np.mean([one.interval[1] < 0 for one in found])
    assert max(better, worse) <= at_most(0.025)
    assert better + worse > 0, "a comparison that never decides is none"


def calibrated(rows: int, seed: int) -> Subject:
    """Stated probabilities that are all true, in groups that have nothing to do with them."""
    rng = np.random.default_rng(seed)
    stated = rng.uniform(size=rows)
    test = pd.DataFrame({"p": stated, "goal": (rng.uniform(size=rows) < stated).astype(int)})
    test["@sex"] = rng.choice(["f", "m"], rows)
    test["@place"] = rng.choice(list("abcde"), rows, p=[0.4, 0.3, 0.1, 0.1, 0.1])
    return replace(subject_of(STATED, test), bootstrap=replace(FAST, seed=seed))


@pytest.fixture(scope="module")
def subjects() -> list[Subject]:
    return [calibrated(600, seed) for seed in range(TRIALS)]


def found_by(module: Any, subjects: list[Subject], *options: Any) -> Iterator[dict[str, Measure]]:
    return (measures(module.examine(subject, *options)) for subject in subjects)


def test_a_fairness_gap_of_zero_is_not_found(subjects: list[Subject]):
    fired = dict.fromkeys(fairness.INFO.for_task("classification").measures, 0)
    for found in found_by(fairness, subjects, fairness.FairnessSpec(protected=["sex", "place"])):
        for name in fired:
            interval = found[name].interval
            assert interval is not None, found[name].note
            fired[name] += interval[1] < 1 if name.endswith("_ratio") else interval[0] > 0
    assert max(fired.values()) / TRIALS <= at_most(0.05)


def homogeneous(rows: int, seed: int) -> Subject:
    """A label that is wrong in a quarter of the rows, wherever one looks."""
    rng = np.random.default_rng(seed)
    test = pd.DataFrame(rng.uniform(size=(rows, 3)), columns=pd.Index(["p", "x", "y"]))
    test["goal"] = (test["p"] > 0.5).astype(int) ^ (rng.uniform(size=rows) < 0.25)
    test["@place"] = rng.choice(list("abcde"), rows, p=[0.4, 0.3, 0.1, 0.1, 0.1])
    return replace(subject_of(STATED, test), bootstrap=replace(FAST, seed=seed))


def test_no_slice_of_a_homogeneous_model_is_worse():
    subjects = [homogeneous(600, seed) for seed in range(100)]
    found = [one["worst_gap"] for one in found_by(slices, subjects)]
    assert all(one.value is not None for one in found)
    assert np.mean([bool(one.value) for one in found]) <= at_most(0.05, 100)


def test_calibrated_probabilities_are_doubted_at_the_stated_rate(subjects: list[Subject]):
    found = [one["ece_null_p"].value or 0.0 for one in found_by(calibration, subjects)]
    doubted = np.mean([p <= 0.05 for p in found])
    assert 2 * 0.05 - at_most(0.05) <= doubted <= at_most(0.05)
    assert np.mean(found) == pytest.approx(0.5, abs=3 * (1 / 12 / TRIALS) ** 0.5)


def test_no_segment_of_evenly_covered_rows_is_under_covered():
    """The threshold is as good as known, from many validation rows; its own chance is stated beside it."""

    def noisy(rows: int, seed: int) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        x = rng.uniform(size=rows)
        return pd.DataFrame({"x": x, "goal": x + rng.normal(size=rows), "@place": rng.choice(list("abcd"), rows)})

    validation = noisy(50_000, 10_000)
    stated = fit_intervals(IntervalsSpec(), predict(GUESS, validation.loc[:, ["x"]]), validation["goal"].to_numpy())
    fired = 0
    for seed in range(TRIALS):
        subject = replace(subject_of(GUESS, noisy(400, seed), validation.head(500)), intervals=stated)
        gap = measures(conformal.examine(subject))["coverage_gap"]
        assert gap.interval is not None, gap.note
        fired += gap.interval[0] > 0
    assert fired / TRIALS <= at_most(0.05)
