"""Configuration that a run is launched with: it leads no run to another database, place, server or environment."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.definitions import defs

TUNED = {
    "execution": {"retries", "max_concurrent", "tag_concurrency_limits"},
    "mlflow": {"experiment_name", "parent_run_id", "mlflow_run_id", "extra_tags"},
}
"""All that a run may say; the resource ``mlflow`` is for assets beside the platform's."""
JOB = "wine_quality_lifecycle"


def settable(schema: Any) -> Iterator[tuple[str, str]]:
    """Every key of resources and executor that a run's configuration may hold, with what it belongs to."""
    for key, field in schema.fields["resources"].config_type.fields.items():
        yield from ((key, name) for name in field.config_type.fields["config"].config_type.fields)
    yield from (
        ("execution", name) for name in schema.fields["execution"].config_type.fields["config"].config_type.fields
    )


@pytest.mark.parametrize("executor", ["in_process", "multiprocess", "k8s"])
def test_no_key_of_a_runs_configuration_names_a_database_a_place_or_an_environment(
    executor: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("MLOPS_EXECUTOR", executor)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    definitions: Any = defs.load_fn()  # type: ignore[attr-defined]  # what Dagster calls
    keys = set(settable(definitions.resolve_job_def(JOB).run_config_schema.config_type))
    assert [(key, name) for key, name in keys if name not in TUNED.get(key, ())] == []
    assert {"storage", "tracking", "notification", "mlflow", "io_manager"} == set(
        definitions.get_repository_def().get_top_level_resources()
    )


def test_no_run_is_executed_with_resources_of_its_own(tmp_path: Path):
    elsewhere = tmp_path / "elsewhere"
    config = {
        "resources": {"storage": {"config": {"root": str(elsewhere), "database_url": f"sqlite:///{elsewhere}.db"}}}
    }
    (tmp_path / "run.json").write_text(json.dumps(config))
    command = ["dagster", "job", "execute", "-m", "mlops_assets.definitions", "-j", JOB, "-c", "run.json"]
    environment = {**os.environ, "DAGSTER_HOME": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-m", *command], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert ended.returncode != 0
    assert "unexpected config entries" in ended.stderr and "root:resources:storage:config" in ended.stderr
    assert not list(tmp_path.glob("elsewhere*"))
