"""The daemon beside ``mlops ui`` does not go on alone."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from mlops_assets.automation.daemon import BESIDE, PATIENCE

BEGIN = f"""
import os, subprocess, sys
daemon = [sys.executable, "-m", "mlops_assets.automation.daemon", "{BESIDE}", str(os.getpid()), "run"]
print(subprocess.Popen([*daemon, "--workspace", sys.argv[1]], stderr=sys.stderr).pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_a_killed_ui_leaves_no_daemon_behind(tmp_path: Path):
    workspace, said = tmp_path / "workspace.yaml", tmp_path / "said"
    workspace.write_text("load_from: []")
    settings = {"DAGSTER_HOME": str(tmp_path), "MLOPS_LOG_LEVEL": "INFO"}
    with (
        said.open("w") as log,
        subprocess.Popen(
            [sys.executable, "-c", BEGIN, str(workspace)],
            env={**os.environ, **settings},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        ) as ui,
    ):
        assert ui.stdout is not None
        daemon = psutil.Process(int(ui.stdout.readline()))
        try:
            until = time.monotonic() + 60
            while "QueuedRunCoordinatorDaemon" not in said.read_text() and time.monotonic() < until:
                assert daemon.is_running(), said.read_text()
                time.sleep(0.2)
            assert "QueuedRunCoordinatorDaemon" in said.read_text()
            ui.kill()
            psutil.wait_procs([daemon], PATIENCE)
            assert not daemon.is_running(), said.read_text()
        finally:
            ui.kill()
            if daemon.is_running():
                daemon.kill()
