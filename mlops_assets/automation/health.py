"""Health: what must work before anything runs, each finding with its remedy."""

import importlib.util
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_assets.automation.dead_runs import close_mlflow_runs, end_dead_runs
from mlops_assets.declaration.base import EXTRAS
from mlops_assets.declaration.environments import differing
from mlops_assets.declaration.reading import SHIPPED, declared_systems, read_declaration
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import MissingExtra, MlopsError
from mlops_assets.evaluation.gates_elsewhere import looser_than_elsewhere
from mlops_assets.preflight import check_code
from mlops_assets.resources.instance import instance_file, opened_instance
from mlops_assets.resources.redaction import redacted
from mlops_assets.resources.tracking import MlflowTracking
from mlops_assets.settings import Settings
from mlops_assets.storage.messages import Outbox
from mlops_assets.storage.object_stores import missing_extras, require_libraries

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


@dataclass(frozen=True)
class HealthFinding:
    """One thing that was checked."""

    subject: str
    ok: bool
    message: str
    remedy: str = ""


def examine(settings: Settings) -> Iterator[HealthFinding]:
    """Check storage, records, MLflow, the Dagster instance, every declaration and the extras."""
    yield _finding("storage", lambda: _storage(settings), "set MLOPS_STORAGE to a place that can be written")
    yield _finding("records", lambda: _records(settings), "set MLOPS_DATABASE_URL to a reachable database")
    yield _finding("mlflow", lambda: _mlflow(settings), "start MLflow, or set MLFLOW_TRACKING_URI")
    yield _finding("dagster", lambda: _instance(settings), "set DAGSTER_HOME; 'mlops instance' writes dagster.yaml")
    if settings.webhook_url:
        yield _finding("webhook", lambda: _webhook(settings), "mend the receiver: what waits is sent when it answers")
    yield from examine_declarations(settings)
    yield _extras()


def _finding(subject: str, check: Callable[[], str], remedy: str) -> HealthFinding:
    try:
        return HealthFinding(subject, True, check())
    except MissingExtra as error:
        message, _, install = str(error).partition(" Remedy: ")
        return HealthFinding(subject, False, message, install)
    except Exception as error:
        return HealthFinding(subject, False, redacted(f"{type(error).__name__}: {error}"), remedy)


def _storage(settings: Settings) -> str:
    """Write a table as ingestion does, read it, and take it away again, also after a failure."""
    import pyarrow as pa
    from deltalake import DeltaTable, write_deltalake

    storage = settings.open_storage()
    options = dict(storage.options) or None
    doctor = f"{storage.root.rstrip('/')}/.doctor"
    probe = f"{doctor}/{uuid.uuid4().hex}"
    try:
        write_deltalake(probe, pa.table({"written_by": ["mlops doctor"]}), storage_options=options)
        DeltaTable(probe, storage_options=options).to_pyarrow_table()
    finally:
        _removed(storage.filesystem, probe, doctor)
    return f"{storage.root} can be written"


def _removed(filesystem: "AbstractFileSystem", probe: str, doctor: str) -> None:
    if filesystem.exists(probe):
        filesystem.rm(probe, recursive=True)
    if filesystem.exists(doctor) and not filesystem.ls(doctor):
        filesystem.rmdir(doctor)


def _records(settings: Settings) -> str:
    with settings.open_storage().records.engine.connect() as connection:
        return f"{connection.engine.url.render_as_string(hide_password=True)} answers"


def _mlflow(settings: Settings) -> str:
    require_libraries(settings.mlflow_artifacts or "")
    MlflowTracking(tracking_uri=settings.mlflow_uri, artifact_root=settings.mlflow_artifacts).ping()
    return f"{redacted(settings.mlflow_uri)} answers"


def _webhook(settings: Settings) -> str:
    state = Outbox(settings.open_storage().records).waiting()
    if state.error:
        raise MlopsError(
            f"{state.waiting} messages wait, {state.resting} of them for another to be taken: {state.error}"
        )
    return f"{state.waiting} messages wait"


def _instance(settings: Settings) -> str:
    """Its runs whose process is gone are marked as failed: they would hold the queue of their system."""
    from dagster._core.instance.ref import InstanceRef

    file = instance_file(settings)
    if not file.exists:
        return f"{file.path} is written by 'mlops instance', or by the first run"
    InstanceRef.from_dir(str(settings.folder))
    tracking = MlflowTracking(tracking_uri=settings.mlflow_uri, artifact_root=settings.mlflow_artifacts)
    with opened_instance(settings) as instance:
        dead = end_dead_runs(instance, tracking)
        close_mlflow_runs(instance, tracking)
        own = ", by a dagster.yaml of your own" if file.is_foreign else ""
        return " ".join([f"{settings.folder} ({type(instance.run_storage).__name__}){own}.", *map(str, dead)])


def examine_declarations(settings: Settings) -> Iterator[HealthFinding]:
    """Read every declaration and import the code it names."""
    folders = [SHIPPED, *settings.systems]
    for path in declared_systems(folders):
        try:
            spec = read_declaration(path, among=folders)
            yield HealthFinding(spec.name, True, _code(spec))
        except MlopsError as error:
            yield HealthFinding(path.parent.name, False, str(error), f"mend {path}")


def _code(spec: SystemSpec) -> str:
    check_code(spec)
    return " ".join(["declaration, functions and estimator are as they should be.", *_environment(spec)])


def _environment(spec: SystemSpec) -> Iterator[str]:
    """What holds where this is, where the declaration differs by environment."""
    if spec.environments:
        own = "; ".join(differing(spec.environments.get(spec.environment, {})))
        yield f"In {spec.environment}: {own or 'as everywhere'}."
    if looser := "; ".join(map(str, looser_than_elsewhere(spec))):
        yield f"Less is asked than elsewhere: {looser}."


def _extras() -> HealthFinding:
    missing = {extra for module, extra in EXTRAS.items() if importlib.util.find_spec(module) is None}
    names = ", ".join(sorted({*missing, *missing_extras()}))
    message = f"not installed: {names}; no setting and no declared system needs them" if names else "all installed"
    return HealthFinding("extras", True, message)
