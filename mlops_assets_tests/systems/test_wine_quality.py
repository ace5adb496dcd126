"""wine_quality from its landed sample to a champion, and every way round its gates refused."""

import json
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.dataset.version import DatasetVersion
from mlops_assets.declaration.reading import SHIPPED, find_system
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.model.version import ModelVersion
from mlops_assets.registry.version import ChampionDecision, RegisteredVersion
from mlops_assets.resources.tracking import MlflowTracking
from mlops_assets.storage.ledger import Ledger
from mlops_assets_tests.platform import Platform, changed, checks, failure, kept, restored

IMPOSSIBLE = {"gates": [{"metric": "log_loss", "at_most": 1e-9}]}
LENIENT = {"gates": [{"metric": "accuracy", "at_least": 0.01}]}
JUDGED = ("evaluation", "registered_version", "champion")


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory, wine: SystemSpec) -> dict[str, Path]:
    """What the line leaves after training, evaluation and promotion, made once and copied for every test."""
    here = tmp_path_factory.mktemp("line") / "here"
    here.mkdir()
    platform, homes = Platform(here), {}
    platform.land(wine)
    for home, stages in {
        "trained": ("dataset", "features", "model"),
        "evaluated": ("evaluation",),
        "promoted": ("registered_version", "champion"),
    }.items():
        assert platform.run(wine, *stages).success
        homes[home] = kept(here, home)
    return homes


@pytest.fixture
def trained(line: dict[str, Path]) -> Platform:
    return restored(line["trained"])


@pytest.fixture
def evaluated(line: dict[str, Path]) -> Platform:
    return restored(line["evaluated"])


@pytest.fixture
def promoted(line: dict[str, Path]) -> Platform:
    return restored(line["promoted"])


def test_the_whole_line_from_sample_to_champion(platform: Platform):
    wine = find_system("wine_quality", [SHIPPED])
    platform.land(wine)
    result = platform.run(wine)
    assert result.success
    passed = checks(result)
    assert set(passed) == {
        *("contract", "duplicates", "volume"),
        *("no_overlap", "no_undeclared_groups", "no_near_duplicates", "no_leakage", "no_target"),
        *("no_degenerate", "no_proxy", "enough_rows"),
        *("learned", "accuracy_at_least", "log_loss_at_most", "beats_baseline", "preparation_from_train"),
        *("not_worse_than_linear", "bounds_not_loosened", "round_trip", "signature", "aliases_follow_ledger"),
    }
    assert {name for name, ok in passed.items() if not ok} <= {"enough_rows", "bounds_not_loosened"}

    records = platform.storage.records
    dataset = records.latest(DatasetVersion, wine.name)
    features = records.latest(FeaturesVersion, wine.name)
    model = records.latest(ModelVersion, wine.name)
    report = records.latest(EvaluationReport, wine.name)
    version = records.latest(RegisteredVersion, wine.name)
    assert dataset and features and model and report and version
    assert dataset.rows == 178
    assert sum(features.rows.values()) == 178
    assert (features.dataset_digest, model.features_digest) == (dataset.digest, features.digest)
    assert (report.model_digest, version.digest) == (model.digest, report.digest)

    registered = platform.registry(wine).version(1)
    assert registered.tags["mlops.report_digest"] == report.digest
    assert registered.tags["mlops.dataset_digest"] == dataset.digest
    assert registered.tags["dagster.run_id"] == result.run_id
    assert platform.registry(wine).champion() == 1
    entries = Ledger(platform.storage.records).entries(wine.name)
    assert [(entry.event, entry.version) for entry in entries] == [("registered", 1), ("verdict", 1), ("promoted", 1)]
    assert entries[2].reason == "the first registered version"

    assert platform.run(wine, "evaluation").success
    first, second = records.history(EvaluationReport, wine.name)
    assert first.digest == second.digest, "its predictions were timed anew, and that makes no other report"
    assert first.report_uri != second.report_uri


