"""Launching: a job run by Dagster's own command, followed step by step, after dead runs were cleared away."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mlops_assets.automation.dead_runs import LAUNCHER_TAG, DeadRun, end_dead_runs
from mlops_assets.automation.executor import LAUNCHER
from mlops_assets.automation.run_process import RunProcess
from mlops_assets.resources.instance import opened_instance, prepare_instance
from mlops_assets.resources.redaction import redacted
from mlops_assets.resources.tracking import MlflowTracking
from mlops_assets.settings import Settings
from mlops_assets.verdict import BLOCKED

EVENT = re.compile(r" - (\w+) - [0-9a-f-]{36} - \d+ - (\w+) - (STEP_START|STEP_SUCCESS|STEP_FAILURE|STEP_SKIPPED) - ")
REFUSAL = re.compile(r"^(?:dagster\._core\.definitions\.events\.Failure: |(?!dagster\.)(?:\w+\.)*(?=\w+Error: ))(.+)$")
BLOCKING = re.compile(rf" - ERROR - .* - ({BLOCKED} .+)$")


@dataclass(frozen=True)
class Step:
    """Something a step did."""

    name: str
    event: str


@dataclass(frozen=True)
class Ended:
    """How the command ended."""

    code: int
    log: Path
    refusals: tuple[str, ...]
    """What the steps that failed said."""


def command(job: str) -> list[str]:
    """Dagster's own command for ``job``."""
    return [sys.executable, "-m", "dagster", "job", "execute", "-m", "mlops_assets.definitions", "-j", job]


def launch(settings: Settings, job: str) -> Iterator[Step | DeadRun | Ended]:
    """Run ``job`` in its own process; yield the dead runs that were in its way, what its steps do, how it ended."""
    home = prepare_instance(settings)
    yield from ended_dead_runs(settings)
    log = home / "logs" / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{job}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    refusals, begun = [], dict[str, str]()
    with log.open("w", encoding="utf-8") as kept, _process(home, job) as process:
        assert process.stdout is not None
        for line in process.stdout:
            line = redacted(line)
            kept.write(line)
            if event := EVENT.search(line):
                step = Step(event[2].partition("__")[2] or event[2], event[3])
                begun[step.name] = step.event
                yield step
            elif (refusal := REFUSAL.match(line) or BLOCKING.search(line)) and refusal[1] not in refusals:
                refusals.append(refusal[1])
    if process.returncode < 0:
        refusals.append(f"the process of the run was ended by {signal.Signals(-process.returncode).name}")
    if process.returncode:
        yield from ended_dead_runs(settings)
    else:  # the run succeeded, so that every step did; a line of the log that two writers share can break
        yield from (Step(name, "STEP_SUCCESS") for name, event in begun.items() if event == "STEP_START")
    yield Ended(process.returncode, log, tuple(refusals))


def ended_dead_runs(settings: Settings) -> Sequence[DeadRun]:
    """Every run of the instance whose process is gone, now marked as failed."""
    tracking = MlflowTracking(tracking_uri=settings.mlflow_uri, artifact_root=settings.mlflow_artifacts)
    with opened_instance(settings) as instance:
        return end_dead_runs(instance, tracking)


def _process(home: Path, job: str) -> subprocess.Popen[str]:
    """Dagster's command, which looks after this process and ends when it does."""
    environment = {"DAGSTER_HOME": str(home), "PYTHONUNBUFFERED": "1", LAUNCHER: str(os.getpid())}
    return subprocess.Popen(
        [*command(job), "--tags", json.dumps({LAUNCHER_TAG: str(RunProcess.current())})],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
