"""Where a system stands: the newest record of every stage, told in one page."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mlops_assets.dataset.version import BatchOutcome, DatasetVersion
from mlops_assets.errors import StorageError
from mlops_assets.evaluation.version import EvaluationReport, MetricSummary
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.model.version import ModelVersion
from mlops_assets.preflight import declaration_digest
from mlops_assets.registry.ledger import Ledger
from mlops_assets.registry.version import ChampionDecision, RegisteredVersion
from mlops_assets.settings import Settings
from mlops_assets.spec import SystemSpec
from mlops_assets.storage import Storage

if TYPE_CHECKING:
    from rich.table import Table

IN_FORCE = ("version", "previous", "generation", "event", "actor", "at", "reason")
"""What is told of the promotion in force; a person may have changed it since the newest decision."""
STAGES = (DatasetVersion, FeaturesVersion, ModelVersion, EvaluationReport, RegisteredVersion, ChampionDecision)
SIGNS = {"passed": "[green]✓ passed[/]", "failed": "[red]✗ failed[/]", "not evaluated": "[yellow]? not evaluated[/]"}


def unchanged(storage: Storage, spec: SystemSpec) -> str:
    """Why a run would only repeat the last one; empty if it would not."""
    from mlops_assets.dataset.landing import pending_names

    dataset = storage.records.latest(DatasetVersion, spec.name)
    decision = storage.records.latest(ChampionDecision, spec.name)
    if dataset is None or decision is None or pending_names(storage, spec.name):
        return ""
    registered = storage.records.find(RegisteredVersion, spec.name, decision.digest)
    if registered is None or registered.dataset_digest != dataset.digest:
        return ""
    if decision.declaration != declaration_digest(spec):
        return ""
    in_force = Ledger(storage.records).champion(spec.name)
    champion = f"version {in_force.version} is champion" if in_force else "there is no champion yet"
    waiting = f"; version {decision.version} waits for approval" if decision.decision == "requested" else ""
    return (
        f"nothing new has landed, dataset version {dataset.table_version} and the declaration are unchanged, "
        f"and {champion}{waiting}."
    )


def standing(settings: Settings, spec: SystemSpec) -> dict[str, Any]:
    """The newest record of every stage, as JSON values."""
    records = settings.open_storage().records
    newest = {kind.stage: records.latest(kind, spec.name) for kind in STAGES}
    in_force = Ledger(records).champion(spec.name)
    batches = [outcome.model_dump(mode="json") for outcome in records.history(BatchOutcome, spec.name)]
    return {
        "system": spec.name,
        **{stage: record and record.model_dump(mode="json") for stage, record in newest.items()},
        "in_force": in_force and {name: getattr(in_force, name) for name in IN_FORCE},
        "batches": batches[-10:],
        "where": {
            "tables": f"{settings.storage_root}/tables/{spec.name}",
            "landing": f"{settings.storage_root}/landing/{spec.name}",
            "dagster": "make ui, then http://localhost:3000",
            "mlflow": "make ui, then http://localhost:5000",
        },
    }


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
