"""Status tables: where a system stands, as the shell shows it."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from mlops_assets.audit.status import SystemStatus
from mlops_assets.dataset.version import DatasetVersion
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import StorageError
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.model.version import ModelVersion
from mlops_assets.registry.version import ChampionDecision, RegisteredVersion
from mlops_assets.settings import Settings
from mlops_assets.storage.ledger_entry import Entry

if TYPE_CHECKING:
    from rich.table import Table


SIGNS = {"passed": "[green]✓ passed[/]", "failed": "[red]✗ failed[/]", "not evaluated": "[yellow]? not evaluated[/]"}


def write_html(settings: Settings, spec: SystemSpec, target: Path) -> None:
    """Copy the newest evaluation's HTML report to ``target``.

    Raises:
        StorageError: if the system has not been evaluated yet.
    """
    from mlops_assets.resources.tracking import MlflowTracking

    record = settings.open_storage().records.latest(EvaluationReport, spec.name)
    if record is None:
        raise StorageError(f"{spec.name} has no evaluation yet. Remedy: mlops run {spec.name}")
    tracking = MlflowTracking(tracking_uri=settings.mlflow_uri)
    with TemporaryDirectory() as folder:
        target.write_bytes(tracking.fetch(record.html_uri, Path(folder)).read_bytes())


def tables(status: SystemStatus) -> "Iterator[Table | str]":
    """The status as rich tables."""
    yield f"[bold]{status.system}[/]"
    yield _versions(status)
    if status.evaluation:
        yield _metrics(status.evaluation)
        yield _gates(status)
    yield _where(status)


def _versions(status: SystemStatus) -> "Table":
    from rich.markup import escape

    table = _table("stage", "version", "what")
    table.add_row("dataset", *(_dataset(status.dataset) if status.dataset else _absent()))
    table.add_row("features", *(_features(status.features) if status.features else _absent()))
    table.add_row("model", *(_model(status.model) if status.model else _absent()))
    version = status.registered_version
    table.add_row("registered", *(_registered(version, status.model) if version else _absent()))
    table.add_row("decision", *map(escape, _decision(status.champion) if status.champion else _absent()))
    table.add_row("champion", *map(escape, _champion(status.in_force) if status.in_force else _absent()))
    return table


def _absent() -> tuple[str, str]:
    return "-", "none yet"


def _dataset(version: DatasetVersion) -> tuple[str, str]:
    what = f"{version.rows} rows from {version.batches} batches, {version.quarantined} rows in quarantine"
    return f"{version.table_version} ({version.digest[:12]})", what


def _features(version: FeaturesVersion) -> tuple[str, str]:
    parts = ", ".join(f"{part} {rows}" for part, rows in version.rows.items() if rows)
    return f"{version.table_version} ({version.digest[:12]})", f"{len(version.columns)} features; {parts} rows"


def _model(model: ModelVersion) -> tuple[str, str]:
    what = f"{model.estimator.rpartition('.')[2]} on {model.train_rows} rows; ONNX: {model.onnx_note}"
    return model.digest[:12], what


def _registered(version: RegisteredVersion, model: ModelVersion | None) -> tuple[str, str]:
    what = f"models:/{version.system}/{version.version}, report {version.digest[:12]}"
    current = model is not None and model.digest == version.model_digest
    return f"version {version.version}", what if current else f"{what}; the newest model is not registered"


def _decision(decision: ChampionDecision) -> tuple[str, str]:
    return f"version {decision.version}", f"{decision.decision}: {decision.reason}"


def _champion(entry: Entry) -> tuple[str, str]:
    return f"version {entry.version}", f"{entry.event} by {entry.by}, {entry.at[:16]}Z: {entry.reason}"


def _metrics(evaluation: EvaluationReport) -> "Table":
    table = _table("metric", "value", "interval", "simple baseline", "linear baseline")
    table.title = f"Metrics on {evaluation.rows} test rows"
    for metric in evaluation.metrics:
        baselines = (_number(metric.baselines.get(name)) for name in ("simple", "linear"))
        interval = " … ".join(map(_number, metric.interval)) if metric.interval else "not evaluated"
        table.add_row(metric.name, _number(metric.value), interval, *baselines)
    return table


def _gates(status: SystemStatus) -> "Table":
    from rich.markup import escape

    table = _table("check", "verdict", "reason")
    table.title = "Checks and gates"
    for stage in (status.dataset, status.features, status.evaluation, status.registered_version):
        for verdict in stage.verdicts if stage else ():
            severity = "" if verdict.severity == "block" else " [dim](warn)[/]"
            table.add_row(f"{verdict.name}{severity}", SIGNS[verdict.outcome], escape(verdict.reason))
    return table


def _where(status: SystemStatus) -> "Table":
    table = _table("where to look", "")
    for name, place in status.where.items():
        table.add_row(name, place)
    if status.evaluation:
        table.add_row("report", f"mlops report {status.system} --html report.html")
    return table


def _table(*columns: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _number(value: float | None) -> str:
    return "not evaluated" if value is None else f"{value:.4g}"
