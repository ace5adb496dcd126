"""`mlops run` killed as a whole process: nothing half there, nothing doubled, and the next run starts at once."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES, RunsFilter

from mlops_assets.resources.instance import opened_instance
from mlops_assets.settings import Settings
from mlops_assets_tests.crash import PATIENCE, Child, environment_with
from mlops_assets_tests.test_faults import assert_old_champion_stands, assert_stores_hold_everything_once
from mlops_assets_tests.wine import ROWS, WINE, State, land_sample, platform, state

KILLS, CHAINS = 6, 10
"""Kills in a row before a run is let through, and how many such chains the soak makes."""
STAGES = 6
AFTERWARDS = 3.0
"""A kill comes within these seconds of the end of a stage, or of the start of the command."""


@dataclass(frozen=True)
class Command:
    """``mlops run`` in a session of its own."""

    process: subprocess.Popen[str]
    began: float

    def finished_stages(self) -> Iterator[float]:
        """Seconds from the start to the end of each stage, as the command tells of them."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("  ✓ "):
                yield time.monotonic() - self.began

    def kill(self, alone: bool) -> None:
        """The command ``alone``, whose run must end by itself; or everything it has started too."""
        os.kill(self.process.pid, signal.SIGKILL) if alone else os.killpg(self.process.pid, signal.SIGKILL)


@contextmanager
def running(folder: Path, *options: str) -> Iterator[Command]:
    words = [sys.executable, "-m", "mlops_assets", "run", WINE, *options]
    environment = environment_with(DAGSTER_HOME=str(folder), MLOPS_ENV="local")
    with subprocess.Popen(
        words, env=environment, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        yield Command(process, time.monotonic())


def soaked(chains: range, representatives: int) -> list[Any]:
    """All but the first ``representatives`` only in the soak."""
    marks = [() if at < representatives else pytest.mark.soak("kills") for at in range(len(chains))]
    return [pytest.param(chain, marks=mark) for chain, mark in zip(chains, marks, strict=True)]


def land_alone(folder: Path) -> None:
    """Land the sample, with no MLflow beside it yet."""
    land_sample(folder)
    (folder / "mlflow.db").unlink()


def killed(folder: Path, chance: random.Random) -> None:
    """Start the command and kill it at a random moment of its work."""
    with running(folder, "--force") as command:
        ends = command.finished_stages()
        for _ in range(chance.randint(0, STAGES)):
            next(ends, None)
        time.sleep(chance.uniform(0, AFTERWARDS))
        command.kill(alone=chance.random() < 0.5)


def assert_no_run_holds_the_queue(folder: Path) -> None:
    with opened_instance(Settings(home=folder)) as instance:
        assert instance.get_runs(RunsFilter(statuses=IN_PROGRESS_RUN_STATUSES)) == []


def assert_no_mlflow_run_is_open(folder: Path) -> None:
    assert platform(folder).tracking.running() == set()


def assert_no_kill_does_harm(folder: Path, chain: int, record_property: Any) -> None:
    """Kill the command some times at moments that ``chain`` chooses, and let it through in the end."""
    chance, log = random.Random(chain), folder.parent / "log"
    for _ in range(KILLS):
        killed(folder, chance)
        if (folder / "mlflow.db").exists():
            assert_old_champion_stands_or_there_is_none(Child(state, folder, log=log).result())
    with running(folder, "--force") as command:
        ends = list(command.finished_stages())
    assert command.process.returncode == 0
    assert len(ends) == STAGES
    assert ends[0] < PATIENCE
    assert_no_run_holds_the_queue(folder)
    Child(assert_no_mlflow_run_is_open, folder, log=log).result()
    record_property("kills", KILLS)
    record_property("seconds to the end of the next run's first stage", f"{ends[0]:.0f}")


def assert_old_champion_stands_or_there_is_none(left: State) -> None:
    if left.champion is not None:
        assert_old_champion_stands(left)
    assert left.rows in (0, ROWS, 2 * ROWS)


def assert_the_ledger_says_everything_once(after: State) -> None:
    moves = [event for event in after.events if event[0] != "verdict"]
    assert len(moves) == len(set(moves))
    assert after.champion == after.decided == after.promoted


@pytest.mark.slow
@pytest.mark.parametrize("chain", soaked(range(CHAINS // 2), representatives=1))
def test_no_kill_of_the_first_run_leaves_half_a_version_or_stops_the_next(
    tmp_path: Path, chain: int, record_property: Any
):
    folder, log = tmp_path / "home", tmp_path / "log"
    folder.mkdir()
    Child(land_alone, folder, log=log).result()
    assert_no_kill_does_harm(folder, chain, record_property)
    after = Child(state, folder, log=log).result()
    assert_the_ledger_says_everything_once(after)
    assert after.rows == after.features_rows == ROWS
    assert list(after.batches.values()) == [["accepted"]]
    assert (after.commits, after.models, len(after.reports)) == ({"dataset": 2, "features": 1}, 1, 1)


@pytest.mark.parametrize("chain", soaked(range(CHAINS // 2, CHAINS), representatives=0))
def test_no_kill_of_a_later_run_harms_the_champion_or_stops_the_next(folder: Path, chain: int, record_property: Any):
    assert_no_kill_does_harm(folder, chain, record_property)
    after = Child(state, folder, log=folder.parent / "log").result()
    assert_the_ledger_says_everything_once(after)
    assert_stores_hold_everything_once(after)
