"""Processes of their own that run the platform, meet one another, and can be stopped at a chosen moment."""

import contextlib
import functools
import itertools
import multiprocessing
import os
import pkgutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mlops_assets_tests.conftest import REPOSITORY

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        *("mlflow.sklearn", "mlflow.store.tracking.sqlalchemy_store", "mlflow.store.model_registry.sqlalchemy_store"),
        *("alembic", "git", "sklearn.ensemble", "skl2onnx", "mlops_assets_tests.preloaded", "mlops_assets_tests.wine"),
    ]
)
PATIENCE = 120
"""Seconds that a process may take."""

EXPORTED_BY_MLFLOW = {"MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"}


def die() -> None:
    """End this process as ``kill -9`` does."""
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Moment:
    """Entering or leaving a function; ``call`` counts from one."""

    when: Literal["entering", "leaving"]
    function: Callable[..., Any]
    call: int = 1
    used_in: str = ""
    """The module that imported the function by name and calls it; where it is defined, if not given."""

    @property
    def name(self) -> str:
        """``module:attribute``, where callers look the function up."""
        return f"{self.used_in or self.function.__module__}:{self.function.__qualname__}"

    def interrupt(self, act: Callable[[], None] = die) -> None:
        """Do ``act`` in this process when the moment comes."""
        module, _, path = self.name.partition(":")
        owners, _, name = path.rpartition(".")
        owner, original = pkgutil.resolve_name(f"{module}:{owners}"), self.function
        calls = itertools.count(1)

        @functools.wraps(original)
        def interrupted(*args: Any, **options: Any) -> Any:
            now = next(calls) == self.call
            if now and self.when == "entering":
                act()
            result = original(*args, **options)
            if now and self.when == "leaving":
                act()
            return result

        setattr(owner, name, interrupted)


class Killed(Exception):
    """The process ended by a signal and told nothing."""


class Child:
    """A task in a process of its own."""

    def __init__(self, task: Callable[..., Any], *args: Any, log: Path, **options: Any) -> None:
        self._pipe, theirs = CONTEXT.Pipe(duplex=False)
        self._process = CONTEXT.Process(target=_work, args=(theirs, log, task, args, options))
        self._process.start()
        theirs.close()
        self.log = log

    def result(self) -> Any:
        """What the task returned.

        Raises:
            Killed: if the process was killed.
        """
        try:
            if not self._pipe.poll(PATIENCE):
                self._process.kill()
                raise AssertionError(f"the process did not end in {PATIENCE} s; log: {self.log}")
            ok, told = self._pipe.recv()
        except EOFError:
            self._process.join()
            if self._process.exitcode == -signal.SIGKILL:
                raise Killed from None
            raise AssertionError(f"exit code {self._process.exitcode}; log: {self.log}") from None
        self._process.join()
        assert ok, told
        return told


def command(environment: dict[str, str], module: str, *words: str) -> subprocess.CompletedProcess[str]:
    """``python -m module words`` in this environment."""
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        env=environment_with(**environment),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=5 * PATIENCE,
    )


def environment_with(**variables: str) -> dict[str, str]:
    """This process's environment with ``variables``, and without the tracking URI that MLflow exports of itself."""
    inherited = {name: value for name, value in os.environ.items() if name not in EXPORTED_BY_MLFLOW}
    return {**inherited, **variables}


def _work(pipe: Any, log: Path, task: Callable[..., Any], args: tuple, options: dict[str, Any]) -> None:
    moment, act = options.pop("moment", None), options.pop("act", die)
    with log.open("a", encoding="utf-8") as told, contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        try:
            if moment is not None:
                moment.interrupt(act)
            pipe.send((True, task(*args, **options)))
        except BaseException:
            pipe.send((False, traceback.format_exc()))


if __name__ == "__main__":  # python -m mlops_assets_tests.crash entering module:function job execute …
    Moment(sys.argv[1], pkgutil.resolve_name(sys.argv[2])).interrupt()  # pyright: ignore[reportArgumentType]
    from dagster._cli import main

    sys.argv[1:3] = []
    main()
