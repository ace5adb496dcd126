"""A PostgreSQL server of the tests' own: fresh, without a port, gone afterwards."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PORT = 5499
"""Only part of the socket's name: the server listens on no network."""


@dataclass(frozen=True)
class Postgres:
    """A running server that trusts everyone who reaches its socket."""

    binaries: Path
    folder: Path

    @classmethod
    @contextmanager
    def running(cls) -> "Iterator[Postgres]":
        """Start a server below a short path, as sockets need; skip the test where PostgreSQL is not installed."""
        server = cls(_binaries(), Path(tempfile.mkdtemp(prefix="pg")))
        try:
            if os.geteuid() == 0:
                shutil.chown(server.folder, "postgres")
            server._run("initdb", "-D", server._data, "-A", "trust", "-U", "postgres", "--no-sync")
            options = f"-k {server.folder} -c listen_addresses='' -p {PORT} -c fsync=off"
            server._run("pg_ctl", "-D", server._data, "-w", "-o", options, "-l", f"{server.folder}/log", "start")
            try:
                yield server
            finally:
                server._run("pg_ctl", "-D", server._data, "-w", "-m", "immediate", "stop")
        finally:
            shutil.rmtree(server.folder)

    def database(self, name: str) -> str:
        """The SQLAlchemy URL of a new, empty database."""
        self._run("createdb", "-h", str(self.folder), "-p", str(PORT), "-U", "postgres", name)
        return f"postgresql+psycopg2://postgres@/{name}?host={self.folder}&port={PORT}"

    def dump(self, name: str) -> str:
        """Everything that a database holds, as SQL."""
        return self._run("pg_dump", "-h", str(self.folder), "-p", str(PORT), "-U", "postgres", "--inserts", name)

    @property
    def _data(self) -> str:
        return f"{self.folder}/data"

    def _run(self, binary: str, *words: str) -> str:
        as_postgres = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        done = subprocess.run(
            [*as_postgres, str(self.binaries / binary), *words],
            cwd=self.folder,
            stdout=subprocess.PIPE if binary == "pg_dump" else subprocess.DEVNULL,  # a server keeps a pipe open
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{binary}: {done.stderr}"
        return done.stdout or ""


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        pytest.skip("no PostgreSQL server binaries in /usr/lib/postgresql")
    return found[-1].parent
