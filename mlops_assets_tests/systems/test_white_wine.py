"""UCI white wine as good or not: what a naive split reports is contamination, and is refused as such."""

from pathlib import Path
from typing import Any

import pytest

from mlops_assets.dataset.version import DatasetVersion
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.model.version import ModelVersion
from mlops_assets_tests.platform import Platform, checks, failure

HONEST, CONTAMINATED = 0.774, 0.845
"""Accuracy of a random forest without and with copies of train rows among the rows it is judged on."""
MEASURED = [
    *("fixed_acidity", "volatile_acidity", "citric_acid", "residual_sugar", "chlorides", "free_sulfur_dioxide"),
    *("total_sulfur_dioxide", "density", "pH", "sulphates", "alcohol"),
]


def good_wine(**split: Any) -> SystemSpec:
    return SystemSpec.model_validate(
        {
            "name": "good_wine",
            "task": "classification",
            "dataset": {
                "target": "good",
                "columns": {**{name: {"type": "float", "min": 0} for name in MEASURED}, "good": {"type": "boolean"}},
            },
            "features": {"split": split},
            "model": {
                "estimator": "sklearn.ensemble.RandomForestClassifier",
                "params": {"n_estimators": 200},
                "onnx": "off",
            },
            "evaluation": {"resamples": 500, "gates": [{"metric": "accuracy", "at_least": 0.70}]},
        }
    )


@pytest.fixture
def wines(shared_data: Path, tmp_path: Path) -> Path:
    import pandas as pd

    table = pd.read_csv(shared_data / "wine_quality" / "winequality-white.csv")
    path = tmp_path / "wines.csv"
    table.assign(good=table.pop("quality") >= 6).to_csv(path, index=False)
    return path


def test_a_naive_random_split_is_blocked_for_its_copies(platform: Platform, wines: Path):
    spec = good_wine(identity="row")
    platform.land(spec, wines)
    result = platform.run(spec)
    assert not result.success
    assert checks(result)["no_overlap"] is False
    dataset = platform.storage.records.latest(DatasetVersion, spec.name)
    features = platform.storage.records.latest(FeaturesVersion, spec.name)
    assert dataset and features
    assert (dataset.rows, dataset.duplicates) == (4_898, 937)
    overlap = next(verdict for verdict in features.verdicts if verdict.name == "no_overlap")
    assert overlap.blocks and 300 < (overlap.value or 0) < 937
    assert "as 937 rows repeat another one" in overlap.reason
    assert platform.storage.records.latest(ModelVersion, spec.name) is None
    assert "no_overlap failed" in failure(platform.run(spec, "model"), "good_wine__model")


@pytest.mark.slow
def test_with_the_platforms_split_the_accuracy_is_the_honest_one(platform: Platform, wines: Path):
    spec = good_wine()
    platform.land(spec, wines)
    result = platform.run(spec)
    assert result.success, {name: ok for name, ok in checks(result).items() if not ok}
    report = platform.storage.records.latest(EvaluationReport, spec.name)
    assert report
    accuracy = next(metric for metric in report.metrics if metric.name == "accuracy")
    assert accuracy.value == pytest.approx(HONEST, abs=0.02)
    assert (accuracy.interval or (0, 1))[1] < CONTAMINATED
