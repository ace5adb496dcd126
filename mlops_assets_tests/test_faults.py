"""Kill -9 and a lost MLflow at every stage of the wine lifecycle: nothing is lost, doubled or half there."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from mlops_assets.dataset.ingestion import publish
from mlops_assets.dataset.table import DatasetTable
from mlops_assets.evaluation.publication import publish_report
from mlops_assets.features import building
from mlops_assets.features.table import write_features
from mlops_assets.registry.ledger import Ledger
from mlops_assets.resources.instance import prepare_instance
from mlops_assets.resources.mlflow_run import MlflowRun
from mlops_assets.resources.model_registry import Registry
from mlops_assets.settings import Settings
from mlops_assets_tests.crash import Child, Killed, Moment, command
from mlops_assets_tests.wine import ROWS, WINE, State, run, state, state_then_run

MOMENTS = {
    "rows staged, not committed": Moment("entering", DatasetTable.append),
    "rows committed, fate of the batch not recorded": Moment("leaving", DatasetTable.append),
    "fate recorded, version not published": Moment("entering", publish),
    "features committed, not recorded": Moment("leaving", write_features, used_in=building.__name__),
    "model fitted, not logged": Moment("entering", MlflowRun.log_model),
    "model logged, not recorded": Moment("leaving", MlflowRun.log_model),
    "report logged, not recorded": Moment("leaving", publish_report),
    "version made, not recorded": Moment("leaving", Registry.register),
    "version recorded, not in the ledger": Moment("entering", Ledger.append_once),
    "version in the ledger, not judged": Moment("leaving", Ledger.append_once),
    "registration in the ledger, alias not moved": Moment("entering", Registry.point),
    "promotion in the ledger, no alias moved": Moment("entering", Registry.point, call=2),
    "champion moved, the other aliases not": Moment("leaving", Registry.point, call=2),
    "aliases moved, not noted": Moment("entering", Registry.note, call=2),
    "aliases noted, decision not recorded": Moment("leaving", Ledger.deliver, call=2),
}
REPRESENTATIVES = (
    "rows committed, fate of the batch not recorded",
    "model logged, not recorded",
    "version made, not recorded",
    "promotion in the ledger, no alias moved",
)
"""Of every store one moment between it and the next: these are killed in the ordinary run too."""


def repeated(name: str) -> Any:
    marks = () if name in REPRESENTATIVES else pytest.mark.soak("kills")
    return pytest.param(MOMENTS[name], id=name, marks=marks)


@dataclass(frozen=True)
class Server:
    """An MLflow server in a process group of its own."""

    uri: str
    group: int

    def kill(self) -> None:
        os.killpg(self.group, signal.SIGKILL)


@pytest.fixture
def mlflow_server(folder: Path) -> Iterator[Server]:
    """MLflow over HTTP, on the same database and artefacts as the prepared folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    store = ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--no-serve-artifacts"]
    place = ["--default-artifact-root", str(folder / "artifacts"), "--host", "127.0.0.1", "--port", port]
    words = [sys.executable, "-m", "mlflow", "server", "--workers", "1", *store, *place]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder.parent / "server.log").open("w") as log:
        process = subprocess.Popen(words, env=environment, start_new_session=True, stdout=log, stderr=log)
    server = Server(f"http://127.0.0.1:{port}", process.pid)
    try:
        wait_for(server, process)
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            server.kill()
        process.wait()


def wait_for(server: Server, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            requests.get(f"{server.uri}/health", timeout=5).raise_for_status()
            return
        except requests.RequestException:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.mark.parametrize("moment", [repeated(name) for name in MOMENTS])
def test_a_run_killed_at_this_moment_is_made_good_by_the_next(folder: Path, moment: Moment):
    log = folder.parent / "log"
    with pytest.raises(Killed):
        Child(run, folder, moment=moment, log=log).result()
    left, again, after = Child(state_then_run, folder, log=log).result()
    assert_old_champion_stands(left)
    assert again.success, again.failures
    assert_everything_once(after)


@pytest.mark.soak("kills")
def test_dagsters_own_command_killed_is_made_good_by_mlops_run(folder: Path):
    environment = {"DAGSTER_HOME": str(folder), "MLOPS_ENV": "local"}
    prepare_instance(Settings(DAGSTER_HOME=folder))  # pyright: ignore[reportCallIssue]
    moment = Moment("leaving", MlflowRun.log_model)
    job = ("job", "execute", "-m", "mlops_assets.definitions", "-j", "wine_quality_lifecycle")
    killed = command(environment, "mlops_assets_tests.crash", moment.when, moment.name, *job)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert_old_champion_stands(Child(state, folder, log=folder.parent / "log").result())

    again = command(environment, "mlops_assets", "run", WINE, "--json")
    assert again.returncode == 0, again.stdout
    after = Child(state, folder, log=folder.parent / "log").result()
    assert_stores_hold_everything_once(after)
    assert [event for event in after.events if event[1] == 2][:2] == [("registered", 2, None), ("verdict", 2, None)]
    assert after.champion == after.decided == after.promoted, "which one, the few wines of the test part decide"
    story = json.loads(command(environment, "mlops_assets", "report", WINE, "--json").stdout)
    assert (story["dataset"]["rows"], story["champion"]["version"]) == (2 * ROWS, 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "moment"),
    [
        pytest.param(
            *("model", Moment("entering", MlflowRun.log_model)),
            marks=pytest.mark.soak("kills"),
        ),
        ("registered_version", Moment("entering", Registry.register)),
    ],
)
def test_an_mlflow_that_dies_in_the_middle_fails_the_run_and_registers_nothing(
    folder: Path, mlflow_server: Server, stage: str, moment: Moment
):
    log = folder.parent / "log"
    ran = Child(run, folder, uri=mlflow_server.uri, moment=moment, act=mlflow_server.kill, log=log).result()
    assert not ran.success
    assert set(ran.failures) == {stage}
    assert f"TrackingError: MLflow at '{mlflow_server.uri}' is out of reach" in ran.failures[stage]
    left, again, after = Child(state_then_run, folder, log=log).result()
    assert (left.champion, len(left.reports)) == (1, 1)
    assert again.success, again.failures
    assert_everything_once(after)


def assert_old_champion_stands(left: State) -> None:
    assert left.champion == 1 or left.champion == left.promoted
    assert left.rows in (ROWS, 2 * ROWS)
    assert left.features_rows in (ROWS, 2 * ROWS)


def assert_everything_once(after: State) -> None:
    assert_stores_hold_everything_once(after)
    assert [event for event in after.events if event[0] != "verdict"] == [
        *(("registered", 1, None), ("promoted", 1, 1)),
        *(("registered", 2, None), ("promoted", 2, 2)),
    ]
    assert after.champion == after.decided == after.promoted == 2


def assert_stores_hold_everything_once(after: State) -> None:
    assert after.rows == after.features_rows == 2 * ROWS
    assert sorted(after.batches.values()) == [["accepted"], ["accepted"]]
    assert after.commits == {"dataset": 3, "features": 2}
    assert after.models == 2
    assert len(after.reports) == len(set(after.reports)) == 2
