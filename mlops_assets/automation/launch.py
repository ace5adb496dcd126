"""Launching: a job run by Dagster's own command, followed step by step."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mlops_assets.resources.instance import prepare_instance
from mlops_assets.resources.redaction import redacted
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


def launch(settings: Settings, job: str) -> Iterator[Step | Ended]:
    """Run ``job`` in its own process; yield what its steps do, then how it ended."""
    home = prepare_instance(settings)
    log = home / "logs" / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{job}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "DAGSTER_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    refusals = []
    with (
        log.open("w", encoding="utf-8") as kept,
        subprocess.Popen(
            command(job), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            line = redacted(line)
            kept.write(line)
            if event := EVENT.search(line):
                yield Step(event[2].partition("__")[2] or event[2], event[3])
            elif (refusal := REFUSAL.match(line) or BLOCKING.search(line)) and refusal[1] not in refusals:
                refusals.append(refusal[1])
    yield Ended(process.returncode, log, tuple(refusals))
