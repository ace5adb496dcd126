"""What Dagster loads: every declared system, with resources and executor by environment."""

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from mlops_assets.automation.failures import run_failures
from mlops_assets.declaration.plain_yaml import read_plain
from mlops_assets.declaration.reading import SHIPPED, declared_systems, read_declaration
from mlops_assets.errors import SpecError
from mlops_assets.resources.dagster_mlflow import mlflow_resource
from mlops_assets.resources.notification import Notification
from mlops_assets.resources.storage import StorageResource
from mlops_assets.resources.tracking import MlflowTracking
from mlops_assets.settings import Settings
from mlops_assets.system import broken_system, build_system


@dg.definitions
def defs() -> dg.Definitions:
    """The code location."""
    settings = Settings()
    return dg.Definitions.merge(
        *_shipped_systems(settings),
        *(_further_system(path, settings) for path in declared_systems(settings.systems)),
        dg.Definitions(resources=resources(settings), executor=executor(settings), sensors=[run_failures()]),
    )


def resources(settings: Settings) -> dict[str, object]:
    """The resources of every asset; secrets stay references to their environment variables."""
    tracking_uri = _reference("MLFLOW_TRACKING_URI", settings.mlflow_uri)
    return {
        "mlflow": mlflow_resource(tracking_uri),
        "storage": StorageResource(
            root=settings.storage_root,
            database_url=_reference("MLOPS_DATABASE_URL", settings.records_url),
            options=settings.storage_options,
        ),
        "tracking": MlflowTracking(
            tracking_uri=tracking_uri,
            artifact_root=settings.mlflow_artifacts,
            webserver_url=settings.webserver_url,
        ),
        "notification": Notification(
            webhook_url=_reference("MLOPS_WEBHOOK_URL", ""), webhook_secret=_reference("MLOPS_WEBHOOK_SECRET", "")
        ),
    }


def executor(settings: Settings) -> dg.ExecutorDefinition:
    """How the steps of a run are executed."""
    if settings.step_executor == "k8s":
        from dagster_k8s import k8s_job_executor

        return k8s_job_executor
    return dg.multiprocess_executor if settings.step_executor == "multiprocess" else dg.in_process_executor


def _shipped_systems(settings: Settings) -> Iterator[dg.Definitions]:
    """The component tree of ``defs/``; system by system where Dagster must not be given one of the files to read."""
    paths = list(declared_systems([SHIPPED]))
    try:
        for path in paths:
            read_plain(path)
    except SpecError:
        if settings.strict:
            raise
        yield from (_further_system(path, settings) for path in paths)
    else:
        yield dg.load_from_defs_folder(path_within_project=SHIPPED.parent)


def _further_system(path: Path, settings: Settings) -> dg.Definitions:
    try:
        return build_system(read_declaration(path, among=[SHIPPED, *settings.systems]))
    except SpecError as error:
        if settings.strict:
            raise
        return broken_system(path.parent.name, error)


def _reference(variable: str, default: str) -> str:
    return dg.EnvVar(variable) if variable in os.environ else default
