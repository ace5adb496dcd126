"""The mlops command on a home of its own: in this process, or in one of its own as a person runs it."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.cli import main
from mlops_assets.cli.app import console
from mlops_assets_tests.platform import empty_mlflow

WIDTH = 200
INHERITED = {"MLOPS_SYSTEMS", "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"}
"""Variables that no command of a test inherits: MLflow exports the URI it was last given, that of another home."""


@dataclass(frozen=True)
class Answer:
    """What a command printed and how it ended."""

    returncode: int
    stdout: str
    stderr: str


class Shell:
    """Commands with the same environment; what the machine or an earlier command set does not count."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.environment = {"DAGSTER_HOME": str(home), "COLUMNS": str(WIDTH), **environment}

    @classmethod
    def with_mlflow(cls, home: Path) -> "Shell":
        """A home whose MLflow database is there already: making its schema takes longer than most commands."""
        home.mkdir()
        shutil.copy(empty_mlflow(), home / "mlflow.db")
        return cls(home)

    def mlops(self, *arguments: str) -> Answer:
        """Run the command in this process."""
        out, err, code = StringIO(), StringIO(), 0
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            self._enter(patch, arguments)
            try:
                main()
            except SystemExit as end:
                code = int(end.code or 0)
        return Answer(code, out.getvalue(), err.getvalue())

    def alone(self, *arguments: str) -> Answer:
        """Run the command in a process of its own."""
        environment = {**os.environ, **self.environment}
        for inherited in INHERITED - self.environment.keys():
            environment.pop(inherited, None)
        command = [sys.executable, "-m", "mlops_assets", *arguments]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
        return Answer(ended.returncode, ended.stdout, ended.stderr)

    def document(self, *arguments: str) -> Any:
        """The JSON document that the command prints."""
        return self._read(self.mlops(*arguments, "--json"))

    def document_alone(self, *arguments: str) -> Any:
        """The same, from a process of its own."""
        return self._read(self.alone(*arguments, "--json"))

    def _enter(self, patch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
        for inherited in INHERITED:
            patch.delenv(inherited, raising=False)
        for name, value in self.environment.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["mlops", *arguments])
        patch.setattr(console, "width", WIDTH)

    def _read(self, answer: Answer) -> Any:
        assert answer.stdout, answer.stderr
        return json.loads(answer.stdout)
