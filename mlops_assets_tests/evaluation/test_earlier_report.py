from pathlib import Path
from typing import Any

import pytest

from mlops_assets.errors import TrackingError
from mlops_assets.evaluation.diagnosis import Diagnosis, Measure
from mlops_assets.evaluation.diagnosis_catalogue import DIAGNOSES
from mlops_assets.evaluation.earlier_report import unless_only_times_differ
from mlops_assets.evaluation.report.report import Report
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.verdict import Verdict
from mlops_assets_tests.evaluation.conftest import Case

GATE = "efficiency_latency_p95_ms_at_most"


@pytest.fixture(scope="module")
def case(regression: Case) -> Case:
    return regression.declared(
        gates=[{"metric": "r2", "at_least": 0.5}, {"measure": "efficiency.latency_p95_ms", "at_most": 100}],
        diagnoses=[],
        resamples=200,
    )


@pytest.fixture(scope="module")
def report(case: Case) -> Report:
    """Before a prediction was timed."""
    return case.declared(gates=[{"metric": "r2", "at_least": 0.5}], diagnoses=[], resamples=200).report()


def taking(report: Report, milliseconds: float) -> Report:
    """The same report, had a prediction taken so long."""
    info = DIAGNOSES["efficiency"]
    measure = Measure(name="latency_p95_ms", value=milliseconds, rows=100)
    timed = Diagnosis(name=info.name, title=info.title, headline=f"{milliseconds} ms", measures=[measure])
    outcome = "passed" if milliseconds <= 100 else "failed"
    gate = Verdict(name=GATE, outcome=outcome, value=milliseconds, reason=f"{milliseconds} ms")
    return report.model_copy(update={"diagnoses": [*report.diagnoses, timed], "gates": [*report.gates, gate]})


def kept(case: Case, stored: Report | None, new: Report, folder: Path, **record: Any) -> bool:
    """Whether the stored report stays the report."""
    path = folder / "report.json"
    newest = None
    if stored is not None:
        path.write_text(stored.to_json(), encoding="utf-8")
        newest = recorded(stored).model_copy(update=record)
    said = unless_only_times_differ(new, case.spec.evaluation, newest, lambda _, __: path, folder)
    assert said.digest == (stored if stored is not None and said is not new else new).digest
    return said is not new


def recorded(report: Report) -> EvaluationReport:
    place, run = "runs:/" + "a" * 32 + "/evaluation", "a" * 32
    return EvaluationReport(
        system=report.system,
        digest=report.digest,
        model_digest=report.model_digest,
        features_digest=report.features_digest,
        dataset_digest=report.dataset_digest,
        model_uri="models:/m-" + "b" * 32,
        mlflow_run_id=run,
        report_uri=f"{place}/report.json",
        html_uri=f"{place}/report.html",
        predictions_uri=f"{place}/predictions.parquet",
        predictions_digest="4" * 64,
        rows=report.test_rows,
        metrics=[],
        verdicts=report.gates,
    )


def test_a_report_whose_times_alone_differ_is_the_one_before(case: Case, report: Report, tmp_path: Path):
    assert kept(case, taking(report, 20), taking(report, 30), tmp_path)
    assert kept(case, taking(report, 120), taking(report, 300), tmp_path), "too slow still"


def test_another_verdict_number_or_model_is_another_report(case: Case, report: Report, tmp_path: Path):
    before = taking(report, 20)
    assert not kept(case, before, taking(report, 120), tmp_path)
    assert not kept(case, taking(report, 120), taking(report, 20), tmp_path), "it is no longer too slow"
    metrics = [report.metrics[0].model_copy(update={"value": 0.1}), *report.metrics[1:]]
    assert not kept(case, before, taking(report, 20).model_copy(update={"metrics": metrics}), tmp_path)
    assert not kept(case, before, taking(report, 20).model_copy(update={"model_digest": "9" * 64}), tmp_path)
    assert not kept(case, None, taking(report, 20), tmp_path)


def test_a_report_that_is_changed_or_gone_is_made_anew(case: Case, report: Report, tmp_path: Path):
    before, now = taking(report, 20), taking(report, 30)
    assert not kept(case, before, now, tmp_path, digest="5" * 64)
    (tmp_path / "report.json").write_text("{}", encoding="utf-8")
    said = unless_only_times_differ(
        now, case.spec.evaluation, recorded(before), lambda _, __: tmp_path / "report.json", tmp_path
    )
    assert said is now

    def gone(uri: str, folder: Path) -> Path:
        raise TrackingError(f"MLflow has no artefact at {uri!r} for {folder}")

    assert unless_only_times_differ(now, case.spec.evaluation, recorded(before), gone, tmp_path) is now


def test_what_is_not_timed_is_never_looked_up(case: Case, report: Report, tmp_path: Path):
    def gone(uri: str, folder: Path) -> Path:
        raise AssertionError("nothing is fetched")

    assert unless_only_times_differ(report, case.spec.evaluation, recorded(report), gone, tmp_path) is report
