"""The process of a run: who it is, and whether it still lives."""

import contextlib
import json
import os
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import dagster as dg

BEAT = 10
"""Seconds between two signs of life of a run."""
LOST = 45
"""Seconds without one after which a run on another host counts as dead."""
CLOCK_TICK = 2
"""Seconds by which two readings of one process's start may differ: the kernel rounds the time of its boot."""


@dataclass(frozen=True)
class RunProcess:
    """One process, told apart from a later one that got the same number."""

    host: str
    pid: int
    started: float
    """Seconds after the boot, which no change of the clock moves."""

    @classmethod
    def current(cls) -> Self:
        """This process."""
        return cls(_host(), os.getpid(), _started(os.getpid()))

    @classmethod
    def parsed(cls, text: str) -> Self:
        """The process that ``str`` has written down."""
        return cls(**json.loads(text))

    @property
    def is_here(self) -> bool:
        """Whether this process can see it."""
        return self.host == _host()

    @property
    def is_running(self) -> bool:
        """Whether it still lives; asked where ``is_here`` holds."""
        import psutil

        try:
            if psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE:
                return False
            return abs(_started(self.pid) - self.started) <= CLOCK_TICK
        except psutil.NoSuchProcess:
            return False

    def __str__(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class SignOfLife:
    """The last one that a run gave."""

    process: RunProcess
    at: float
    """Seconds since the epoch, by the clock of its host."""


def give_sign(instance: dg.DagsterInstance, run_id: str, process: RunProcess) -> None:
    """Write down that ``process`` executes the run now.

    A row of its own: tags are written together with the whole run, so two writers of tags lose one another's.
    """
    text = json.dumps({"process": asdict(process), "at": time.time()})
    instance.run_storage.set_cursor_values({_key(run_id): text})


def last_sign(instance: dg.DagsterInstance, run_id: str) -> SignOfLife | None:
    """What ``give_sign`` wrote last; None for a run that has not begun to execute."""
    text = instance.run_storage.get_cursor_values({_key(run_id)}).get(_key(run_id))
    if text is None:
        return None
    sign = json.loads(text)
    return SignOfLife(RunProcess(**sign["process"]), sign["at"])


def _key(run_id: str) -> str:
    return f"mlops/run/{run_id}"


def _started(pid: int) -> float:
    import psutil

    return psutil.Process(pid).create_time() - psutil.boot_time()


def _host() -> str:
    """This host since its boot, and the namespace of its process numbers: two containers may share a name."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):  # there only on Linux
        parts.append(os.readlink("/proc/self/ns/pid"))
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
    return " ".join(parts)
