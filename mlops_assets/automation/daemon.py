"""The Dagster daemon, logging as the platform does: ``python -m mlops_assets.automation.daemon run …``.

Dagster's own ``dagster-daemon`` is the same program, which logs in its own format and to no file.
"""

import os
import sys
from pathlib import Path

from dagster._daemon.cli import cli

from mlops_assets.logs.configuration import configure_logging
from mlops_assets.resources.instance import prepare_instance
from mlops_assets.settings import Settings


def run_daemon(settings: Settings, workspace: Path | None = None) -> None:
    """Run schedules, sensors and the queue until SIGINT or SIGTERM; by default for this package's code."""
    os.environ["DAGSTER_HOME"] = str(prepare_instance(settings))
    code = ["--workspace", str(workspace)] if workspace else ["--module-name", "mlops_assets.definitions"]
    cli(["run", *code], standalone_mode=False)


if __name__ == "__main__":
    configure_logging(Settings())
    cli(sys.argv[1:])
