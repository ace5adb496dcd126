"""What Dagster loads: every declared system, with resources and executor by environment."""

import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import dagster as dg

import mlops_assets.defs
from mlops_assets.automation.executor import watched
from mlops_assets.automation.failures import dead_runs, run_failures, waiting_messages
from mlops_assets.declaration.plain_yaml import read_plain
from mlops_assets.declaration.reading import SHIPPED, declared_systems, read_declaration
from mlops_assets.evaluation.check_name import mark_of
from mlops_assets.logs.configuration import configure_logging
from mlops_assets.resources.dagster_mlflow import mlflow_resource
from mlops_assets.resources.fixed import fixed, fixed_files, tunable
from mlops_assets.resources.notification import Notification
from mlops_assets.resources.storage import StorageResource
from mlops_assets.resources.tracking import MlflowTracking
from mlops_assets.settings import Settings
from mlops_assets.system import build_system, built


@dg.definitions
def defs() -> dg.Definitions:
    """The code location."""
    settings = Settings()
    configure_logging(settings)
    sensors = [run_failures(), waiting_messages(), dead_runs()]
    shared = dg.Definitions(resources=resources(settings), executor=executor(settings), sensors=sensors)
    further = (_system(path, settings, shared) for path in declared_systems(settings.systems))
    return dg.Definitions.merge(*_shipped_systems(settings, shared), *further, shared)


def resources(settings: Settings) -> dict[str, object]:
    """The resources of every asset, which no run can turn into others; secrets stay references to variables."""
    tracking_uri = _reference("MLFLOW_TRACKING_URI", settings.mlflow_uri)
    storage = StorageResource(
        root=settings.storage_root,
        database_url=_reference("MLOPS_DATABASE_URL", settings.records_url),
        options=_reference("MLOPS_STORAGE_OPTIONS", ""),
    )
    tracking = MlflowTracking(
        tracking_uri=tracking_uri,
        artifact_root=settings.mlflow_artifacts,
        webserver_url=settings.webserver_url,
    )
    notification = Notification(
        webhook_url=_reference("MLOPS_WEBHOOK_URL", ""),
        webhook_secret=_reference("MLOPS_WEBHOOK_SECRET", ""),
        private=settings.webhook_private,
    )
    return {
        "mlflow": mlflow_resource(tracking_uri),
        "io_manager": fixed_files(),
        "storage": fixed(storage),
        "tracking": fixed(tracking),
        "notification": fixed(notification),
    }


def executor(settings: Settings) -> dg.ExecutorDefinition:
    """How the steps of a run are executed; each run gives signs of life, and none chooses where it is executed."""
    return watched(tunable(_executor(settings)))


def _executor(settings: Settings) -> dg.ExecutorDefinition:
    if settings.step_executor == "k8s":
        from dagster_k8s import k8s_job_executor

        return k8s_job_executor
    return dg.multiprocess_executor if settings.step_executor == "multiprocess" else dg.in_process_executor


def _shipped_systems(settings: Settings, shared: dg.Definitions) -> Iterator[dg.Definitions]:
    """The component tree of ``defs/``; where that cannot be loaded and ``strict`` is off, system by system."""
    paths = list(declared_systems([SHIPPED]))
    try:
        for path in paths:
            read_plain(path)
        # Not load_from_defs_folder: that looks for a pyproject.toml, and an installed package has none.
        tree = dg.ComponentTree.from_module(mlops_assets.defs, project_root=SHIPPED.parents[1]).build_defs()
        if not settings.strict:
            _resolve(tree, shared)
    except Exception:
        if settings.strict:
            raise
        yield from (_system(path, settings, shared) for path in paths)
    else:
        yield tree


def _system(path: Path, settings: Settings, shared: dg.Definitions) -> dg.Definitions:
    folders = [SHIPPED, *settings.systems]

    def build() -> dg.Definitions:
        made = build_system(read_declaration(path, among=folders))
        if not settings.strict:
            _resolve(made, shared)
        return made

    return built(_name(path, folders), build, settings.strict)


def _resolve(made: dg.Definitions, shared: dg.Definitions) -> None:
    """Dagster resolves jobs late, for the whole location: a system that cannot be must be noticed by itself."""
    dg.Definitions.merge(made, shared).get_repository_def()


def _name(path: Path, folders: Sequence[Path]) -> str:
    """The name of the system's folder, marked where an earlier system lies in a folder of that name."""
    name = path.parent.name
    earlier = itertools.takewhile(lambda other: other != path, declared_systems(folders))
    return f"{name}_{mark_of([str(path)])}" if any(other.parent.name == name for other in earlier) else name


def _reference(variable: str, default: str) -> str:
    return dg.EnvVar(variable) if variable in os.environ else default
