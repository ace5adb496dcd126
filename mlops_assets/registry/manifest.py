"""Manifest: every file that a registered version rests on in MLflow, sealed by its size and SHA-256."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from mlops_assets.errors import StorageError, TrackingError
from mlops_assets.model.sealed.seal import PLACE as CODE

if TYPE_CHECKING:
    from mlops_assets.evaluation.version import EvaluationReport
    from mlops_assets.model.version import ModelVersion

MODEL = "model"
"""The place of what the registry gives for the version itself."""
WRITTEN_BY_MLFLOW = frozenset({"model/registered_model_meta"})
"""What MLflow adds to a folder that it hands out; it names the version."""
SHOWN = 5


class SealedFile(BaseModel):
    """One file as it was when its version was registered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    """Below its place: ``model/model.skops``."""
    size: int
    """Bytes."""
    sha256: str


def places(system: str, number: int, model: "ModelVersion", report: "EvaluationReport") -> dict[str, str]:
    """Where everything of a version lies: MLflow URIs of folders and files, by place."""
    run = f"runs:/{model.mlflow_run_id}"
    return {
        MODEL: f"models:/{system}/{number}",
        "evaluation": report.report_uri.rpartition("/")[0],
        "environment.txt": f"{run}/environment.txt",
        **({"baselines": f"{run}/baselines"} if model.baselines else {}),
        **({CODE: f"{run}/{CODE}"} if model.sealed_code else {}),
    }


def fetched(fetch: Callable[[str], Path], uris: Mapping[str, str]) -> dict[str, Path]:
    """What MLflow has at each place now; ``fetch`` downloads one.

    Raises:
        StorageError: if it has nothing there.
    """
    try:
        return {place: fetch(uri) for place, uri in uris.items()}
    except TrackingError as error:
        raise StorageError(f"{error}. Remedy: restore MLflow's artefacts, or choose another version") from error


def sealed(folders: Mapping[str, Path]) -> list[SealedFile]:
    """Every file of these folders and files, by path."""
    files = [(place, folder, path) for place, folder in folders.items() for path in _files(folder)]
    named = {_name(place, folder, path): path for place, folder, path in files}
    return [_seal(name, path) for name, path in sorted(named.items()) if name not in WRITTEN_BY_MLFLOW]


def manifest_digest(files: Iterable[SealedFile]) -> str:
    """SHA-256 of the manifest, which the ledger keeps with the registration."""
    lines = "".join(f"{file.sha256} {file.size} {file.path}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def require_as_sealed(subject: str, manifest: Iterable[SealedFile], folders: Mapping[str, Path]) -> int:
    """How many files of these places are exactly what was sealed.

    Raises:
        StorageError: naming the files that were changed, are missing, or were not there.
    """
    expected = {file.path: file for file in manifest if file.path.partition("/")[0] in folders}
    present = {file.path: file for file in sealed(folders)}
    wrong = [
        *(f"{path} was changed" for path, file in expected.items() if path in present and present[path] != file),
        *(f"{path} is missing" for path in expected if path not in present),
        *(f"{path} was not there" for path in present if path not in expected),
    ]
    if wrong:
        more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise StorageError(
            f"{subject} is not what was registered: {'; '.join(wrong[:SHOWN])}{more}. "
            "Remedy: restore its files in MLflow from a backup, or choose another version"
        )
    return len(expected)


def _files(place: Path) -> list[Path]:
    return [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]


def _name(place: str, folder: Path, path: Path) -> str:
    return place if path == folder else f"{place}/{path.relative_to(folder).as_posix()}"


def _seal(name: str, path: Path) -> SealedFile:
    with path.open("rb") as file:
        return SealedFile(path=name, size=path.stat().st_size, sha256=hashlib.file_digest(file, "sha256").hexdigest())
