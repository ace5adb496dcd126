"""What MLOPS_ENV changes: in staging every step runs in a process of its own, and the line ends the same."""

from pathlib import Path

import dagster as dg
import pytest

from mlops_assets_tests.shell import Shell
from mlops_assets_tests.wine import ROWS, WINE

STAGES = ("dataset", "features", "model", "evaluation", "registered_version", "champion")


@pytest.fixture
def staging(tmp_path: Path) -> Shell:
    return Shell(tmp_path, MLOPS_ENV="staging")


def assert_a_process_for_each(stages: tuple[str, ...], home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.get() as instance:
        (run,) = instance.get_runs()
        events = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_WORKER_STARTED)
        assert run.is_success
        assert {event.step_key for event in events} == {f"{WINE}__{stage}" for stage in stages}


def test_staging_runs_a_step_in_its_own_process(staging: Shell, monkeypatch: pytest.MonkeyPatch):
    staging.document("land", WINE)
    ran = staging.document("run", WINE, "--job", "ingestion")
    assert (ran["exit_code"], ran["refusals"]) == (0, [])
    assert staging.document("report", WINE)["dataset"]["rows"] == ROWS
    assert_a_process_for_each(STAGES[:1], staging.home, monkeypatch)


@pytest.mark.soak("environments")
def test_staging_runs_every_step_in_its_own_process_up_to_a_champion(staging: Shell, monkeypatch: pytest.MonkeyPatch):
    staging.document_alone("land", WINE)
    ran = staging.document_alone("run", WINE)
    assert (ran["exit_code"], ran["refusals"]) == (0, [])
    story = staging.document_alone("report", WINE)
    assert (story["dataset"]["rows"], story["champion"]["champion"]) == (ROWS, 1)
    assert_a_process_for_each(STAGES, staging.home, monkeypatch)
