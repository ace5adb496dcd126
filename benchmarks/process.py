"""Fresh processes: what must be measured from the start of an interpreter, or in memory of its own."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOREIGN = ("MLOPS_", "MLFLOW_", "DAGSTER_", "PYTHONDONTWRITEBYTECODE")
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}


@dataclass(frozen=True)
class Ended:
    """How a process went."""

    started: float
    """Just before the interpreter's start, by ``time.monotonic``, which all processes of a machine share."""
    seconds: float
    """Wall time, with the interpreter's start and end."""
    answer: Any
    """The JSON of its last line, where it is JSON."""


def forget_settings() -> None:
    """Take the caller's settings out of the environment: figures are those of the defaults."""
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        del os.environ[name]
    os.environ.update(QUIET)


def run(arguments: list[str], home: Path, **variables: str) -> Ended:
    """Run ``python <arguments>`` with ``home`` as DAGSTER_HOME.

    Raises:
        RuntimeError: with the end of its output, if it fails.
    """
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, *arguments], env=_environment(home) | variables, capture_output=True, text=True, check=False
    )
    elapsed = time.monotonic() - started
    if done.returncode:
        raise RuntimeError(f"python {' '.join(arguments)} failed:\n{(done.stdout + done.stderr)[-4000:]}")
    return Ended(started, elapsed, _answer(done.stdout))


def peak_bytes() -> int:
    """The most memory that this process has held at once; mapped files count."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    # Not ru_maxrss: a child inherits its parent's.
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def _environment(home: Path) -> dict[str, str]:
    # What a library has set here since forget_settings (MLflow: its tracking URI) is not for the child.
    own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return own | QUIET | {"DAGSTER_HOME": str(home)}


def _answer(output: str) -> Any:
    last = output.rstrip().rpartition("\n")[2]
    try:
        return json.loads(last)
    except ValueError:
        return None
