"""The ``mlops`` command."""

import sys

from rich.console import Console
from rich.markup import escape

from mlops_assets.cli import history, installation, lifecycle, new, promotion, verification, versions
from mlops_assets.cli.app import app
from mlops_assets.errors import MlopsError
from mlops_assets.resources.redaction import redacting

__all__ = ["app", "main"]

COMMANDS = (
    new.new,
    *(lifecycle.land, lifecycle.run, lifecycle.report),
    *(promotion.approve, promotion.decline, promotion.rollback, promotion.archive, promotion.aliases),
    *(versions.versions, versions.compare),
    *(history.history, history.why, history.trace),
    *(verification.card, verification.verify, verification.sign),
    *(installation.doctor, installation.instance, installation.ui),
)
"""In the order in which ``mlops --help`` lists them."""

for command in COMMANDS:
    app.command()(command)
app.add_typer(verification.ledger, name="ledger")


def main() -> None:
    """Run the command; an error that the platform raises on purpose is one message and exit code 1."""
    try:
        with redacting():
            app()
    except MlopsError as error:
        Console(stderr=True).print(f"[red]{escape(f'{type(error).__name__}: {error}')}[/]", soft_wrap=True)
        sys.exit(1)
