"""What MLOPS_ENV changes: in staging every step runs in a process of its own, and the line ends the same."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets_tests.crash import command
from mlops_assets_tests.wine import ROWS, WINE

STAGES = ("dataset", "features", "model", "evaluation", "registered_version", "champion")


@pytest.mark.slow
def test_staging_runs_every_step_in_its_own_process_up_to_a_champion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    environment = {"DAGSTER_HOME": str(tmp_path), "MLOPS_ENV": "staging"}

    def mlops(*words: str) -> Any:
        done = command(environment, "mlops_assets", *words, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    mlops("land", WINE)
    ran = mlops("run", WINE)
    assert (ran["exit_code"], ran["refusals"]) == (0, [])
    story = mlops("report", WINE)
    assert (story["dataset"]["rows"], story["champion"]["champion"]) == (ROWS, 1)

    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with dg.DagsterInstance.get() as instance:
        (run,) = instance.get_runs()
        events = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_WORKER_STARTED)
        assert run.is_success
        assert {event.step_key for event in events} == {f"{WINE}__{stage}" for stage in STAGES}
