"""Footprint: what serving an artefact takes beside time: its size, loading it, and the memory of a fresh process.

``python -m mlops_assets.evaluation.diagnoses.footprint ARTEFACT DIGEST ROWS [DECLARED …]`` is that process.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypedDict

import pandas as pd

from mlops_assets.errors import NotEvaluated
from mlops_assets.model import artefact
from mlops_assets.model.prediction import Fitted, predict

MEGABYTE = 1e6
LONGEST_SECONDS = 300.0
"""A process that takes longer is ended."""


@dataclass(frozen=True)
class Footprint:
    """Of one artefact, loaded under its digest as a server does."""

    size: int
    """Bytes of the file."""
    load_seconds: float
    """Median over loads in a process that has imported the libraries already."""
    cold_seconds: float
    """First load of the fresh process, which imports the libraries of its types meanwhile."""
    base: int
    """Most bytes resident in the fresh process before it loaded the artefact."""
    peak: int
    """Most bytes resident in the fresh process up to its prediction: interpreter and libraries included."""


class _Measured(TypedDict):
    """What the fresh process prints."""

    cold_seconds: float
    base: int
    peak: int


def footprint(
    pipeline: Fitted,
    rows: pd.DataFrame,
    declared: Sequence[str],
    repeats: int = 5,
    clock: Callable[[], float] = time.perf_counter,
) -> Footprint:
    """Write ``pipeline`` as the artefact it is, load it here, and load it and predict ``rows`` in a fresh process.

    Raises:
        NotEvaluated: if the fresh process fails, or does not end.
        StorageError: if the artefact holds a type that is not trusted.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.skops"
        artefact.dump(pipeline, path)
        digest = artefact.digest(path)
        loads = [_seconds(lambda: artefact.load(path, digest, declared), clock) for _ in range(repeats)]
        rows.to_parquet(Path(folder) / "rows.parquet")
        measured = _fresh_process([str(path), digest, str(Path(folder) / "rows.parquet"), *declared])
        return Footprint(path.stat().st_size, sorted(loads)[len(loads) // 2], **measured)


def main(path: str, digest: str, rows: str, *declared: str) -> None:
    """Load the artefact, predict the rows, and print what it took as one line of JSON."""

    inputs = pd.read_parquet(rows)
    base = peak_bytes()
    pipelines: list[Fitted] = []
    cold = _seconds(lambda: pipelines.append(artefact.load(path, digest, declared)), time.perf_counter)
    predict(pipelines[0], inputs)
    sys.stdout.write(json.dumps({"cold_seconds": cold, "base": base, "peak": peak_bytes()}) + "\n")


def peak_bytes() -> int:
    """The most memory that this process has held at once; mapped files count."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not ru_maxrss there: Linux lets a child inherit its parent's.
        lines = status.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def machine() -> str:
    """The machine in words, without its name."""
    import platform

    system = f"{platform.system()} {platform.machine()}"
    return f"{_processor()}, {_cores()} cores, {system}, Python {platform.python_version()}"


def _processor() -> str:
    import platform

    described = Path("/proc/cpuinfo")
    lines = described.read_text(encoding="utf-8", errors="replace").splitlines() if described.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _cores() -> int | None:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _seconds(work: Callable[[], object], clock: Callable[[], float]) -> float:
    started = clock()
    work()
    return clock() - started


def _fresh_process(arguments: Sequence[str]) -> _Measured:
    words = [sys.executable, "-m", "mlops_assets.evaluation.diagnoses.footprint", *arguments]
    # What this process can import, such as a declared class of the system's own package, that one can too.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    try:
        done = subprocess.run(
            words, env=environment, capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise NotEvaluated(f"a fresh process did not predict within {LONGEST_SECONDS:.0f} s") from error
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise NotEvaluated(f"a fresh process that loads the artefact ended with {done.returncode} and said {said!r}")
    return json.loads(done.stdout.rstrip().rpartition("\n")[2])


if __name__ == "__main__":
    main(*sys.argv[1:])
