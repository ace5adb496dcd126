"""The ``mlops`` command."""

import sys

from rich.console import Console
from rich.markup import escape

from mlops_assets.cli import evidence, life, line, machine, new, story, versions  # noqa: F401  each registers its commands
from mlops_assets.cli.app import app
from mlops_assets.errors import MlopsError

__all__ = ["app", "main"]


def main() -> None:
    """Run the command; an error that the platform raises on purpose is one message and exit code 1."""
    try:
        app()
    except MlopsError as error:
        Console(stderr=True).print(f"[red]{escape(f'{type(error).__name__}: {error}')}[/]", soft_wrap=True)
        sys.exit(1)
