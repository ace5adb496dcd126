"""An MLflow server of the tests' own: ``mlflow server`` over HTTP."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlops_assets_tests.processes import Server, free_port, serving


@contextmanager
def mlflow_server(store: str, *options: str, log: Path, **environment: str) -> Iterator[Server]:
    """Serve the database ``store`` with further command-line ``options``."""
    port = free_port()
    words = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--backend-store-uri", store]
    place = ["--host", "127.0.0.1", "--port", str(port)]
    environment = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **environment}
    with serving([*words, *place, *options], f"http://127.0.0.1:{port}", "/health", log, **environment) as server:
        yield server
