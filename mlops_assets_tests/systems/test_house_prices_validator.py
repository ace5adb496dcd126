"""house_prices: what its validator was said to examine, as gates that a model which errs does not pass."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin

from mlops_assets.declaration.reading import SHIPPED, find_system
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.evaluation.diagnoses import consistency, efficiency, robustness
from mlops_assets.evaluation.diagnoses.efficiency import EfficiencySpec
from mlops_assets.evaluation.diagnosis import Diagnosis, Subject
from mlops_assets.evaluation.diagnosis_catalogue import DIAGNOSES, diagnoses_of
from mlops_assets.evaluation.gate_evidence import gather_evidence
from mlops_assets.evaluation.gates import judge
from mlops_assets.verdict import Verdict
from mlops_assets_tests.evaluation.subjects import Regressor, subject_of

BOUNDS = {
    "consistency.repeat_calls": 0,
    "consistency.monotone_violations": 0.3,
    "efficiency.latency_p95_ms": 100,
    "robustness.noise_10": 0.1,
    "robustness.missing_1": 0.15,
    "robustness.missing_10": 0.6,
}


class Slow(RegressorMixin, BaseEstimator):
    """Takes ``seconds`` for an answer."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        time.sleep(self.seconds)
        return 200.0 * rows["sqft"].to_numpy()


@pytest.fixture(scope="module")
def houses() -> SystemSpec:
    return find_system("house_prices", [SHIPPED])


@pytest.fixture(scope="module")
def sales() -> pd.DataFrame:
    """Whose price is 200 dollars a square foot, give or take a tenth."""
    rng = np.random.default_rng(0)
    sqft = np.round(rng.uniform(800, 4000, 300))
    return pd.DataFrame(
        {"sqft": sqft, "bedrooms": rng.integers(1, 6, 300), "goal": 200 * sqft * rng.normal(1, 0.1, 300)}
    )


def subject(houses: SystemSpec, model: Any, rows: pd.DataFrame) -> Subject:
    return replace(subject_of(model, rows), spec=houses)


def verdict(subject: Subject, measure: str, diagnosis: Diagnosis) -> Verdict:
    """Of the shipped gate on the measure."""
    gate = next(gate for gate in subject.spec.evaluation.gates if gate.measure == measure)
    return judge(gate, gather_evidence(subject, {}), [diagnosis])


def test_the_bounds_are_those_of_the_validator(houses: SystemSpec):
    assert {gate.measure: gate.at_most for gate in houses.evaluation.gates if gate.measure} == BOUNDS
    assert {gate.severity for gate in houses.evaluation.gates if gate.measure} == {"block"}
    assert houses.evaluation.monotone == {"sqft": "increasing"} and "sqft" in houses.dataset.columns


@pytest.mark.parametrize("system", ["wine_quality", "music_therapy"])
def test_the_others_are_timed_and_leave_no_standard_diagnosis_out(system: str):
    spec = find_system(system, [SHIPPED])
    standard = {name for name in diagnoses_of(spec.task) if DIAGNOSES[name].standard and not DIAGNOSES[name].required}
    assert set(spec.evaluation.diagnoses or ()) == {*standard, "efficiency"}


def test_equal_rows_with_different_answers_are_refused(houses: SystemSpec, sales: pd.DataFrame):
    dice = np.random.default_rng(1)
    honest = subject(houses, Regressor(lambda rows: 200 * rows["sqft"]), sales)
    random = subject(houses, Regressor(lambda rows: 200 * rows["sqft"] + dice.normal(size=len(rows))), sales)
    said = verdict(random, "consistency.repeat_calls", consistency.examine(random))
    assert (said.outcome, said.value) == ("failed", 1)
    assert verdict(honest, "consistency.repeat_calls", consistency.examine(honest)).passed


def test_a_model_by_which_larger_houses_are_cheaper_is_refused(houses: SystemSpec, sales: pd.DataFrame):
    """A wave on a slope falls on a third of its steps and more; a slope with small dents passes."""
    for height, passes in {0.0: True, 20.0: True, 300.0: False}.items():
        wave = Regressor(lambda rows, height=height: 200 * rows["sqft"] + 200 * height * np.sin(rows["sqft"] / 60))
        judged = subject(houses, wave, sales)
        said = verdict(judged, "consistency.monotone_violations", consistency.examine(judged))
        assert said.passed is passes, said.reason
    falling = subject(houses, Regressor(lambda rows: 1e6 - 200 * rows["sqft"]), sales)
    said = verdict(falling, "consistency.monotone_violations", consistency.examine(falling))
    assert (said.outcome, said.value) == ("failed", 1)


def test_a_model_that_takes_more_than_100_ms_is_refused(houses: SystemSpec, sales: pd.DataFrame):
    quick = EfficiencySpec(calls=20, rounds=2, warm_up=0, repeats=1, seconds=4)
    for seconds, outcome in {0.11: "failed", 0.0: "passed"}.items():
        judged = subject(houses, Slow(seconds), sales)
        diagnosis = efficiency.examine(judged, quick)
        assert (said := verdict(judged, "efficiency.latency_p95_ms", diagnosis)).outcome == outcome, said.reason
        assert "cores" in diagnosis.notes[0]


def test_a_model_that_knows_its_rows_by_heart_is_refused(houses: SystemSpec, sales: pd.DataFrame):
    """It answers the rows that it has seen as well as can be, and the same rows with a little noise at random."""
    known = dict(zip(sales["sqft"], sales["goal"], strict=True))
    by_heart = Regressor(lambda rows: [known.get(size, 700_000.0) * 1.01 for size in rows["sqft"]])
    judged = subject(houses, by_heart, sales)
    diagnosis = robustness.examine(judged)
    for measure in ("robustness.noise_10", "robustness.missing_1", "robustness.missing_10"):
        assert verdict(judged, measure, diagnosis).outcome == "failed"
