"""dagster-mlflow's own resource works for assets written for it, and is not given the login as part of an address."""

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.resources.dagster_mlflow import mlflow_resource
from mlops_assets_tests.platform import Platform

LOGIN = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The resource leaves its run active and the login in the environment, for the whole process."""
    import mlflow

    for variable in LOGIN:
        monkeypatch.setenv(variable, "")
    yield
    if mlflow.active_run():
        mlflow.end_run()


@dg.asset(required_resource_keys={"mlflow"})
def measured(context: dg.AssetExecutionContext) -> None:
    context.resources.mlflow.log_metric("answer", 42)


def test_an_asset_written_for_dagster_mlflow_logs_its_metric(tmp_path: Path):
    tracking = Platform(tmp_path).tracking
    assert dg.materialize([measured], resources={"mlflow": mlflow_resource(tracking.tracking_uri)}).success
    (run,) = tracking.client.search_runs(["1"])
    assert run.data.metrics == {"answer": 42.0}


def test_no_password_stands_in_the_address_that_mlflow_is_given(monkeypatch: pytest.MonkeyPatch):
    import mlflow

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    resource = mlflow_resource("http://ada:pl%40nted@127.0.0.1:9")
    result = dg.materialize([measured], resources={"mlflow": resource}, raise_on_error=False)
    assert not result.success
    assert mlflow.get_tracking_uri() == "http://127.0.0.1:9"
    assert [os.environ[variable] for variable in LOGIN] == ["ada", "pl@nted"]
