"""Commands about this installation: doctor, instance, ui, daemon."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from mlops_assets.cli.app import Json, console, tell
from mlops_assets.cli.exit_code import ExitCode
from mlops_assets.settings import Settings


def doctor(
    declarations: Annotated[bool, typer.Option(help="Only the declarations and the code they name.")] = False,
    as_json: Json = False,
) -> None:
    """Check storage, MLflow, the Dagster instance, declarations and extras; exit 1 if something is wrong."""
    from mlops_assets.automation.health import examine, examine_declarations

    findings = []
    for finding in (examine_declarations if declarations else examine)(Settings()):
        findings.append(finding)
        if not as_json:
            sign = "[green]✓[/]" if finding.ok else "[red]✗[/]"
            console.print(f"{sign} [bold]{escape(finding.subject)}[/] {escape(finding.message)}", soft_wrap=True)
            if not finding.ok:
                console.print(f"  Remedy: {escape(finding.remedy)}")
    ok = all(finding.ok for finding in findings)
    if as_json:
        tell({"ok": ok, "findings": [vars(finding) for finding in findings]}, as_json)
    if not ok:
        raise typer.Exit(ExitCode.ERROR)


def instance(as_json: Json = False) -> None:
    """Write the Dagster instance's configuration, never over another's, and print its folder, for DAGSTER_HOME."""
    from mlops_assets.resources.instance import instance_file, prepare_instance

    settings = Settings()
    folder = prepare_instance(settings)
    foreign = instance_file(settings).is_foreign
    if foreign and not as_json:
        note = f"{folder / 'dagster.yaml'} was not written by mlops, or changed since: it is kept as it is."
        Console(stderr=True).print(escape(note), soft_wrap=True)
    tell({"dagster_home": str(folder), "own_dagster_yaml": foreign}, as_json, str(folder))


def ui(
    host: Annotated[str | None, typer.Option(help="Where to listen; MLOPS_UI_HOST says the default.")] = None,
    port: Annotated[int | None, typer.Option(help="MLOPS_UI_PORT says the default.")] = None,
    daemon: Annotated[bool, typer.Option(help="Run the Dagster daemon beside it.")] = True,
    workspace: Annotated[Path | None, typer.Option(help="A workspace.yaml instead of this package's code.")] = None,
) -> None:
    """Serve the Dagster UI behind a guard of host, origin, token or proxy, and roles; stop with Ctrl-C."""
    from mlops_assets.webserver.face import Doors, serve

    settings = Settings()
    doors = Doors(host or settings.ui_host, port or settings.ui_port, daemon, workspace)
    console.print(f"Dagster UI on http://{doors.host}:{doors.port}", soft_wrap=True)
    serve(settings, doors)


def daemon(
    workspace: Annotated[Path | None, typer.Option(help="A workspace.yaml instead of this package's code.")] = None,
) -> None:
    """Run the Dagster daemon (schedules, sensors, the queue of runs), logging as MLOPS_LOG_… say; stop with Ctrl-C."""
    from mlops_assets.automation.daemon import run_daemon

    run_daemon(Settings(), workspace)
