"""The Dagster daemon, logging as the platform does: ``python -m mlops_assets.automation.daemon run …``.

Dagster's own ``dagster-daemon`` is the same program, which logs in its own format and to no file.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

from dagster._daemon.cli import cli

from mlops_assets.logs.configuration import configure_logging
from mlops_assets.resources.instance import prepare_instance
from mlops_assets.settings import Settings

BESIDE = "--beside"
"""Option before ``run``: the number of the process that started the daemon, and without which it does not go on."""
LOOK, PATIENCE = 1, 30


def run_daemon(settings: Settings, workspace: Path | None = None) -> None:
    """Run schedules, sensors and the queue until SIGINT or SIGTERM; by default for this package's code."""
    os.environ["DAGSTER_HOME"] = str(prepare_instance(settings))
    code = ["--workspace", str(workspace)] if workspace else ["--module-name", "mlops_assets.definitions"]
    cli(["run", *code], standalone_mode=False)


def main(arguments: list[str]) -> None:
    """Dagster's own command, with :data:`BESIDE`."""
    if arguments[:1] == [BESIDE]:
        threading.Thread(target=_end_with, args=(int(arguments[1]),), daemon=True).start()
        arguments = arguments[2:]
    configure_logging(Settings())
    cli(arguments)


def _end_with(parent: int) -> None:
    """End as on Ctrl-C when ``parent`` has ended, however that was; then whatever the daemon does."""
    while os.getppid() == parent:
        time.sleep(LOOK)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(PATIENCE)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
