"""The Dagster side of ``mlops ui``: code servers, the daemon, and Dagster's webserver behind the guard."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
import uvicorn
import yaml
from dagster._cli.proxy_server_manager import ProxyServerManager
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget, WorkspaceFileTarget, WorkspaceLoadTarget
from dagster_shared.ipc import get_ipc_shutdown_pipe, open_ipc_subprocess, send_ipc_shutdown_message
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.version import __version__

from mlops_assets.automation.attribution import attributing_instance
from mlops_assets.automation.daemon import BESIDE
from mlops_assets.errors import MlopsError
from mlops_assets.resources.instance import prepare_instance
from mlops_assets.settings import Settings
from mlops_assets.webserver.decisions import DecisionDesk
from mlops_assets.webserver.guard import Guard
from mlops_assets.webserver.identity import Doorkeeper

CODE = "mlops_assets.definitions"
STATEMENT_MS, RECYCLE_SECONDS, OVERFLOW, POLL_MS = 15_000, 3_600, 20, 2_000
"""As ``dagster-webserver`` sets them by default."""
MOST_FRAME_BYTES = 4 * 1024**2
PATIENCE = 30


@dataclass(frozen=True)
class Doors:
    """Where to listen, and what to run beside the webserver."""

    host: str
    port: int
    daemon: bool
    workspace: Path | None = None
    """A ``workspace.yaml``; without one the code location of this package."""


def serve(settings: Settings, doors: Doors) -> None:
    """Run Dagster's UI behind the guard until SIGINT or SIGTERM.

    Raises:
        MlopsError: if others could reach it unasked, or if it or the daemon ends by itself.
    """
    doorkeeper = Doorkeeper.of(settings, doors.host)
    home = os.environ["DAGSTER_HOME"] = str(prepare_instance(settings))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        with attributing_instance(home) as instance, _code_servers(instance, doors) as workspace:
            instance.optimize_for_webserver(STATEMENT_MS, RECYCLE_SECONDS, OVERFLOW)
            with _webserver(settings, doors, doorkeeper, instance, workspace) as server:
                _run(server, workspace if doors.daemon else None)
    except KeyboardInterrupt:
        return


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def _code_servers(instance: dg.DagsterInstance, doors: Doors) -> Iterator[str]:
    """A workspace file that leads webserver and daemon to the same code servers, as in ``dagster dev``."""
    target: WorkspaceLoadTarget = (
        WorkspaceFileTarget([str(doors.workspace)])
        if doors.workspace
        else ModuleTarget(CODE, attribute=None, working_directory=os.getcwd(), location_name="mlops_assets")
    )
    with (
        ProxyServerManager(instance, target, code_server_log_level="warning") as servers,
        TemporaryDirectory() as folder,
    ):
        workspace = Path(folder) / "workspace.yaml"
        workspace.write_text(yaml.safe_dump({"load_from": servers.get_code_server_specs()}), encoding="utf-8")
        yield str(workspace)


@contextmanager
def _webserver(
    settings: Settings, doors: Doors, doorkeeper: Doorkeeper, instance: dg.DagsterInstance, workspace: str
) -> Iterator[uvicorn.Server]:
    target = WorkspaceFileTarget([workspace])
    with WorkspaceProcessContext(instance, target, version=__version__, code_server_log_level="warning") as context:
        app = create_app_from_workspace_process_context(context, live_data_poll_rate=POLL_MS)
        hosts = {host.lower() for host in settings.ui_allowed_hosts}
        guard = Guard(app, doorkeeper, hosts, DecisionDesk(settings))
        # Who asks is the peer of the connection: uvicorn would believe X-Forwarded-For of anyone on this machine.
        config = uvicorn.Config(
            guard,
            host=doors.host,
            port=doors.port,
            log_level="warning",
            proxy_headers=False,
            server_header=False,
            lifespan="off",
            ws_max_size=MOST_FRAME_BYTES,
            timeout_graceful_shutdown=5,
        )
        yield uvicorn.Server(config)


def _run(server: uvicorn.Server, workspace: str | None) -> None:
    if workspace is None:
        _listen(server)
        return
    with _daemon(workspace, server) as daemon:
        _listen(server)
        if daemon.poll() is not None:
            raise MlopsError(f"the Dagster daemon ended with code {daemon.returncode}. Remedy: see its log above")


def _listen(server: uvicorn.Server) -> None:
    try:
        server.run()
    except SystemExit as error:
        address = f"{server.config.host}:{server.config.port}"
        raise MlopsError(f"cannot listen on {address}, see above. Remedy: another --host or --port") from error


@contextmanager
def _daemon(workspace: str, server: uvicorn.Server) -> Iterator["subprocess.Popen[bytes]"]:
    """The daemon beside the webserver: one ends with the other."""
    reading, writing = get_ipc_shutdown_pipe()
    program = [sys.executable, "-m", "mlops_assets.automation.daemon", BESIDE, str(os.getpid())]
    command = [*program, "run", "--workspace", workspace]
    daemon = open_ipc_subprocess([*command, "--shutdown-pipe", str(reading)], pass_fds=[reading])

    def follow() -> None:
        daemon.wait()
        server.should_exit = True

    threading.Thread(target=follow, daemon=True).start()
    try:
        yield daemon
    finally:
        if daemon.poll() is None:
            send_ipc_shutdown_message(writing)
        try:
            daemon.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            daemon.kill()