def test_a_failed_gate_stops_its_run_and_registration_alone_refuses(trained: Platform, wine: SystemSpec):
    spec = changed(wine, evaluation=IMPOSSIBLE)
    first = trained.run(spec, *JUDGED)
    assert not first.success
    assert checks(first)["log_loss_at_most"] is False

    alone = trained.run(spec, "registered_version")
    assert not alone.success
    assert "log_loss_at_most failed" in failure(alone, "wine_quality__registered_version")
    assert trained.versions(spec) == []
    assert not trained.run(spec, "champion").success
    assert trained.registry(spec).champion() is None


def test_a_gate_that_cannot_be_computed_is_not_passed(trained: Platform, wine: SystemSpec):
    spec = changed(wine, evaluation={"gates": [{"metric": "accuracy", "at_least": 0.1, "min_rows": 1000}]})
    assert not trained.run(spec, *JUDGED).success
    alone = trained.run(spec, "registered_version")
    assert "accuracy_at_least not evaluated" in failure(alone, "wine_quality__registered_version")
    assert trained.versions(spec) == []


def test_a_warning_gate_tells_but_does_not_stop(trained: Platform, wine: SystemSpec):
    gates = [{"metric": "log_loss", "at_most": 1e-9, "severity": "warn"}, {"metric": "accuracy", "at_least": 0.5}]
    spec = changed(wine, evaluation={"gates": gates})
    result = trained.run(spec, *JUDGED)
    assert result.success
    assert checks(result)["log_loss_at_most"] is False
    assert trained.versions(spec) == [1]


def test_without_a_report_nothing_is_registered(trained: Platform, wine: SystemSpec):
    alone = trained.run(wine, "registered_version")
    assert "has no evaluation report" in failure(alone, "wine_quality__registered_version")
    assert trained.versions(wine) == []


