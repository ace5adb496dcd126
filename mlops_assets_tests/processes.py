"""Servers of the tests' own as processes: on a free port of the loopback address, waited for, always ended."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

PATIENCE = 120
"""Seconds that a server may take to answer for the first time."""


@dataclass(frozen=True)
class Server:
    """A server in a process group of its own."""

    uri: str
    group: int

    def kill(self) -> None:
        """End it and everything it started, as ``kill -9`` does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.group, signal.SIGKILL)


@contextmanager
def serving(words: Sequence[str], uri: str, health: str, log: Path, **environment: str) -> Iterator[Server]:
    """Start ``words``, wait until ``health`` answers below ``uri``, and end the process group afterwards."""
    with log.open("a") as kept:
        process = subprocess.Popen(
            list(words), env={**os.environ, **environment}, start_new_session=True, stdout=kept, stderr=kept
        )
    server = Server(uri, process.pid)
    try:
        _wait(f"{uri}{health}", process, log)
        yield server
    finally:
        server.kill()
        process.wait()


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait(url: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            requests.get(url, timeout=5).raise_for_status()
            return
        except requests.RequestException:
            assert process.poll() is None, log.read_text()[-4000:]
            assert time.monotonic() < deadline, log.read_text()[-4000:]
            time.sleep(0.1)
