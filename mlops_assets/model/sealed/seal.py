"""The seal of a model's code: the owner's files and the declaration that made its features, kept as they were."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_assets.declaration.owner_code import OwnerCode, module_of, owner_code, places_of, versions_of
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import StorageError
from mlops_assets.features.engineering_code import RESTING_ON

PLACE, SEAL = "code", "seal.json"
"""Folder of the MLflow run, and the file in it that names all others with sizes and digests."""
PARTS = ("name", "task", "dataset", "features")
"""Of the declaration, what features are made by."""
REMEDY = "Remedy: restore the file in MLflow, and find out who may write there"


@dataclass(frozen=True)
class Seal:
    """What was written, and what names it."""

    digest: str
    """SHA-256 of the seal's own file."""
    code_digest: str
    """Equal for models whose features are made, and whose own classes work, by the same code."""
    files: list[tuple[Path, str]]
    """Each file with the folder of the MLflow run that it belongs into."""


@dataclass(frozen=True)
class SealedCode:
    """Code that was found to be what was sealed."""

    folder: Path
    spec: SystemSpec
    """The declaration of then, in the parts that features are made by."""
    names: list[str]
    libraries: list[str]

    @property
    def changed_libraries(self) -> list[str]:
        """What is installed now in another version than the code ran with."""
        then = dict(line.split("==") for line in self.libraries)
        now = dict(line.split("==") for line in versions_of(then))
        differ = [name for name, version in then.items() if now.get(name) != version]
        return [f"{name} was {then[name]}, is {now.get(name, 'missing')}" for name in differ]


def own_code(spec: SystemSpec) -> OwnerCode:
    """The owner's files behind engineer, transformer and estimator, and the libraries that they rest on."""
    engineer = spec.features.engineer
    classes = [path for path in (spec.model.transformer, spec.model.estimator) if path and _is_owners(path)]
    if not engineer and not classes:
        return OwnerCode({}, [])
    return owner_code([engineer, *classes], RESTING_ON)


def code_digest(spec: SystemSpec) -> str:
    """SHA-256 of the code, its libraries and what the declaration says of making features from rows."""
    code, columns = own_code(spec), spec.feature_columns()
    declared = [(name, spec.dataset.columns[name].type, spec.dataset.columns[name].nullable) for name in columns]
    making = [spec.features.engineer, sorted(spec.features.categorical), declared]
    return hashlib.sha256(json.dumps([code.digest, making]).encode()).hexdigest()


def seal(spec: SystemSpec, folder: Path) -> Seal:
    """Write what names every file of the owner's code into ``folder``."""
    code = own_code(spec)
    sizes = {name: {"size": path.stat().st_size, "sha256": code.hashes[name]} for name, path in code.files.items()}
    declaration = spec.model_dump(mode="json", include=set(PARTS))
    classes = {"transformer": spec.model.transformer, "estimator": spec.model.estimator}
    body = {"format": 1, "declaration": declaration, "classes": classes, "files": sizes, "libraries": code.libraries}
    path = folder / SEAL
    path.write_text(json.dumps(body, indent=1, sort_keys=True), encoding="utf-8")
    places = [(file, "/".join([PLACE, *name.split("/")[:-1]])) for name, file in code.files.items()]
    return Seal(_sha256(path), code_digest(spec), [(path, PLACE), *places])


def opened(folder: Path, digest: str) -> SealedCode:
    """The code in ``folder`` as it was sealed under ``digest``; no file is run that is another.

    Raises:
        StorageError: if the seal or a file is missing or was changed.
    """
    path = folder / SEAL
    if not path.is_file() or _sha256(path) != digest:
        raise StorageError(f"{SEAL} of the sealed code is not the one that was recorded as {digest[:12]}. {REMEDY}")
    body: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for name, recorded in body["files"].items():
        file = folder / name
        if not file.is_file() or file.stat().st_size != recorded["size"] or _sha256(file) != recorded["sha256"]:
            raise StorageError(f"{name} of the sealed code is missing or was changed. {REMEDY}")
    declared = {**body["declaration"], "model": {name: path for name, path in body["classes"].items() if path}}
    return SealedCode(folder, SystemSpec.model_validate(declared), list(body["files"]), body["libraries"])


def _is_owners(path: str) -> bool:
    places = places_of(module_of(path))
    return bool(places) and places[-1].is_owners


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
