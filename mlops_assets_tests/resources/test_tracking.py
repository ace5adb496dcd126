"""MLflow runs mirror Dagster runs, and MLflow out of reach is said before work is spent."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import TrackingError
from mlops_assets.resources.tracking import MlflowTracking
from mlops_assets_tests.login_proxy import login_required
from mlops_assets_tests.platform import Platform, changed


@pytest.fixture
def tracking(tmp_path: Path) -> MlflowTracking:
    return Platform(tmp_path).tracking


def tracked(name: str, boom: bool = False, deps: tuple = ()) -> dg.AssetsDefinition:
    @dg.asset(name=name, deps=deps)
    def one(context: dg.AssetExecutionContext, tracking: MlflowTracking) -> None:
        with tracking.asset_run(context, experiment="system"):
            if boom:
                raise ValueError("boom")

    return one


def runs(tracking: MlflowTracking) -> tuple[list, list]:
    client = tracking.client
    found = client.search_runs([e.experiment_id for e in client.search_experiments()])
    return (
        [run for run in found if run.data.tags["dagster.role"] == "run"],
        [run for run in found if run.data.tags["dagster.role"] == "asset"],
    )


def test_one_parent_per_dagster_run_and_one_child_per_asset(tracking: MlflowTracking):
    with dg.DagsterInstance.ephemeral() as instance:
        first = tracked("first")
        assets = [first, tracked("second", deps=(first,))]
        result = dg.materialize(assets, resources={"tracking": tracking}, instance=instance)
        parents, children = runs(tracking)
        dagster_run = instance.get_run_by_id(result.run_id)
    assert [run.info.status for run in parents] == ["FINISHED"]
    assert sorted(run.data.tags["dagster.asset"] for run in children) == ["first", "second"]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parents[0].info.run_id}
    assert parents[0].data.tags["dagster.run_id"] == result.run_id
    assert parents[0].data.tags["dagster.url"].endswith(f"/runs/{result.run_id}")
    assert dagster_run is not None
    assert dagster_run.tags["mlflow/run_id"] == parents[0].info.run_id


def test_a_failed_asset_fails_its_run_and_the_parent_but_not_its_siblings(tracking: MlflowTracking):
    dg.materialize([tracked("good"), tracked("bad", boom=True)], resources={"tracking": tracking}, raise_on_error=False)
    parents, children = runs(tracking)
    assert [run.info.status for run in parents] == ["FAILED"]
    statuses = {run.data.tags["dagster.asset"]: run.info.status for run in children}
    assert statuses == {"good": "FINISHED", "bad": "FAILED"}


def test_two_dagster_runs_in_one_process_stay_apart(tracking: MlflowTracking):
    asset = tracked("one")
    ids = {dg.materialize([asset], resources={"tracking": tracking}).run_id for _ in range(2)}
    parents, children = runs(tracking)
    assert {run.data.tags["dagster.run_id"] for run in parents} == ids
    assert len(parents) == len(children) == 2


def test_a_crashed_run_is_closed_as_failed(tracking: MlflowTracking):
    client = tracking.client
    experiment = client.create_experiment("system")
    tags = {"dagster.run_id": "crashed", "dagster.role": "asset"}
    run = client.create_run(experiment, tags=tags)
    assert tracking.fail_run("crashed") == 1
    assert client.get_run(run.info.run_id).info.status == "FAILED"
    assert tracking.fail_run("another") == 0


def test_a_server_out_of_reach_is_named_with_its_remedy():
    unreachable = MlflowTracking(tracking_uri="http://127.0.0.1:9")
    with pytest.raises(TrackingError, match=r"MLflow at 'http://127\.0\.0\.1:9' is out of reach.*MLFLOW_TRACKING_URI"):
        unreachable.ping()


def test_a_login_counts_in_the_address_and_in_the_variables_of_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "health").write_text("OK")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as behind:
        threading.Thread(target=behind.serve_forever, daemon=True).start()
        with login_required(behind.server_address[1], "ada", "se/cret") as address:
            for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
                monkeypatch.setenv(name, "nobody")
            with pytest.raises(TrackingError, match="401"):
                MlflowTracking(tracking_uri=address).ping()
            MlflowTracking(tracking_uri=address.replace("//", "//ada:se%2Fcret@")).ping()
            # MLflow hands an address without the login, and the login beside it, to every process that follows.
            MlflowTracking(tracking_uri=address).ping()
        behind.shutdown()


def test_a_deleted_experiment_is_named_with_its_remedy(tracking: MlflowTracking):
    client = tracking.client
    client.delete_experiment(client.create_experiment("system"))
    result = dg.materialize([tracked("one")], resources={"tracking": tracking}, raise_on_error=False)
    assert not result.success
    assert "mlflow experiments restore" in str(result.failure_data_for_node("one"))


def test_two_processes_may_make_the_schema_at_once(tmp_path: Path):
    import subprocess
    import sys

    code = (
        "import sys; from mlops_assets.resources.tracking import MlflowTracking as T; "
        "T(tracking_uri=sys.argv[1]).ping()"
    )
    uri = f"sqlite:///{tmp_path / 'fresh.db'}"
    started = [subprocess.Popen([sys.executable, "-c", code, uri], stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(timeout=120) for process in started] == [0, 0]


def test_mlflow_warns_of_nothing_when_a_model_is_logged(
    home: Platform, spec: SystemSpec, caplog: pytest.LogCaptureFixture
):
    """It may load no model here, and would say so at every training."""
    assert home.run(changed(spec, model={**spec.model.model_dump(), "seed": 8}), "model").success
    assert [r.getMessage() for r in caplog.records if r.name.startswith("mlflow") and r.levelno >= 30] == []
