"""The ``mlops`` command."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from mlops_assets.declaration import SHIPPED, find_system
from mlops_assets.errors import MlopsError
from mlops_assets.settings import Settings
from mlops_assets.spec import SystemSpec

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Asset-based MLOps: from a landed file to a promoted champion.",
)
System = Annotated[str, typer.Argument(help="Name of a declared system.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
console = Console(stderr=False)


@app.command()
def land(
    system: System,
    files: Annotated[
        list[str] | None, typer.Argument(help="Files or URLs; without any, the system's declared sample.")
    ] = None,
    retract: Annotated[
        str | None, typer.Option(help="Take the batch with this id (or its beginning) out of the dataset.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why the batch is retracted.")] = "",
    as_json: Json = False,
) -> None:
    """Bring files into the landing zone, or retract a batch."""
    from mlops_assets.landed import landed_story, retracted_story

    settings, spec = _opened(system)
    storage = settings.open_storage()
    if retract:
        _tell(retracted_story(storage, spec, retract, reason), as_json)
    else:
        with console.status(f"Landing into {spec.name} …") as status:
            story = landed_story(storage, spec, files or [], lambda *read: status.update(_progress(spec, *read)))
        _tell(story, as_json)


@app.command()
def run(
    system: System,
    job: Annotated[str, typer.Option(help="ingestion, training or lifecycle.")] = "lifecycle",
    force: Annotated[bool, typer.Option(help="Run although nothing has changed.")] = False,
    as_json: Json = False,
) -> None:
    """Run a job of a system, as ``dagster job execute`` does; exit 1 if it fails."""
    from mlops_assets.automation.launch import Ended, command, launch
    from mlops_assets.standing import unchanged

    settings, spec = _opened(system)
    if job not in ("ingestion", "training", "lifecycle"):
        _fail(f"{job!r} is not a job. Jobs: ingestion, lifecycle, training")
    if not force and (told := unchanged(settings.open_storage(), spec)):
        _tell({"system": spec.name, "ran": False, "reason": told}, as_json, f"Nothing to do: {told}")
        return
    name = f"{spec.name}_{job}"
    if not as_json:
        console.print(f"[dim]$ {escape(' '.join(['dagster', *command(name)[3:]]))}[/]")
    ended = None
    with console.status(f"{name} …") as status:
        for event in launch(settings, name):
            if isinstance(event, Ended):
                ended = event
            elif event.event == "STEP_START":
                status.update(f"{name}: {event.name} …")
            elif not as_json:
                sign = {"STEP_SUCCESS": "[green]✓[/]", "STEP_FAILURE": "[red]✗[/]"}.get(event.event, "[dim]-[/]")
                console.print(f"  {sign} {event.name}")
    assert ended is not None
    if as_json:
        story = {"system": spec.name, "ran": True, "job": name, "exit_code": ended.code, "log": str(ended.log)}
        _tell({**story, "refusals": list(ended.refusals)}, as_json)
    for refusal in () if as_json else ended.refusals:
        console.print(f"[red]{escape(refusal)}[/]", soft_wrap=True)
    if ended.code:
        if not as_json:
            console.print(
                f"[red]{name} failed.[/] Log: {escape(str(ended.log))}; verdicts: mlops report {spec.name}",
                soft_wrap=True,
            )
        raise typer.Exit(1)


@app.command()
def report(
    system: System,
    html: Annotated[Path | None, typer.Option(help="Also write the newest evaluation's HTML report here.")] = None,
    as_json: Json = False,
) -> None:
    """Print where a system stands: data, split, metrics, gates, version, champion."""
    from mlops_assets.standing import standing, tables, write_html

    settings, spec = _opened(system)
    story = standing(settings, spec)
    if html is not None:
        write_html(settings, spec, html)
    if as_json:
        _tell(story, as_json)
        return
    for table in tables(story):
        console.print(table)


@app.command()
def doctor(
    declarations: Annotated[bool, typer.Option(help="Only the declarations and the code they name.")] = False,
    as_json: Json = False,
) -> None:
    """Check storage, MLflow, the Dagster instance, declarations and extras; exit 1 if something is wrong."""
    from mlops_assets.resources.health import examine, examine_declarations

    findings = []
    for finding in (examine_declarations if declarations else examine)(Settings()):
        findings.append(finding)
        if not as_json:
            sign = "[green]✓[/]" if finding.ok else "[red]✗[/]"
            console.print(f"{sign} [bold]{escape(finding.subject)}[/] {escape(finding.told)}", soft_wrap=True)
            if not finding.ok:
                console.print(f"  Remedy: {escape(finding.remedy)}")
    if as_json:
        _tell({"ok": all(f.ok for f in findings), "findings": [vars(f) for f in findings]}, as_json)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


@app.command()
def instance(as_json: Json = False) -> None:
    """Write the Dagster instance's configuration and print its folder, for DAGSTER_HOME."""
    from mlops_assets.resources.instance import prepare_instance

    folder = prepare_instance(Settings())
    _tell({"dagster_home": str(folder)}, as_json, str(folder))


@app.callback()
def _prepare() -> None:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


def _opened(system: str) -> tuple[Settings, SystemSpec]:
    settings = Settings()
    return settings, find_system(system, [SHIPPED, *settings.systems])


def _progress(spec: SystemSpec, read: int, total: int | None) -> str:
    share = f" of {total / 1e6:,.0f}" if total else ""
    return f"Landing into {spec.name}: {read / 1e6:,.0f}{share} MB …"


def _tell(story: dict[str, Any], as_json: bool, text: str | None = None) -> None:
    if as_json:
        sys.stdout.write(json.dumps(story, indent=2, default=str) + "\n")
        return
    console.print(escape(text if text is not None else str(story.get("told", story))), soft_wrap=True)


def _fail(message: str) -> None:
    Console(stderr=True).print(f"[red]{escape(message)}[/]", soft_wrap=True)
    raise typer.Exit(1)


def main() -> None:
    """Run the command; an error that the platform raises on purpose is one message and exit code 1."""
    try:
        app()
    except MlopsError as error:
        Console(stderr=True).print(f"[red]{escape(f'{type(error).__name__}: {error}')}[/]", soft_wrap=True)
        sys.exit(1)
