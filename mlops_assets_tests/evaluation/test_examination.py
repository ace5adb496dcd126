"""Diagnoses in the report: known by name at load, nameable by gates, never hiding a fault."""

from dataclasses import replace
from typing import Any

import pytest

from mlops_assets.declaration.base import load_object
from mlops_assets.evaluation.diagnoses import robustness
from mlops_assets.evaluation.diagnosis_catalogue import DIAGNOSES, diagnoses_of
from mlops_assets.evaluation.examination import needed
from mlops_assets.evaluation.report.html import render
from mlops_assets.evaluation.report.report import Report
from mlops_assets.evaluation.spec import EvaluationSpec
from mlops_assets_tests.evaluation.conftest import Case


def report_with(case: Case, **evaluation: Any) -> Report:
    spec = case.spec.model_copy(update={"evaluation": EvaluationSpec.model_validate(evaluation)})
    return replace(case, spec=spec).report()


@pytest.mark.parametrize("name", DIAGNOSES)
def test_the_catalogue_says_what_the_module_does(name: str):
    info = DIAGNOSES[name]
    module = info.examine.rpartition(".")[0]
    assert load_object(f"{module}.INFO", name) is info
    assert all(callable(load_object(path, name)) for path in (info.examine, info.plots) if path)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_every_diagnosis_of_a_task_answers_with_all_its_measures(task: Any, request: pytest.FixtureRequest):
    case: Case = request.getfixturevalue(task)
    report = report_with(case, diagnoses=diagnoses_of(task))
    assert [diagnosis.name for diagnosis in report.diagnoses] == diagnoses_of(task)
    for diagnosis in report.diagnoses:
        assert "Traceback" not in "".join(diagnosis.notes), diagnosis.notes
        assert {measure.name for measure in diagnosis.measures} == set(
            DIAGNOSES[diagnosis.name].for_task(task).measures
        )
        assert all(measure.value is not None or measure.note for measure in diagnosis.measures)
    page = render(report)
    assert all(diagnosis.title in page for diagnosis in report.diagnoses)


def test_the_standard_ones_are_part_of_every_report_and_give_equal_digests(classification: Case):
    one, other = report_with(classification), report_with(classification)
    assert [d.name for d in one.diagnoses] == [
        name for name in diagnoses_of("classification") if DIAGNOSES[name].standard
    ]
    assert one.digest == other.digest


def test_a_gate_names_a_measure(regression: Case):
    gates = [
        {"measure": "robustness.row_order", "at_most": 0},
        {"measure": "robustness.noise_20", "at_most": -1},
        {"measure": "robustness.noise_20", "at_most": 9, "judged_on": "interval"},
        {"measure": "robustness.noise_10", "at_most": 9, "min_rows": 10_000},
    ]
    report = report_with(regression, gates=gates, diagnoses=[])
    assert [diagnosis.name for diagnosis in report.diagnoses] == ["preparation", "robustness"]
    verdicts = {verdict.name: verdict.outcome for verdict in report.gates}
    assert verdicts == {
        "robustness_row_order_at_most": "passed",
        "robustness_noise_20_at_most": "failed",
        "robustness_noise_20_at_most_interval": "passed",
        "robustness_noise_10_at_most": "not evaluated",
        "preparation_from_train": "passed",
        "not_worse_than_linear": "failed",  # the model is ridge, a little off the plain line
        "bounds_not_loosened": "not evaluated",
    }


def test_a_diagnosis_that_errs_says_so_and_its_gate_is_not_passed(regression: Case, monkeypatch: pytest.MonkeyPatch):
    def broken(_: Any) -> None:
        raise ZeroDivisionError("no spread")

    monkeypatch.setattr(robustness, "examine", broken)
    report = report_with(regression, gates=[{"measure": "robustness.noise_1", "at_most": 1}])
    diagnosis = next(d for d in report.diagnoses if d.name == "robustness")
    assert diagnosis.headline == "Not evaluated: ZeroDivisionError: no spread"
    assert report.outcome == report.gates[0].outcome == "not evaluated"
    assert "ZeroDivisionError" in report.gates[0].reason


def test_protected_columns_and_gates_bring_their_diagnosis_along():
    assert "fairness" in needed(EvaluationSpec(protected=["sex"], diagnoses=[]), "classification")
    gate: Any = {"measure": "efficiency.latency_p95_ms", "at_most": 100}
    assert needed(EvaluationSpec(gates=[gate], diagnoses=[]), "classification") == ["efficiency"]
