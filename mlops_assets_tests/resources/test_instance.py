"""The Dagster instance is written from the settings and is one that Dagster loads."""

from pathlib import Path

import pytest
import yaml

from mlops_assets.resources.instance import instance_file, instance_yaml, prepare_instance
from mlops_assets.settings import Settings
from mlops_assets_tests.shell import Shell


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_dagster_loads_the_instance_with_its_limits(home: Path):
    import dagster as dg

    assert prepare_instance(Settings()) == home
    with dg.DagsterInstance.get() as instance:
        assert instance.run_retries_enabled
        assert instance.run_retries_max_retries == 1
        assert instance.get_settings("run_retries")["retry_on_asset_or_op_failure"] is False
        assert instance.run_monitoring_max_runtime_seconds == 0, "how long a run may take is said by its job"
        limits = instance.get_concurrency_config().run_queue_config
        assert limits is not None
        assert limits.tag_concurrency_limits == [
            {"key": "system", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
        ]


def test_postgresql_is_the_storage_where_a_url_is_set_and_the_url_stays_a_reference(
    home: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MLOPS_DAGSTER_POSTGRES_URL", "postgresql+psycopg2://u:secret@db/dagster")
    text = instance_yaml(Settings())
    assert yaml.safe_load(text)["storage"] == {"postgres": {"postgres_url": {"env": "MLOPS_DAGSTER_POSTGRES_URL"}}}
    assert "secret" not in text


def test_an_unchanged_instance_is_left_alone(home: Path):
    written = prepare_instance(Settings()) / "dagster.yaml"
    before = written.stat().st_mtime_ns
    prepare_instance(Settings())
    assert written.stat().st_mtime_ns == before


@pytest.mark.parametrize("command", ["run", "instance", "doctor"])
def test_a_dagster_yaml_of_somebody_else_is_never_overwritten(home: Path, command: str):
    home.mkdir()
    own = home / "dagster.yaml"
    own.write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    arguments = {"run": ("run", "wine_quality")}.get(command, (command,))
    Shell(home).mlops(*arguments)
    assert own.read_text(encoding="utf-8") == "telemetry: {enabled: false}\n"


def test_a_dagster_yaml_that_was_changed_by_hand_is_kept(home: Path):
    written = prepare_instance(Settings()) / "dagster.yaml"
    changed = written.read_text(encoding="utf-8").replace("max_concurrent_runs: 4", "max_concurrent_runs: 9")
    written.write_text(changed, encoding="utf-8")
    prepare_instance(Settings())
    assert written.read_text(encoding="utf-8") == changed
    assert instance_file(Settings()).is_foreign


def test_what_the_platform_wrote_follows_the_settings(home: Path, monkeypatch: pytest.MonkeyPatch):
    written = prepare_instance(Settings()) / "dagster.yaml"
    monkeypatch.setenv("MLOPS_DAGSTER_POSTGRES_URL", "postgresql+psycopg2://u:secret@db/dagster")
    prepare_instance(Settings())
    assert "postgres_url" in written.read_text(encoding="utf-8")
