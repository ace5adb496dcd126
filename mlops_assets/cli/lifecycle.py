"""Commands along the line: land, run, report."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape

from mlops_assets.cli.app import Json, System, console, opened, session_of, tell
from mlops_assets.cli.exit_code import code_of_run
from mlops_assets.declaration.spec import SystemSpec

Job = Literal["ingestion", "training", "lifecycle"]


def land(
    system: System,
    files: Annotated[
        list[str] | None, typer.Argument(help="Files or URLs; without any, the system's declared sample.")
    ] = None,
    retract: Annotated[
        str | None, typer.Option(help="Take the batch with this id (or its beginning) out of the dataset.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why the batch is retracted.")] = "",
    reingest: Annotated[
        bool,
        typer.Option(
            "--reingest", help="Read the files again that were rejected, or that the lake has lost; recorded."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring files into the landing zone, or retract a batch."""
    from mlops_assets.cli.landing_story import landed_story, reopened_story, retracted_story

    settings, spec = opened(system)
    storage = settings.open_storage()
    if retract:
        if not reason.strip():
            raise typer.BadParameter(
                f"retracting {retract!r} needs a reason: what is wrong with it", param_hint="--reason"
            )
        tell(retracted_story(storage, spec, retract, reason), as_json)
    elif reingest:
        tell(reopened_story(storage, spec, files or [], settings.who), as_json)
    else:
        with console.status(f"Landing into {spec.name} …") as status:
            story = landed_story(storage, spec, files or [], lambda *read: status.update(_progress(spec, *read)))
        tell(story, as_json)


def run(
    system: System,
    job: Annotated[Job, typer.Option(help="What to run.")] = "lifecycle",
    force: Annotated[bool, typer.Option(help="Run although nothing has changed.")] = False,
    as_json: Json = False,
) -> None:
    """Run a job of a system, as ``dagster job execute`` does; exit 3 if a gate fails, 4 if one was not evaluated."""
    from mlops_assets.audit.status import unchanged
    from mlops_assets.automation.dead_runs import DeadRun
    from mlops_assets.automation.launch import Ended, command, launch

    settings, spec = opened(system)
    if not force and (reason := unchanged(settings.open_storage(), spec)):
        aliases = _reconciled(system)
        story = {"system": spec.name, "ran": False, "reason": reason, "aliases": aliases}
        tell(story, as_json, f"Nothing to do: {reason} {aliases}.")
        return
    name = f"{spec.name}_{job}"
    if not as_json:
        console.print(f"[dim]$ {escape(' '.join(['dagster', *command(name)[3:]]))}[/]")
    ended, dead = None, []
    with console.status(f"{name} …") as status:
        for event in launch(settings, name):
            if isinstance(event, Ended):
                ended = event
            elif isinstance(event, DeadRun):
                dead.append(event)
                if not as_json:
                    console.print(f"[yellow]{escape(str(event))}[/]", soft_wrap=True)
            elif event.event == "STEP_START":
                status.update(f"{name}: {event.name} …")
            elif not as_json:
                sign = {"STEP_SUCCESS": "[green]✓[/]", "STEP_FAILURE": "[red]✗[/]"}.get(event.event, "[dim]-[/]")
                console.print(f"  {sign} {event.name}")
    assert ended is not None
    code = code_of_run(ended.code, ended.refusals)
    if as_json:
        story = {"system": spec.name, "ran": True, "job": name, "exit_code": int(code), "log": str(ended.log)}
        tell({**story, "refusals": list(ended.refusals), "dead_runs": list(map(vars, dead))}, as_json)
    for refusal in () if as_json else ended.refusals:
        console.print(f"[red]{escape(refusal)}[/]", soft_wrap=True)
    if code:
        if not as_json:
            console.print(
                f"[red]{name} failed.[/] Log: {escape(str(ended.log))}; verdicts: mlops report {spec.name}",
                soft_wrap=True,
            )
        raise typer.Exit(code)


def report(
    system: System,
    html: Annotated[Path | None, typer.Option(help="Also write the newest evaluation's HTML report here.")] = None,
    as_json: Json = False,
) -> None:
    """Print where a system stands: data, split, metrics, gates, version, champion."""
    from mlops_assets.audit.status import standing
    from mlops_assets.cli.status_tables import tables, write_html

    settings, spec = opened(system)
    status = standing(settings, spec)
    if html is not None:
        write_html(settings, spec, html)
    if as_json:
        tell(status.story(), as_json)
        return
    for table in tables(status):
        console.print(table)


def _reconciled(system: str) -> str:
    """What came of a look at the registry's aliases, which a hand may have moved though nothing is new."""
    from mlops_assets.registry.reconciliation import reconcile, verdict

    session = session_of(system)
    moved = reconcile(session)
    seen = verdict(session, moved)
    if moved and seen.passed:
        return f"{'; '.join(map(str, moved))}: moved back"
    return seen.reason[:1].upper() + seen.reason[1:]


def _progress(spec: SystemSpec, read: int, total: int | None) -> str:
    share = f" of {total / 1e6:,.0f}" if total else ""
    return f"Landing into {spec.name}: {read / 1e6:,.0f}{share} MB …"
