"""The set-up of docs/postgres_s3.md: its blocks of commands, and the servers that they are about."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mlops_assets.dataset.files import read_bytes
from mlops_assets_tests.conftest import REPOSITORY
from mlops_assets_tests.login_proxy import login_required
from mlops_assets_tests.postgres import PORT, Postgres
from mlops_assets_tests.processes import Server, free_port, serving
from mlops_assets_tests.seaweed import ObjectStore

PAGE = REPOSITORY / "docs" / "postgres_s3.md"
SECRETS = {
    "mlflow": "planted/mlflow+1",
    "database": "planted/database+2",
    "storage": "planted-storage-3",
}
"""What no store, log, report or answer may show."""
BUCKET = "mlops"


def blocks(heading: str) -> list[str]:
    """The commands below a heading of the page."""
    section = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (text,) = (part for part in section if part.startswith(f"{heading}\n"))
    return re.findall(r"^```bash\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def names(settings: str) -> list[str]:
    """The variables that a block of settings exports."""
    return re.findall(r"^export (\w+)=", settings, re.MULTILINE)


@dataclass
class Production:
    """Everything that the page needs, running; commands are those of the environment ``bin``."""

    folder: Path
    bin: Path
    store: ObjectStore
    postgres: Postgres
    mlflow_port: int
    mlflow_uri: str
    """With its login."""
    printed: list[str] = field(default_factory=list)
    """What the commands have told so far."""

    @classmethod
    @contextmanager
    def running(cls, folder: Path, bin: Path) -> "Iterator[Production]":
        """PostgreSQL, S3 and the login before MLflow; MLflow itself is started by ``mlflow``."""
        (folder / "s3").mkdir()
        (folder / "work").mkdir()
        port, password = free_port(), SECRETS["mlflow"].replace("/", "%2F").replace("+", "%2B")
        with ExitStack() as stack:
            store = stack.enter_context(ObjectStore.running(folder / "s3", "platform", SECRETS["storage"]))
            store.make_bucket(BUCKET)
            postgres = stack.enter_context(Postgres.running())
            address = stack.enter_context(login_required(port, "ada", SECRETS["mlflow"]))
            login = address.replace("http://", f"http://ada:{password}@")
            yield cls(folder, bin, store, postgres, port, login)

    @contextmanager
    def mlflow(self) -> Iterator[Server]:
        """MLflow's server, started as the page says."""
        settings, command = blocks("The MLflow server")
        own = {name: self.server_settings[name] for name in names(settings)} | {"PATH": _path(self.bin)}
        words = ["bash", "-euo", "pipefail", "-c", command]
        quick = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        uri = f"http://127.0.0.1:{self.mlflow_port}"
        with serving(words, uri, "/health", self.folder / "mlflow.log", **own, **quick) as server:
            yield server

    @property
    def server_settings(self) -> dict[str, str]:
        return {
            "MLFLOW_BACKEND_STORE_URI": self.database("mlflow"),
            "MLFLOW_PORT": str(self.mlflow_port),
            **self.store.environment,
        }

    @property
    def settings(self) -> dict[str, str]:
        """The variables that the page sets on the machines of the platform."""
        options = {"AWS_ALLOW_HTTP": "true", **self.store.environment}
        return {
            "MLOPS_ENV": "staging",
            "DAGSTER_HOME": str(self.folder / "home"),
            "MLOPS_STORAGE": f"s3://{BUCKET}/lake",
            "MLOPS_STORAGE_OPTIONS": json.dumps(options),
            "MLOPS_DATABASE_URL": self.database("records"),
            "MLOPS_DAGSTER_POSTGRES_URL": self.database("dagster"),
            "MLFLOW_TRACKING_URI": self.mlflow_uri,
        }

    def start(self, commands: str, **more: str) -> subprocess.Popen[str]:
        """Run a block of the page as a person would, outside every clone."""
        return subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=self.folder / "work",
            env=self._environment(more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, commands: str, **more: str) -> str:
        """What the commands print; they must succeed."""
        process = self.start(commands, **more)
        try:
            printed, _ = process.communicate(timeout=600)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        assert process.returncode == 0, printed
        self.printed.append(printed)
        return printed

    def objects(self) -> dict[str, bytes]:
        """Everything in the bucket, by its name."""
        bucket = self.store.filesystem()
        return {name: read_bytes(bucket, name) for name in bucket.find(BUCKET) if name.strip("/") != BUCKET}

    def database(self, name: str) -> str:
        """The URL of a database, with a password."""
        password = SECRETS["database"].replace("/", "%2F").replace("+", "%2B")
        return f"postgresql+psycopg2://postgres:{password}@/{name}?host={self.postgres.folder}&port={PORT}"

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        unrelated = ("MLOPS_", "MLFLOW_", "AWS_", "DAGSTER_", "PYTHONPATH", "VIRTUAL_ENV")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(unrelated)}
        binaries = {"PGHOST": str(self.postgres.folder), "PGPORT": str(PORT), "PGUSER": "postgres"}
        quick = {"MLOPS_EXECUTOR": "in_process", "MLFLOW_DISABLE_TELEMETRY": "true", "COLUMNS": "200"}
        return {**kept, **binaries, **quick, **self.settings, "PATH": _path(self.bin, self.postgres.binaries), **more}


def _path(*folders: Path) -> str:
    return ":".join([*map(str, folders), os.environ["PATH"]])
