"""Scoring by sealed code: what a model says about rows, its features made by the code that it was trained with.

The code runs in a process of its own: no other code of an owner is on its path, none of the platform's settings and
no login is in its environment, and it has a time limit. It may do whatever the account may; it is code of the owner's
that has run before, under the same digest.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from mlops_assets.declaration.owner_code import INSTALLED
from mlops_assets.errors import NotEvaluated
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.metrics.outcomes import Predictions
from mlops_assets.model.sealed.process import ANSWER, CLASSES, REASON, REQUEST, ROWS
from mlops_assets.model.sealed.seal import SealedCode
from mlops_assets.model.version import ModelVersion

SECONDS = 600
"""How long the process may take."""
KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "SYSTEMROOT")
"""Variables that the process has."""
PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv[2])
from pathlib import Path
from mlops_assets.model.sealed.process import main
main(Path(sys.argv[1]))
"""


@dataclass(frozen=True)
class SealedModel:
    """A model with its artefact and the code that it was trained with."""

    version: ModelVersion
    features: FeaturesVersion
    artefact: Path
    code: SealedCode


def predict_sealed(model: SealedModel, raw: pl.DataFrame, folder: Path, seconds: float = SECONDS) -> Predictions:
    """What ``model`` says about the dataset rows ``raw``; ``folder`` is empty, to work in.

    Raises:
        NotEvaluated: if the code runs with other libraries than then, fails, takes too long, or makes other features.
    """
    if changed := model.code.changed_libraries:
        raise NotEvaluated(f"its own code ran with other libraries: {', '.join(changed[:3])}")
    request = {
        "code": str(model.code.folder),
        "names": model.code.names,
        "spec": model.code.spec.model_dump(mode="json"),
        "columns": [column.model_dump() for column in model.features.columns],
        "artefact": str(model.artefact),
        "digest": model.version.digest,
        "declared": model.version.declared,
    }
    (folder / REQUEST).write_text(json.dumps(request), encoding="utf-8")
    raw.write_ipc(folder / ROWS)
    _run(folder, seconds)
    return _answered(folder)


def _run(folder: Path, seconds: float) -> None:
    said = folder / "said.txt"
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    with said.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", PROGRAM, str(folder), json.dumps(_library_path())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**environment, "HOME": str(folder)},
            start_new_session=True,
        )
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise NotEvaluated(f"its own code gave no features in {seconds:g} s") from None
        finally:
            _end(process)
    if code:
        reason = folder / REASON
        words = reason.read_text(encoding="utf-8") if reason.exists() else said.read_text(errors="replace")[-300:]
        raise NotEvaluated(f"its own code fails on these rows: {' '.join(words.split()) or f'exit code {code}'}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """The process and whatever it has started."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _library_path() -> list[str]:
    """Where libraries, Python and the platform lie; an owner's folders are left out."""
    standard = [str(Path(os.__file__).parent), str(Path(os.__file__).parent / "lib-dynload")]
    platform = str(Path(__file__).parents[3])
    libraries = [path for path in sys.path if path.endswith(".zip") or not INSTALLED.isdisjoint(Path(path).parts)]
    return list(dict.fromkeys([*standard, *libraries, platform]))


def _answered(folder: Path) -> Predictions:
    answer = pl.read_ipc(folder / ANSWER)
    classes = tuple(json.loads((folder / CLASSES).read_text(encoding="utf-8")))
    shares = answer.drop("value")
    values = answer["value"].to_numpy()
    return Predictions(values, shares.to_numpy() if shares.width else None, classes)
