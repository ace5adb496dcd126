"""Commands that look back: history, why, trace."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from mlops_assets.cli.app import Json, System, console, opened, tell
from mlops_assets.cli.exit_code import ExitCode
from mlops_assets.cli.tables import facts, show, table, time

if TYPE_CHECKING:
    from mlops_assets.audit.history import Generation, GenerationEvidence
    from mlops_assets.audit.lineage import Trace
    from mlops_assets.audit.row_lineage import RowPlace

SIGNS = {"passed": "[green]✓[/]", "failed": "[red]✗[/]", "not evaluated": "[yellow]?[/]", "noted": "[dim]·[/]"}


def history(
    system: System,
    at: Annotated[
        str | None, typer.Option(help="A moment in ISO 8601, such as 2026-05-01T14:00Z; without a zone it is UTC.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Every champion there was; or with --at, who was champion then, why, and on what evidence.

    Exits with 1 where there was no champion at that moment.
    """
    from mlops_assets.audit.history import evidence, generation_at, generations, parsed_moment
    from mlops_assets.storage.ledger import Ledger
    from mlops_assets.storage.ledger_entry import now

    settings, spec = opened(system)
    storage = settings.open_storage()
    ledger = Ledger(storage.records)
    if at is None:
        terms = generations(ledger, spec.name)
        story = {"system": spec.name, "generations": [asdict(generation) for generation in terms]}
        show(story, as_json, _generations(terms), f"No version of {spec.name} has been champion yet.")
        return
    try:
        moment = parsed_moment(at)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--at") from error
    generation = generation_at(ledger, spec.name, moment)
    known = evidence(storage, ledger, generation) if generation else None
    about = {"champion": generation and asdict(generation), "evidence": known and asdict(known)}
    story = {"system": spec.name, "at": moment, **about}
    if generation is None:
        tell(story, as_json, f"{spec.name} had no champion yet at {time(moment)}.")
        raise typer.Exit(ExitCode.ERROR)
    future = " (that moment is still to come; this is the champion now)" if moment > now() else ""
    title = f"{spec.name}: version {generation.version} was champion at {time(moment)}{future}"
    show(story, as_json, facts(_then(generation, known), title))


def why(system: System, as_json: Json = False) -> None:
    """Why the last training did or did not change the champion."""
    from mlops_assets.audit.explanation import account

    settings, spec = opened(system)
    answered = account(settings.open_storage(), spec.name)
    if as_json:
        tell(asdict(answered), as_json)
        return
    console.print(f"[bold]{escape(answered.answer)}[/]", soft_wrap=True)
    lines = table("", "what", "when (UTC)", "how it went")
    for step in answered.steps:
        lines.add_row(SIGNS[step.outcome], escape(step.what), time(step.at), escape(step.message))
    console.print(lines)


def trace(
    system: System,
    batch: Annotated[str | None, typer.Option(help="A batch id, its beginning, or the name of the file.")] = None,
    row: Annotated[
        str | None, typer.Option(help="Values of the declared key, comma separated; without a key BATCH:ROW.")
    ] = None,
    version: Annotated[int | None, typer.Option(help="A registered version, to go back from.", min=1)] = None,
    as_json: Json = False,
) -> None:
    """Which versions rest on a batch or row, and back from a version to its files.

    Exits with 5 where the present champion rests on the batch.
    """
    from mlops_assets.audit.lineage import backward, find_batch, forward
    from mlops_assets.audit.row_lineage import find_row

    if sum(option is not None for option in (batch, row, version)) != 1:
        raise typer.BadParameter("give one of --batch, --row and --version")
    settings, spec = opened(system)
    storage, place = settings.open_storage(), None
    if version is not None:
        _show_trace(backward(storage, spec.name, version), None, as_json, f"Version {version} of {spec.name} rests on:")
        return
    if row is not None:
        with console.status(f"Looking for {escape(row)} …"):
            place = find_row(storage, spec, row)
        if place.batch is None:
            _show_row(place, spec.name, as_json)
            return
        batch = place.batch
    with console.status("Following the batch …"):
        followed = forward(storage, spec.name, find_batch(storage, spec.name, batch or ""))
    _show_trace(followed, place, as_json)
    if followed.affects_champion:
        raise typer.Exit(ExitCode.AFFECTED)


