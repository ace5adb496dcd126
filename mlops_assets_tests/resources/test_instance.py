"""The Dagster instance is written from the settings and is one that Dagster loads."""

from pathlib import Path

import pytest
import yaml

from mlops_assets.resources.instance import instance_yaml, prepare_instance
from mlops_assets.settings import Settings


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
