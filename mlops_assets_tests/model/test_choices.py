"""What validation rows decide, from a declaration to the report: calibration, threshold, intervals."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.evaluation.report.html import render
from mlops_assets.evaluation.report.report import Report
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.features.table import read_features
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.model import artefact
from mlops_assets.model.prediction_intervals import read_intervals
from mlops_assets.model.training import train
from mlops_assets.model.version import ModelVersion
from mlops_assets_tests.platform import Platform, changed, failure

LATHE = {
    "name": "lathe",
    "task": "classification",
    "dataset": {
        "target": "breaks",
        "columns": {
            "speed": {"type": "float"},
            "heat": {"type": "float"},
            "wear": {"type": "float"},
            "hall": {"type": "string"},
            "breaks": {"type": "boolean"},
        },
    },
    "features": {"exclude": ["hall"], "split": {"test": 0.3, "validation": 0.3}},
    "model": {
        "estimator": "sklearn.ensemble.RandomForestClassifier",
        "params": {"n_estimators": 20, "min_samples_leaf": 2},
        "calibration": "sigmoid",
        "threshold": {"maximise": "f2"},
        "intervals": {"coverage": 0.8, "by": "hall"},
    },
    "evaluation": {"resamples": 200, "diagnoses": ["conformal"], "gates": []},
}


@pytest.fixture
def lathe(tmp_path: Path) -> tuple[SystemSpec, Path]:
    """900 lathes in two halls; a fifth of them break."""
    rng = np.random.default_rng(3)
    rows = pd.DataFrame(rng.normal(size=(900, 3)), columns=pd.Index(["speed", "heat", "wear"]))
    score = rows["speed"] + rows["heat"] * rows["wear"] + rng.normal(size=900)
    rows["hall"] = np.where(rng.uniform(size=900) < 0.4, "north", "south")
    rows["breaks"] = score > np.quantile(score, 0.8)
    path = tmp_path / "lathes.csv"
    rows.to_csv(path, index=False)
    return SystemSpec.model_validate(LATHE), path


@pytest.mark.slow
def test_calibration_threshold_and_intervals_go_from_the_declaration_to_the_report(
    platform: Platform, lathe: tuple[SystemSpec, Path], tmp_path: Path
) -> None:
    spec, file = lathe
    platform.land(spec, file)
    result = platform.run(spec, "dataset", "features", "model", "evaluation")
    assert result.success
    records = platform.storage.records
    features, model = records.latest(FeaturesVersion, "lathe"), records.latest(ModelVersion, "lathe")
    assert features and model and model.decision and model.intervals_digest
    assert model.calibration == "sigmoid" and 90 < model.calibration_rows < 180
    assert model.decision.positive is True and model.decision.rows == features.rows["validation"]
    assert model.decision.threshold < 0.5 and model.decision.value > (model.decision.usual_value or 0)
    assert "no ONNX copy: FixedThresholdClassifier, which rules a fitted estimator" in model.onnx_note

    # Trained again without a test row at hand, everything is the same.
    parts = [read_features(platform.storage, features, part) for part in ("train", "validation")]
    again = train(spec, features, *parts)
    artefact.dump(again.pipeline, tmp_path / "again.skops")
    assert artefact.digest(tmp_path / "again.skops") == model.digest
    assert again.decision == model.decision and again.intervals
    assert again.intervals.digest == model.intervals_digest

    logged = platform.tracking.fetch(model.uri, tmp_path / "fetched")
    intervals = read_intervals(logged / "intervals.json", model.intervals_digest)
    assert (intervals.coverage, intervals.by) == (0.8, "hall")
    assert [one.segment for one in intervals.own] == ["north", "south"]
    assert intervals.rows + model.calibration_rows == features.rows["validation"]
    params = platform.tracking.client.get_run(model.mlflow_run_id).data.params
    assert params["calibration"] == "sigmoid" and params["decision_objective"] == "f2"
    assert float(params["decision_threshold"]) == model.decision.threshold
    metadata = result.asset_materializations_for_node("lathe__model")[0].metadata
    assert metadata["decision"].value == model.decision.sentence
    assert str(metadata["intervals"].value).startswith("80% coverage, fitted on")

    record = records.latest(EvaluationReport, "lathe")
    assert record
    report = Report.model_validate_json(platform.tracking.fetch(record.report_uri, tmp_path).read_bytes())
    assert report.decision == model.decision.sentence and report.decision in render(report)
    conformal = next(one for one in report.diagnoses if one.name == "conformal")
    coverage = conformal.measures[0]
    assert coverage.interval and coverage.interval[0] < 0.8 < coverage.interval[1]
    assert {row[0] for row in conformal.tables[0].rows} >= {"hall north", "hall south"}
    assert report.metric("f2") and report.metric("f0_5")


def test_other_intervals_are_another_data_version_of_the_same_artefact(
    platform: Platform, lathe: tuple[SystemSpec, Path]
) -> None:
    spec, file = lathe
    platform.land(spec, file)
    plain = {**LATHE["model"], "calibration": "none", "threshold": None, "intervals": None}
    wide = {**plain, "intervals": {"coverage": 0.95}}
    assert platform.run(changed(spec, model=plain), "dataset", "features", "model").success
    assert platform.run(changed(spec, model=wide), "model").success
    first, second = platform.storage.records.history(ModelVersion, "lathe")
    assert first.digest == second.digest and first.data_version != second.data_version
    assert (first.intervals_digest, first.intervals_note) == (None, "switched off by model.intervals")


def test_too_few_validation_rows_stop_the_model_at_once(platform: Platform, lathe: tuple[SystemSpec, Path]) -> None:
    spec, file = lathe
    few = changed(spec, features={"exclude": ["hall"], "split": {"validation": 0.02}})
    platform.land(few, file)
    result = platform.run(few, "dataset", "features", "model")
    assert not result.success
    told = failure(result, "lathe__model")
    assert "model.calibration 'sigmoid' needs 30 validation rows, has" in told and "Remedy: a larger features" in told
    assert platform.storage.records.latest(ModelVersion, "lathe") is None
