from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.evaluation.gate_evidence import Evidence
from mlops_assets.evaluation.gates import judge
from mlops_assets.evaluation.spec import GateSpec
from mlops_assets.metrics.constant_guess import ConstantGuess
from mlops_assets.metrics.outcomes import Outcomes, Predictions
from mlops_assets_tests.evaluation.subjects import evidence_of

ROWS = 120


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    """120 rows of three classes, 108 (.9) predicted rightly; all 12 errors lie among the 40 rows of the south.

    The last 10 rows are of the west; the best constant is right on a third of the rows.
    """
    truth = np.arange(ROWS) % 3
    predicted = truth.copy()
    predicted[:36:3] = 1
    probabilities = np.full((ROWS, 3), 0.1)
    probabilities[np.arange(ROWS), predicted] = 0.8
    region = np.where(np.arange(ROWS) < 40, "south", np.where(np.arange(ROWS) < 110, "north", "west"))
    rows = pd.DataFrame({"kind": truth, "@region": region, "@flag": region == "south", "@code": np.arange(ROWS) // 60})
    given = Predictions(predicted, probabilities, (0, 1, 2))
    return evidence_of("classification", rows, "kind", given, {})


@pytest.fixture(scope="module")
def labels_only(evidence: Evidence) -> Evidence:
    """The same without probabilities."""
    return replace(evidence, outcomes=replace(evidence.outcomes, probabilities=None))


SOUTH = {"column": "region", "equals": "south"}


@pytest.mark.parametrize(
    ("gate", "outcome", "reason"),
    [
        ({"metric": "accuracy", "at_least": 0.8}, "passed", "accuracy 0.900 [0.832, 0.947] on 120 rows, at least 0.80"),
        ({"metric": "accuracy", "at_least": 0.9}, "passed", "at least 0.90"),
        (
            {"metric": "accuracy", "at_least": 0.901},
            "failed",
            "accuracy 0.900 [0.832, 0.947] on 120 rows, at least 0.901",
        ),
        ({"metric": "accuracy", "at_least": 0.86, "judged_on": "interval"}, "failed", "lower end at least 0.86"),
        ({"metric": "accuracy", "at_least": 0.83, "judged_on": "interval"}, "passed", "lower end at least 0.83"),
        ({"metric": "log_loss", "at_most": 0.5}, "passed", "on 120 rows, at most 0.50"),
        ({"metric": "log_loss", "at_most": 0.4}, "failed", "log_loss 0.431"),
        ({"metric": "log_loss", "at_most": 0.45, "judged_on": "interval"}, "failed", "upper end at most 0.45"),
        (
            {"metric": "accuracy", "at_least": 0.8, "slice": SOUTH},
            "failed",
            "accuracy 0.700 [0.535, 0.834] on 40 rows where region is 'south', at least 0.80",
        ),
        (
            {"metric": "accuracy", "at_least": 0.8, "slice": {"column": "region", "equals": "north"}},
            "passed",
            "accuracy 1.000 [0.949, 1.000] on 70 rows where region is 'north'",
        ),
        ({"metric": "accuracy", "at_most": 0.8, "slice": {"column": "flag", "equals": True}}, "passed", "flag is True"),
        ({"metric": "accuracy", "at_least": 0.8, "slice": {"column": "code", "equals": 1}}, "passed", "code is 1"),
        (
            {"metric": "accuracy", "at_least": 0.1, "slice": {"column": "region", "equals": "west"}},
            "not evaluated",
            "10 test rows where region is 'west', the gate needs 30",
        ),
        (
            {"metric": "accuracy", "at_least": 0.1, "slice": {"column": "region", "equals": "west"}, "min_rows": 10},
            "passed",
            "on 10 rows",
        ),
        (
            {"metric": "accuracy", "at_least": 0.1, "min_rows": 121},
            "not evaluated",
            "120 test rows, the gate needs 121",
        ),
        ({"metric": "f1", "at_least": 0.1}, "not evaluated", "f1: f1 is for two classes, here are 3"),
        (
            {"metric": "accuracy", "at_least": 0.1, "slice": {"column": "country", "equals": "x"}},
            "not evaluated",
            "the rows carry no column 'country'",
        ),
        (
            {"check": "beats_baseline"},
            "passed",
            "accuracy 0.900 against 0.333 of the best constant on 120 rows: better by 0.567",
        ),
        (
            {"check": "beats_baseline", "metric": "log_loss"},
            "passed",
            "0.431 against 1.099 of the best constant",
        ),
        ({"check": "beats_baseline", "slice": SOUTH}, "passed", "on 40 rows where region is 'south'"),
    ],
)
def test_a_gate_judges_what_it_declares(evidence: Evidence, gate: dict[str, Any], outcome: str, reason: str) -> None:
    verdict = judge(GateSpec.model_validate(gate), evidence)
    assert (verdict.outcome, reason in verdict.reason) == (outcome, True), verdict.reason


def test_a_verdict_carries_value_bound_interval_and_rows(evidence: Evidence) -> None:
    gate = GateSpec(metric="accuracy", at_least=0.95, severity="warn", slice=SOUTH)  # type: ignore[arg-type]
    verdict = judge(gate, evidence)
    assert verdict.name == "accuracy_at_least__region_south"
    assert (verdict.value, verdict.bound, verdict.rows, verdict.severity) == (0.7, 0.95, 40, "warn")
    assert (verdict.side, verdict.min_rows) == ("at_least", 30)
    assert verdict.interval is not None
    assert verdict.interval[0] < 0.7 < verdict.interval[1]
    assert not verdict.blocks


def test_beating_the_baseline_carries_the_paired_difference(evidence: Evidence) -> None:
    verdict = judge(GateSpec(check="beats_baseline"), evidence)
    assert verdict.value == pytest.approx(0.9 - 1 / 3)
    assert verdict.details == {
        "metric": "accuracy",
        "model": pytest.approx(0.9),
        "baseline": pytest.approx(1 / 3),
        "chance": 0.005,
    }
    assert (verdict.bound, verdict.side, verdict.min_rows) == (0, None, 30)
    assert verdict.interval is not None
    assert verdict.value is not None
    assert 0 < verdict.interval[0] < verdict.value < verdict.interval[1]


def test_a_model_no_better_than_its_baseline_fails(evidence: Evidence) -> None:
    assert evidence.guess is not None
    lazy = replace(evidence, outcomes=evidence.guess.outcomes("accuracy", evidence.outcomes))
    verdict = judge(GateSpec(check="beats_baseline"), lazy)
    assert verdict.outcome == "failed"
    assert "better by 0.000, improvement [0.000, 0.000] must lie above 0" in verdict.reason
    assert "answers of other rows are as good in 100.0% of shuffles, at most 2.5% may be" in verdict.reason


def test_without_train_rows_nothing_is_beaten(evidence: Evidence) -> None:
    verdict = judge(GateSpec(check="beats_baseline"), replace(evidence, guess=None))
    assert verdict.outcome == "not evaluated"
    assert "no train rows to make a constant guess from" in verdict.reason


def test_an_equal_model_that_is_right_on_four_rows_more_beats_nothing() -> None:
    """As it is for the champion: four rows against none decide nothing (McNemar's exact p is .125)."""
    truth = np.repeat([0, 1], [80, 40])
    predicted = np.where(np.arange(120) < 116, 0, 1)
    evidence = evidence_of("classification", pd.DataFrame({"kind": truth}), "kind", Predictions(predicted), {})
    verdict = judge(GateSpec(check="beats_baseline"), evidence)
    assert (verdict.outcome, verdict.value) == ("failed", pytest.approx(4 / 120))


@pytest.mark.parametrize(
    "gate", [{"at_most": 100.0, "metric": "log_loss"}, {"check": "beats_baseline", "metric": "log_loss"}]
)
def test_a_metric_that_cannot_be_computed_is_no_pass_and_no_zero(labels_only: Evidence, gate: dict[str, Any]) -> None:
    verdict = judge(GateSpec.model_validate(gate), labels_only)
    assert (verdict.outcome, verdict.value) == ("not evaluated", None)
    assert verdict.blocks
    assert "the model gives no probabilities" in verdict.reason


def test_a_gate_on_an_interval_that_the_rows_cannot_give_is_not_evaluated(evidence: Evidence) -> None:
    grouped = replace(evidence, units=evidence.context["code"])
    gate = GateSpec(metric="accuracy", at_least=0.1, judged_on="interval")
    verdict = judge(gate, grouped)
    assert (verdict.outcome, verdict.value) == ("not evaluated", 0.9)
    assert "no interval from 2 independent rows or groups" in verdict.reason
    assert judge(GateSpec(metric="accuracy", at_least=0.1), grouped).passed


class Broken(ConstantGuess):
    """About fewer rows than there are."""

    def outcomes(self, metric: str, rows: Outcomes) -> Outcomes:
        return super().outcomes(metric, rows.take(np.arange(40)))


def test_an_error_inside_a_gate_is_a_verdict_that_carries_it(evidence: Evidence) -> None:
    broken = replace(evidence, guess=Broken(evidence.guess.learned) if evidence.guess else None)
    verdict = judge(GateSpec(check="beats_baseline", metric="f1_macro"), broken)
    assert verdict.outcome == "not evaluated"
    assert verdict.blocks
    assert verdict.reason.startswith("ValueError: ")
    assert "Traceback (most recent call last)" in verdict.details["traceback"]
    assert "bootstrap.py" in verdict.details["traceback"]


def test_an_empty_slice_tells_the_values_that_there_are(evidence: Evidence) -> None:
    gate = GateSpec(metric="accuracy", at_least=0.1, slice={"column": "region", "equals": "East"})  # type: ignore[arg-type]
    verdict = judge(gate, evidence)
    assert verdict.reason == "0 test rows where region is 'East', the gate needs 30"
    assert verdict.details["values seen"] == ["north", "south", "west"]


def test_missing_values_are_in_no_slice() -> None:
    truth = np.arange(60.0)
    rows = pd.DataFrame({"y": truth, "@region": pd.array(["a", None] * 30, dtype="string")})
    evidence = evidence_of("regression", rows, "y", Predictions(truth + 1), {})
    gate = GateSpec(metric="mean_absolute_error", at_most=2, slice={"column": "region", "equals": "a"})  # type: ignore[arg-type]
    assert judge(gate, evidence).rows == 30
