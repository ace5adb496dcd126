"""Faults put into a line that works: each is caught by name, and nothing of it is registered."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlops_assets.declaration.reading import SHIPPED, find_system
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.features.table import read_features
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.model import artefact
from mlops_assets.model.version import ModelVersion
from mlops_assets.verdict import Verdict
from mlops_assets_tests.platform import Platform, changed, checks, failure

LINEAR = {"estimator": "sklearn.linear_model.LogisticRegression"}
LENIENT = {"gates": [{"check": "beats_baseline"}], "diagnoses": [], "resamples": 200}
STRICT = {"gates": [{"metric": "accuracy", "at_least": 0.85}], "diagnoses": [], "resamples": 200}


@pytest.fixture
def scaled(wine: SystemSpec) -> SystemSpec:
    """Wines by a model whose inputs are scaled first."""
    return changed(wine, model=LINEAR, evaluation=LENIENT)


def newest(platform: Platform, kind: Any, spec: SystemSpec) -> Any:
    found = platform.storage.records.latest(kind, spec.name)
    assert found is not None
    return found


def all_rows(platform: Platform, spec: SystemSpec) -> tuple[FeaturesVersion, pd.DataFrame]:
    features = newest(platform, FeaturesVersion, spec)
    return features, read_features(platform.storage, features)


def verdicts(platform: Platform, spec: SystemSpec) -> dict[str, Verdict]:
    return {verdict.name: verdict for verdict in newest(platform, EvaluationReport, spec).verdicts}


def assert_nothing_is_registered(platform: Platform, spec: SystemSpec, reason: str) -> None:
    alone = platform.run(spec, "registered_version")
    assert not alone.success
    assert reason in failure(alone, f"{spec.name}__registered_version")
    assert platform.versions(spec) == []


def refit_on_all_rows(pipeline: Any, platform: Platform, spec: SystemSpec) -> None:
    features, rows = all_rows(platform, spec)
    assert len(rows) > features.rows["train"]
    pipeline[:-1].fit(rows.loc[:, features.names], rows[features.target].to_numpy())


def test_a_scaler_fitted_on_all_rows_in_training_blocks_by_name(
    platform: Platform, scaled: SystemSpec, monkeypatch: pytest.MonkeyPatch
):
    from mlops_assets.model import training

    def leaking(*given: Any, **named: Any) -> training.Trained:
        trained = honest(*given, **named)
        refit_on_all_rows(trained.pipeline, platform, scaled)
        return trained

    honest = training.train
    platform.land(scaled)
    monkeypatch.setattr(training, "train", leaking)
    result = platform.run(scaled)
    assert not result.success
    found = checks(result)
    assert found["preparation_from_train"] is False and found["beats_baseline"] is True
    told = verdicts(platform, scaled)["preparation_from_train"]
    assert told.value is not None and 0.001 < told.value < 1
    assert "it saw other rows" in told.reason
    assert_nothing_is_registered(platform, scaled, "preparation_from_train failed")


def test_a_scaler_fitted_on_all_rows_in_the_stored_artefact_is_another_artefact(platform: Platform, scaled: SystemSpec):
    platform.land(scaled)
    assert platform.run(scaled, "dataset", "features", "model").success
    model: ModelVersion = newest(platform, ModelVersion, scaled)
    (stored,) = platform.folder.glob("artifacts/**/model.skops")
    pipeline = artefact.load(stored, model.digest, declared=model.declared)
    refit_on_all_rows(pipeline, platform, scaled)
    artefact.dump(pipeline, stored)
    result = platform.run(scaled, "evaluation")
    assert f"not {model.digest}" in failure(result, "wine_quality__evaluation")
    assert platform.storage.records.latest(EvaluationReport, scaled.name) is None
    assert_nothing_is_registered(platform, scaled, "has no evaluation report")


def test_a_scaler_swapped_after_the_evaluation_is_not_registered(platform: Platform, scaled: SystemSpec):
    platform.land(scaled)
    assert platform.run(scaled, "dataset", "features", "model", "evaluation").success
    model: ModelVersion = newest(platform, ModelVersion, scaled)
    (stored,) = platform.folder.glob("artifacts/**/model.skops")
    pipeline = artefact.load(stored, model.digest, declared=model.declared)
    refit_on_all_rows(pipeline, platform, scaled)
    artefact.dump(pipeline, stored)
    alone = platform.run(scaled, "registered_version")
    assert f"not {model.digest}" in failure(alone, "wine_quality__registered_version")
    assert platform.run(scaled, "champion").success is False
    assert platform.registry(scaled).champion() is None


@pytest.fixture
def swap(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """From now on two columns change places in whatever rows are read."""

    def swapping(one: str, other: str) -> None:
        from mlops_assets.features import table

        whole, parts = table.read_features, table.read_parts

        def swapped(rows: pd.DataFrame) -> pd.DataFrame:
            return rows.assign(**{one: rows[other], other: rows[one]})

        monkeypatch.setattr(table, "read_features", lambda *given, **named: swapped(whole(*given, **named)))
        monkeypatch.setattr(table, "read_parts", lambda *given: table.Parts(*map(swapped, parts(*given))))

    return swapping


def test_two_columns_swapped_after_training_fail_a_gate_by_name(
    platform: Platform, wine: SystemSpec, swap: Callable[[str, str], None]
):
    spec = changed(wine, model=LINEAR, evaluation=STRICT)
    platform.land(spec)
    assert platform.run(spec, "dataset", "features", "model").success
    swap("proline", "flavanoids")
    result = platform.run(spec, "evaluation")
    found = checks(result)
    assert found["accuracy_at_least"] is False and found["preparation_from_train"] is False
    assert_nothing_is_registered(platform, spec, "accuracy_at_least failed")


def test_two_columns_swapped_after_the_evaluation_fail_the_round_trip(
    platform: Platform, wine: SystemSpec, swap: Callable[[str, str], None]
):
    spec = changed(wine, model=LINEAR, evaluation=STRICT)
    platform.land(spec)
    assert platform.run(spec, "dataset", "features", "model", "evaluation").success
    swap("proline", "flavanoids")
    result = platform.run(spec, "registered_version")
    assert checks(result)["round_trip"] is False
    champion = platform.run(spec, "champion")
    assert "round_trip failed" in failure(champion, "wine_quality__champion")
    assert platform.registry(spec).champion() is None


@pytest.mark.parametrize(
    ("system", "constant"),
    [("wine_quality", "sklearn.dummy.DummyClassifier"), ("house_prices", "sklearn.dummy.DummyRegressor")],
)
def test_a_constant_prediction_does_not_beat_the_baseline(
    platform: Platform, system: str, constant: str, tmp_path: Path
):
    shipped = find_system(system, [SHIPPED])
    spec = changed(shipped, model={"estimator": constant}, evaluation=LENIENT)
    if system == "house_prices":
        from mlops_assets.defs.house_prices.sample import rows

        pd.DataFrame(rows()).head(400).to_csv(tmp_path / "some.csv", index=False)
        platform.land(spec, tmp_path / "some.csv")
    else:
        platform.land(spec)
    result = platform.run(spec)
    assert not result.success
    found = checks(result)
    assert (found["learned"], found["beats_baseline"]) == (False, False)
    assert (verdicts(platform, spec)["beats_baseline"].value or 0) <= 0
    assert_nothing_is_registered(platform, spec, "beats_baseline failed")
