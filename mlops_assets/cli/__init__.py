"""The ``mlops`` command."""

import logging
import sys
import time

from pydantic import ValidationError
from pydantic_settings import SettingsError

from mlops_assets.cli import history, installation, lifecycle, new, promotion, verification, versions
from mlops_assets.cli.app import app, complain
from mlops_assets.cli.exit_code import ExitCode, code_of
from mlops_assets.errors import MlopsError
from mlops_assets.logs.subject import own_subject
from mlops_assets.resources.redaction import redacting
from mlops_assets.settings import wrong_setting

__all__ = ["app", "main"]

logger = logging.getLogger(__name__)

COMMANDS = (
    new.new,
    *(lifecycle.land, lifecycle.run, lifecycle.report),
    *(promotion.approve, promotion.decline, promotion.rollback, promotion.archive, promotion.aliases),
    *(versions.versions, versions.compare),
    *(history.history, history.why, history.trace),
    *(verification.card, verification.verify, verification.sign),
    *(installation.doctor, installation.instance, installation.ui, installation.daemon),
)
"""In the order in which ``mlops --help`` lists them."""

for command in COMMANDS:
    app.command()(command)
app.add_typer(verification.ledger, name="ledger")


def main() -> None:
    """Run the command; an error is one message and an exit code, and one nobody raised on purpose is logged whole."""
    began = time.monotonic()
    with own_subject():
        try:
            _run()
        except SystemExit as end:
            logger.info("ended with %s after %.1f s", end.code or 0, time.monotonic() - began)
            raise


def _run() -> None:
    try:
        with redacting():
            app()
    except MlopsError as error:
        complain(f"{type(error).__name__}: {error}")
        sys.exit(code_of(error))
    except Exception as error:
        if isinstance(error, ValidationError | SettingsError) and (wrong := wrong_setting(error)):
            complain(wrong)
            sys.exit(ExitCode.USAGE)
        logger.error("nobody raised this on purpose", exc_info=error)
        complain(f"{type(error).__name__}: {error}")
        sys.exit(ExitCode.ERROR)