def _generations(terms: "list[Generation]") -> Table | None:
    lines = table("generation", "version", "since, until (UTC)", "why")
    for term in terms:
        until = time(term.until) if term.until else "[green]now[/]"
        why = escape(f"{term.event} by {term.by}: {term.reason}")
        lines.add_row(str(term.number), str(term.version), f"{time(term.since)}\n{until}", why)
    return lines if terms else None


def _then(term: "Generation", known: "GenerationEvidence | None") -> list[tuple[str, str]]:
    return [
        ("since", f"{time(term.since)}, generation {term.number}"),
        ("until", time(term.until) if term.until else "now"),
        ("how", f"{term.event} by {term.by}"),
        ("why", term.reason),
        *(_rested_on(known) if known else [("evidence", "the records have no registration with this report")]),
        ("model", term.model_digest),
        ("report", term.report_digest),
    ]


def _rested_on(known: "GenerationEvidence") -> list[tuple[str, str]]:
    against = f"version {known.judged_against}" if known.judged_against else "nobody: it was the first"
    compared = f"{known.rows_compared:,} rows" if known.rows_compared else "no rows"
    return [
        ("judged", f"{time(known.judged_at)} against {against}: {known.standing}" if known.judged_at else "no verdict"),
        ("rows compared", f"{compared} {known.rows_digest}".strip()),
        ("trained", f"{time(known.trained_at)}, Dagster run {known.dagster_run_id}, MLflow run {known.mlflow_run_id}"),
        ("dataset", known.dataset_digest),
        ("features", known.features_digest),
    ]


def _show_trace(trace: "Trace", row: "RowPlace | None", as_json: bool, heading: str = "") -> None:
    """The trace, under a ``heading`` or with what it means for the versions at its end."""
    if as_json:
        story = {**asdict(trace), "affects_champion": trace.affects_champion, "row": row and asdict(row)}
        tell({**story, "message": heading or trace.message}, as_json)
        return
    if row is not None:
        _tell_row(row)
    if heading:
        console.print(f"[bold]{escape(heading)}[/]", soft_wrap=True)
    lines = table("batch", "file", "landed (UTC)", "rows", "fate")
    for batch in trace.batches:
        fate = f"{batch.fate}: {batch.reason}" if batch.reason else batch.fate
        lines.add_row(
            batch.batch[:12], escape(batch.original), time(batch.landed_at), f"{batch.accepted:,}", escape(fate)
        )
    console.print(lines)
    console.print(facts(_line(trace)))
    for term in trace.generations:
        since = time(term.since)
        held = f"was champion from {since} to {time(term.until)}" if term.until else f"is champion since {since}"
        console.print(f"Version {term.version} {held} UTC.")
    if not heading:
        console.print(f"[bold]{escape(trace.message)}[/]", soft_wrap=True)


def _line(trace: "Trace") -> list[tuple[str, str]]:
    trained = [f"{run.digest[:12]} ({time(run.at)}, Dagster run {run.dagster_run_id[:8]})" for run in trace.models]
    return [
        ("dataset versions", ", ".join(map(str, trace.dataset_versions)) or "none"),
        ("features versions", ", ".join(map(str, trace.features_versions)) or "none"),
        ("models", ", ".join(trained) or "none"),
        ("registered versions", ", ".join(map(str, trace.versions)) or "none"),
    ]


def _show_row(row: "RowPlace", system: str, as_json: bool) -> None:
    message = f"Row {row.key} is only in quarantine: no version of {system} rests on it."
    if not as_json:
        _tell_row(row)
    tell({"system": system, "row": asdict(row), "affects_champion": False, "message": message}, as_json)


def _tell_row(row: "RowPlace") -> None:
    if row.batch is not None:
        place = f"Row {row.key} is row {row.row} of batch {row.batch[:12]}, in dataset version {row.table_version}."
        console.print(escape(place), soft_wrap=True)
    for violation in row.quarantined:
        where = f"row {violation.row} of batch {violation.batch[:12]}, {violation.column}"
        console.print(escape(f"Quarantined: {where}: {violation.rule} ({violation.value!r})."), soft_wrap=True)
