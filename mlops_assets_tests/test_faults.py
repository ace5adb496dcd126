"""Kill -9 and a lost MLflow at every stage of the wine lifecycle: nothing is lost, doubled or half there."""

import json
import signal
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.dataset.ingestion import publish
from mlops_assets.dataset.table import DatasetTable
from mlops_assets.evaluation.publication import publish_report
from mlops_assets.features import building
from mlops_assets.features.table import write_features
from mlops_assets.resources.instance import prepare_instance
from mlops_assets.resources.mlflow_run import MlflowRun
from mlops_assets.resources.model_registry import Registry
from mlops_assets.settings import Settings
from mlops_assets.storage.ledger import Ledger
from mlops_assets_tests.crash import Child, Killed, Moment, command
from mlops_assets_tests.mlflow_server import mlflow_server
from mlops_assets_tests.processes import Server
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


def served(folder: Path) -> AbstractContextManager[Server]:
    """MLflow over HTTP, on the database and the artefacts of the prepared folder."""
    place = ("--no-serve-artifacts", "--default-artifact-root", str(folder / "artifacts"))
    return mlflow_server(f"sqlite:///{folder / 'mlflow.db'}", *place, log=folder.parent / "server.log")


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


@pytest.mark.soak("kills")  # test_production.py holds the representative
@pytest.mark.parametrize(
    ("stage", "moment"),
    [
        ("model", Moment("entering", MlflowRun.log_model)),
        ("registered_version", Moment("entering", Registry.register)),
    ],
)
def test_an_mlflow_that_dies_in_the_middle_registers_nothing_and_the_next_run_completes_over_http(
    folder: Path, stage: str, moment: Moment
):
    log = folder.parent / "log"
    with served(folder) as server:
        ran = Child(run, folder, uri=server.uri, moment=moment, act=server.kill, log=log).result()
    assert not ran.success
    assert set(ran.failures) == {stage}
    assert f"TrackingError: MLflow at '{server.uri}' is out of reach" in ran.failures[stage]
    left = Child(state, folder, log=log).result()
    assert (left.champion, len(left.reports)) == (1, 1)
    with served(folder) as server:
        again = Child(run, folder, uri=server.uri, log=log).result()
    assert again.success, again.failures
    assert_everything_once(Child(state, folder, log=log).result())


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