def test_the_report_of_another_model_does_not_count(evaluated: Platform, wine: SystemSpec):
    other = changed(wine, model={"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 1}})
    assert evaluated.run(other, "model").success
    alone = evaluated.run(other, "registered_version")
    assert "has no evaluation report" in failure(alone, "wine_quality__registered_version")
    assert evaluated.versions(wine) == []


@pytest.mark.parametrize(
    "gates",
    [
        [{"metric": "accuracy", "at_least": 0.99}],
        [{"metric": "f1_macro", "at_least": 0.10}],
        [{"metric": "accuracy", "at_least": 0.10, "severity": "warn"}],
    ],
    ids=["tighter", "new", "of another severity"],
)
def test_a_report_judged_by_other_gates_does_not_count(trained: Platform, wine: SystemSpec, gates: list):
    before = changed(wine, evaluation={"gates": [{"metric": "accuracy", "at_least": 0.10}]})
    assert trained.run(before, "evaluation").success
    alone = trained.run(changed(wine, evaluation={"gates": gates}), "registered_version")
    assert "Remedy: materialise evaluation" in failure(alone, "wine_quality__registered_version")
    assert trained.versions(wine) == []


def test_an_edited_report_is_found_out(trained: Platform, wine: SystemSpec):
    spec = changed(wine, evaluation=IMPOSSIBLE)
    trained.run(spec, "evaluation")
    for stored in trained.folder.glob("artifacts/**/report.json"):
        told = json.loads(stored.read_text())
        for gate in told["gates"]:
            gate["outcome"] = "passed"
        stored.write_text(json.dumps(told))
    alone = trained.run(spec, "registered_version")
    assert "it was changed" in failure(alone, "wine_quality__registered_version")
    assert trained.versions(spec) == []


def test_edited_predictions_are_found_out(evaluated: Platform, wine: SystemSpec):
    for stored in evaluated.folder.glob("artifacts/**/predictions.parquet"):
        stored.write_bytes(stored.read_bytes() + b" ")
    alone = evaluated.run(wine, "registered_version")
    assert "predictions.parquet have digest" in failure(alone, "wine_quality__registered_version")
    assert evaluated.versions(wine) == []


def test_a_failed_leakage_check_is_not_walked_past(platform: Platform, wine: SystemSpec, tmp_path: Path):
    import pandas as pd

    from mlops_assets.defs.wine_quality.sample import rows

    leaking = pd.DataFrame(rows()).assign(answer=lambda wines: wines["cultivar"] * 10.0)
    file = tmp_path / "leaking.csv"
    leaking.to_csv(file, index=False)
    columns = {**wine.dataset.model_dump()["columns"], "answer": {"type": "float"}}
    spec = changed(wine, dataset={**wine.dataset.model_dump(), "columns": columns})
    platform.land(spec, file)
    first = platform.run(spec)
    assert checks(first)["no_leakage"] is False
    alone = platform.run(spec, "model")
    assert not alone.success
    assert "no_leakage failed" in failure(alone, "wine_quality__model")
    assert "answer" in failure(alone, "wine_quality__model")


def test_the_same_versions_give_the_same_model_and_are_registered_once(promoted: Platform, wine: SystemSpec):
    assert promoted.run(wine).success
    models = promoted.storage.records.history(ModelVersion, wine.name)
    reports = promoted.storage.records.history(EvaluationReport, wine.name)
    assert len(models) == len(reports) == 2
    assert len({model.digest for model in models}) == len({report.digest for report in reports}) == 1
    assert promoted.versions(wine) == [1]
    assert promoted.registry(wine).champion() == 1


def test_a_worse_challenger_leaves_the_champion_in_place(promoted: Platform, wine: SystemSpec):
    stump = {"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 1}}
    worse = changed(wine, model=stump, evaluation=LENIENT)
    assert promoted.run(worse).success
    decision = promoted.storage.records.latest(ChampionDecision, wine.name)
    assert decision is not None
    assert (decision.decision, decision.version, decision.champion) == ("kept", 2, 1)
    assert decision.reason.startswith(("inferior: accuracy", "undecided: accuracy"))
    assert promoted.registry(wine).champion() == 1
    assert Ledger(promoted.storage.records).entries(wine.name)[-1].event == "verdict"


def test_mlflow_out_of_reach_fails_before_training(platform: Platform, wine: SystemSpec):
    platform.land(wine)
    platform.tracking = MlflowTracking(tracking_uri="http://127.0.0.1:9")
    result = platform.run(wine)
    assert not result.success
    assert "MLflow at 'http://127.0.0.1:9' is out of reach" in failure(result, "wine_quality__model")
    assert platform.storage.records.latest(FeaturesVersion, wine.name) is not None
    assert platform.storage.records.latest(ModelVersion, wine.name) is None


def test_nothing_landed_is_said_with_the_remedy(platform: Platform, wine: SystemSpec):
    result = platform.run(wine)
    assert "No batch is in the dataset. Remedy: mlops land wine_quality" in failure(result, "wine_quality__dataset")


def test_a_wrong_parameter_is_refused_at_the_very_start(platform: Platform, wine: SystemSpec):
    spec = changed(wine, model={"estimator": "sklearn.ensemble.RandomForestClassifier", "params": {"n_trees": 3}})
    platform.land(spec)
    result = platform.run(spec)
    assert "n_trees" in failure(result, "wine_quality__dataset")
    assert platform.storage.records.latest(DatasetVersion, spec.name) is None


def test_a_rejected_batch_fails_the_run_and_leaves_the_dataset(promoted: Platform, wine: SystemSpec, tmp_path: Path):
    broken = tmp_path / "broken.csv"
    broken.write_text("alcohol,cultivar\n13,1\n")
    promoted.land(wine, broken)
    result = promoted.run(wine)
    assert not result.success
    assert checks(result)["contract"] is False
    dataset = promoted.storage.records.latest(DatasetVersion, wine.name)
    assert dataset is not None
    assert (dataset.rows, dataset.batches) == (178, 1)
    assert promoted.run(wine).success, "the rejected batch is told once"


def test_dagster_records_which_versions_were_used(platform: Platform, wine: SystemSpec):
    platform.land(wine)
    assert platform.run(wine, "dataset", "features").success
    dataset = platform.storage.records.latest(DatasetVersion, wine.name)
    event = platform.instance.get_latest_materialization_event(dg.AssetKey([wine.name, "features"]))
    assert dataset is not None
    assert event is not None
    assert event.asset_materialization is not None
    tags = event.asset_materialization.tags or {}
    used = tags["dagster/input_data_version/wine_quality/dataset"]
    assert used == f"{dataset.table_version}-{dataset.digest}"
