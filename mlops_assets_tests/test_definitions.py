"""The code location: what Dagster loads, how light it is, and what one wrong declaration does to it."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from mlops_assets.definitions import defs
from mlops_assets_tests.declaration.test_reading import MINIMAL, declared

HEAVY = ("mlflow", "torch", "sklearn", "optuna", "pandera", "dagster_mlflow", "scipy", "pandas", "polars")
HEAVY += ("numpy", "pyarrow", "deltalake")


def load() -> dg.Definitions:
    return defs.load_fn()  # type: ignore[attr-defined]  # what Dagster calls


def keys(definitions: dg.Definitions) -> set[str]:
    return {spec.key.to_user_string() for spec in definitions.resolve_all_asset_specs()}


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))


def with_systems(monkeypatch: pytest.MonkeyPatch, folder: Path, env: str) -> None:
    monkeypatch.setenv("MLOPS_ENV", env)
    monkeypatch.setenv("MLOPS_SYSTEMS", json.dumps([str(folder)]))


def test_loading_imports_no_heavy_library():
    code = (
        "import sys; from mlops_assets.definitions import defs; defs.load_fn(); "
        f"print([module for module in {HEAVY} if module in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_every_shipped_system_has_its_line_and_jobs():
    definitions = load()
    stages = ("dataset", "features", "model", "evaluation", "registered_version", "champion")
    for system in ("wine_quality", "music_therapy", "house_prices"):
        assert {f"{system}/{stage}" for stage in stages} <= keys(definitions)
        for job in ("ingestion", "training", "lifecycle"):
            assert definitions.resolve_job_def(f"{system}_{job}").tags["system"] == system
        training, lifecycle = (definitions.resolve_job_def(f"{system}_{job}") for job in ("training", "lifecycle"))
        hours = [int(job.tags["dagster/max_runtime"]) / 3600 for job in (training, lifecycle)]
        assert hours == [2 + 12 + 2 + 1 + 1, 2 + 2 + 12 + 2 + 1 + 1], "as long as its steps together may take"
    dg.Definitions.validate_loadable(definitions)


def test_a_further_system_costs_a_yaml_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    declared(tmp_path / "mine", MINIMAL)
    with_systems(monkeypatch, tmp_path / "mine", "local")
    assert {"tiny/dataset", "tiny/champion", "wine_quality/champion"} <= keys(load())


@pytest.mark.parametrize("env", ["local", "ci"])
def test_a_wrong_declaration_stops_the_load_on_a_laptop_and_in_ci(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, env: str
):
    declared(tmp_path / "mine", MINIMAL + "  model: {estimatr: x}\n")
    with_systems(monkeypatch, tmp_path / "mine", env)
    with pytest.raises(Exception, match=r"defs\.yaml:13: model\.estimatr: unknown key"):
        load()


@pytest.mark.parametrize("env", ["staging", "prod"])
def test_a_wrong_declaration_stands_as_a_failing_asset_on_a_shared_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, env: str
):
    declared(tmp_path / "mine", MINIMAL + "  model: {estimatr: x}\n")
    with_systems(monkeypatch, tmp_path / "mine", env)
    definitions = load()
    assert {"tiny/declaration", "wine_quality/champion"} <= keys(definitions)
    broken = definitions.get_assets_def(dg.AssetKey(["tiny", "declaration"]))
    assert "defs.yaml:13" in (broken.descriptions_by_key[broken.key] or "")
    result = dg.materialize([broken], raise_on_error=False)
    assert not result.success
    assert "unknown key 'estimatr'" in str(result.failure_data_for_node("tiny__declaration"))


def test_a_wrong_declaration_among_the_shipped_ones_is_tolerated_by_the_component(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from mlops_assets.component import Attributes, MLSystem

    path = declared(tmp_path, MINIMAL + "  model: {estimatr: x}\n")
    attributes = Attributes({"name": "tiny", "model": {"estimatr": "x"}})
    context = dg.ComponentTree.for_test().load_context

    positions = context.resolution_context.with_source_position_tree(_positions(path))
    here: Any = SimpleNamespace(path=path.parent, resolution_context=positions)
    monkeypatch.setenv("MLOPS_ENV", "prod")
    component = MLSystem.load(attributes, here)
    specs = component.build_defs(context).resolve_all_asset_specs()
    assert [spec.key.to_user_string() for spec in specs] == ["tiny/declaration"]


def _positions(path: Path):
    from dagster_shared.yaml_utils import parse_yaml_with_source_position

    return parse_yaml_with_source_position(path.read_text(), str(path)).source_position_tree


@pytest.mark.parametrize(("env", "running"), [("local", False), ("prod", True)])
def test_schedules_and_sensors_start_by_themselves_only_on_a_shared_environment(
    monkeypatch: pytest.MonkeyPatch, env: str, running: bool
):
    monkeypatch.setenv("MLOPS_ENV", env)
    repository = load().get_repository_def()
    named = {s.name: s.default_status.value for s in [*repository.schedule_defs, *repository.sensor_defs]}
    assert named.pop("dead_runs") == "RUNNING", "it starts nothing, and a killed run must not block a queue anywhere"
    statuses = list(named.values())
    assert set(statuses) == {"RUNNING" if running else "STOPPED"}
    assert len(statuses) == 14
    assert all(schedule.execution_timezone == "UTC" for schedule in repository.schedule_defs)


@pytest.mark.parametrize(
    ("env", "chosen", "executor"),
    [
        ("local", None, "in_process"),
        ("ci", None, "in_process"),
        ("prod", None, "multiprocess"),
        ("prod", "k8s", "k8s"),
    ],
)
def test_the_environment_selects_the_executor(
    monkeypatch: pytest.MonkeyPatch, env: str, chosen: str | None, executor: str
):
    monkeypatch.setenv("MLOPS_ENV", env)
    if chosen:
        monkeypatch.setenv("MLOPS_EXECUTOR", chosen)
    assert load().resolve_job_def("wine_quality_lifecycle").executor_def.name == executor


def test_passwords_stay_references(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLOPS_DATABASE_URL", "postgresql+psycopg2://mlops:s3cret@db/mlops")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://user:s3cret@mlflow.example")
    from dagster._core.remote_representation.external_data import RepositorySnap

    snapshot = RepositorySnap.from_def(load().get_repository_def())
    assert "s3cret" not in dg.serialize_value(snapshot)


def test_declared_resources_make_a_pod_that_kubernetes_takes():
    from dagster_k8s.job import DagsterK8sJobConfig, construct_dagster_k8s_job, get_user_defined_k8s_config

    model = load().get_assets_def(dg.AssetKey(["wine_quality", "model"]))
    job = construct_dagster_k8s_job(
        job_config=DagsterK8sJobConfig(job_image="image", dagster_home="/home"),
        args=["run"],
        job_name="job",
        user_defined_k8s_config=get_user_defined_k8s_config(model.op.tags),
    )
    assert job.spec is not None
    assert job.spec.template.spec is not None
    resources = job.spec.template.spec.containers[0].resources
    assert resources.requests == {"cpu": "1", "memory": "2Gi"}
    assert resources.limits == {"cpu": "1", "memory": "2Gi"}


def test_the_schema_of_a_declaration_documents_every_key():
    from mlops_assets.component import MLSystem

    schema = MLSystem.get_model_cls().model_json_schema()
    undocumented = [
        f"{name}.{key}"
        for name, model in {"SystemSpec": schema, **schema["$defs"]}.items()
        for key, field in model.get("properties", {}).items()
        if not field.get("description")
    ]
    assert undocumented == []
