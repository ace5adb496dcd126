"""A platform for one test: real Dagster instance, Delta tables, records and MLflow below one folder."""

import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg

from mlops_assets.dataset.landing import land, land_sample
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.resources.model_registry import Registry
from mlops_assets.resources.storage import StorageResource
from mlops_assets.resources.tracking import MlflowTracking
from mlops_assets.storage.storage import Storage
from mlops_assets.system import build_system


@cache
def empty_mlflow() -> Path:
    """An MLflow database with its schema, made once per test process: making it takes longer than most tests."""
    database = Path(tempfile.mkdtemp()) / "mlflow.db"
    MlflowTracking(tracking_uri=f"sqlite:///{database}").ping()
    return database


@dataclass
class Platform:
    folder: Path
    storage: Storage = field(init=False)
    tracking: MlflowTracking = field(init=False)
    instance: dg.DagsterInstance = field(default_factory=dg.DagsterInstance.ephemeral)

    def __post_init__(self) -> None:
        self.storage = Storage.local(self.folder)
        if not (self.folder / "mlflow.db").exists():
            shutil.copy(empty_mlflow(), self.folder / "mlflow.db")
        self.tracking = MlflowTracking(
            tracking_uri=f"sqlite:///{self.folder / 'mlflow.db'}", artifact_root=str(self.folder / "artifacts")
        )

    @property
    def resources(self) -> dict[str, Any]:
        return {
            "storage": StorageResource(root=self.storage.root, database_url=self.storage.database_url),
            "tracking": self.tracking,
        }

    def land(self, spec: SystemSpec, *files: Path) -> None:
        for file in files:
            land(self.storage, spec.name, file)
        if not files:
            land_sample(self.storage, spec)

    def run(self, spec: SystemSpec, *stages: str) -> dg.ExecuteInProcessResult:
        """Materialise ``stages``, or all of them, as the UI does."""
        assets = [asset for asset in build_system(spec).assets or [] if isinstance(asset, dg.AssetsDefinition)]
        selection = [dg.AssetKey([spec.name, stage]) for stage in stages] or None
        return dg.materialize(
            assets, resources=self.resources, instance=self.instance, selection=selection, raise_on_error=False
        )

    def registry(self, spec: SystemSpec) -> Registry:
        return Registry(self.tracking.client, spec.name)

    def versions(self, spec: SystemSpec) -> list[int]:
        found = self.tracking.client.search_model_versions(f"name = '{spec.name}'")
        return sorted(int(version.version) for version in found)


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {e.check_name: e.passed for e in result.get_asset_check_evaluations()}


def failure(result: dg.ExecuteInProcessResult, step: str) -> str:
    """What the failed step said."""
    data: Any = result.failure_data_for_node(step)
    return data.error.message


def changed(spec: SystemSpec, **parts: Any) -> SystemSpec:
    """``spec`` with parts of the declaration replaced, checked like a declaration."""
    return SystemSpec.model_validate({**spec.model_dump(), **parts})


def untimed(spec: SystemSpec) -> SystemSpec:
    """Without the diagnosis that the clock makes: it takes seconds, and most tests are about something else."""
    return changed(spec, evaluation={**spec.evaluation.model_dump(), "diagnoses": None})


def kept(here: Path, name: str) -> Path:
    """A copy of the folder ``here`` beside it, for ``restored``."""
    shutil.copytree(here, here.with_name(name))
    return here.with_name(name)


def restored(kept: Path) -> Platform:
    """The platform as it was kept, at its own place ``here``: MLflow keeps absolute URIs."""
    here = kept.with_name("here")
    for old in here.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
    for source in kept.iterdir():
        if source.is_dir():
            shutil.copytree(source, here / source.name)
        elif source.suffix == ".db":
            _write_back(source, here / source.name)
    return Platform(here)


def _write_back(kept: Path, database: Path) -> None:
    """Restore a database in place: MLflow holds connections to the file."""
    with closing(sqlite3.connect(kept)) as source, closing(sqlite3.connect(database)) as target:
        source.backup(target)
