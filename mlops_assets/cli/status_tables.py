"""Status tables: where a system stands, as the shell shows it."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import StorageError
from mlops_assets.evaluation.version import EvaluationReport, MetricSummary
from mlops_assets.settings import Settings

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


def tables(story: dict[str, Any]) -> "Iterator[Table | str]":
    """The story as rich tables."""
    yield f"[bold]{story['system']}[/]"
    yield _versions(story)
    if story["evaluation"]:
        yield _metrics(story)
        yield _gates(story)
    yield _where(story)


def _versions(story: dict[str, Any]) -> "Table":
    from rich.markup import escape

    table = _table("stage", "version", "what")
    dataset, features, model = story["dataset"], story["features"], story["model"]
    version, champion = story["registered_version"], story["champion"]
    table.add_row("dataset", *(_dataset(dataset) if dataset else _absent()))
    table.add_row("features", *(_features(features) if features else _absent()))
    table.add_row("model", *(_model(model) if model else _absent()))
    table.add_row("registered", *(_registered(version, story) if version else _absent()))
    table.add_row("decision", *map(escape, _decision(champion) if champion else _absent()))
    table.add_row("champion", *map(escape, _champion(story["in_force"]) if story["in_force"] else _absent()))
    return table


def _absent() -> tuple[str, str]:
    return "-", "none yet"


def _dataset(record: dict[str, Any]) -> tuple[str, str]:
    what = f"{record['rows']} rows from {record['batches']} batches, {record['quarantined']} rows in quarantine"
    return f"{record['table_version']} ({record['digest'][:12]})", what


def _features(record: dict[str, Any]) -> tuple[str, str]:
    parts = ", ".join(f"{part} {rows}" for part, rows in record["rows"].items() if rows)
    return f"{record['table_version']} ({record['digest'][:12]})", f"{len(record['columns'])} features; {parts} rows"


def _model(record: dict[str, Any]) -> tuple[str, str]:
    what = f"{record['estimator'].rpartition('.')[2]} on {record['train_rows']} rows; ONNX: {record['onnx_note']}"
    return record["digest"][:12], what


def _registered(record: dict[str, Any], story: dict[str, Any]) -> tuple[str, str]:
    what = f"models:/{record['system']}/{record['version']}, report {record['digest'][:12]}"
    current = story["model"] and story["model"]["digest"] == record["model_digest"]
    return f"version {record['version']}", what if current else f"{what}; the newest model is not registered"


def _decision(record: dict[str, Any]) -> tuple[str, str]:
    return f"version {record['version']}", f"{record['decision']}: {record['reason']}"


def _champion(entry: dict[str, Any]) -> tuple[str, str]:
    how = f"{entry['event']} by {entry['actor']}, {entry['at'][:16]}Z: {entry['reason']}"
    return f"version {entry['version']}", how


def _metrics(story: dict[str, Any]) -> "Table":
    evaluation = story["evaluation"]
    table = _table("metric", "value", "interval", "simple baseline", "linear baseline")
    table.title = f"Metrics on {evaluation['rows']} test rows"
    for metric in map(MetricSummary.model_validate, evaluation["metrics"]):
        baselines = (_number(metric.baselines.get(name)) for name in ("simple", "linear"))
        interval = " … ".join(map(_number, metric.interval)) if metric.interval else "not evaluated"
        table.add_row(metric.name, _number(metric.value), interval, *baselines)
    return table


def _gates(story: dict[str, Any]) -> "Table":
    from rich.markup import escape

    table = _table("check", "verdict", "reason")
    table.title = "Checks and gates"
    for stage in ("dataset", "features", "evaluation", "registered_version"):
        for verdict in (story[stage] or {}).get("verdicts", []):
            severity = "" if verdict["severity"] == "block" else " [dim](warn)[/]"
            table.add_row(f"{verdict['name']}{severity}", SIGNS[verdict["outcome"]], escape(verdict["reason"]))
    return table


def _where(story: dict[str, Any]) -> "Table":
    table = _table("where to look", "")
    for name, place in story["where"].items():
        table.add_row(name, place)
    if story["evaluation"]:
        table.add_row("report", f"mlops report {story['system']} --html report.html")
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
