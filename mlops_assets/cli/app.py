"""What all commands share: the application, where it prints, how it ends."""

import json
import logging
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from mlops_assets.cli.exit_code import ExitCode
from mlops_assets.declaration.reading import SHIPPED, find_system
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.logs.configuration import configure_logging
from mlops_assets.logs.subject import concerning
from mlops_assets.settings import Settings

if TYPE_CHECKING:
    from mlops_assets.registry.session import RegistrySession

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Asset-based MLOps: from a landed file to a promoted champion.",
)
System = Annotated[str, typer.Argument(help="Name of a declared system.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
console = Console(stderr=False)
logger = logging.getLogger(__name__)


@app.callback()
def _prepare(context: typer.Context) -> None:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    configure_logging(Settings())
    concerning(command=context.invoked_subcommand or "")


def opened(system: str) -> tuple[Settings, SystemSpec]:
    """The settings, and the declaration of ``system``."""
    concerning(system=system)
    settings = Settings()
    return settings, find_system(system, [SHIPPED, *settings.systems])


def session_of(system: str) -> "RegistrySession":
    """Registry and ledger of ``system``, in the name of whoever runs the command.

    Raises:
        TrackingError: if MLflow does not answer.
    """
    from mlops_assets.registry.session import RegistrySession
    from mlops_assets.resources.tracking import MlflowTracking

    settings, spec = opened(system)
    tracking = MlflowTracking(tracking_uri=settings.mlflow_uri, artifact_root=settings.mlflow_artifacts)
    tracking.ping()
    return RegistrySession(spec, settings.open_storage(), tracking, settings.who)


def tell(story: Mapping[str, object], as_json: bool, text: str | None = None) -> None:
    """Print ``story`` as JSON, or ``text``, or the story's message."""
    if as_json:
        sys.stdout.write(json.dumps(story, indent=2, default=str) + "\n")
        return
    console.print(escape(text if text is not None else str(story.get("message", story))), soft_wrap=True)


def complain(message: str) -> None:
    """Say what went wrong, on standard error, and log it."""
    if logger.hasHandlers():  # else logging itself would print it too
        logger.error(message, extra={"shown": True}, stacklevel=2)
    Console(stderr=True).print(f"[red]{escape(message)}[/]", soft_wrap=True)


def fail(message: str, code: ExitCode = ExitCode.ERROR) -> NoReturn:
    """Say ``message`` and exit."""
    complain(message)
    raise typer.Exit(code)
