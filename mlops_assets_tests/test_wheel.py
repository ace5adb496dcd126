"""The installed wheel runs outside every clone, with what its metadata asks for, and without torch."""

import json
import os
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
from packaging.requirements import Requirement

from mlops_assets_tests.shell import Answer
from mlops_assets_tests.test_ui import answers, ask, free_port, wait_for
from mlops_assets_tests.wheel import REPOSITORY, Installed, build, site_packages

SHIPPED_SYSTEMS = ("wine_quality", "music_therapy", "house_prices")
JOBS = """query Jobs {
  workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError { __typename
    ... on RepositoryLocation { repositories { jobs { name } } } ... on PythonError { message } } } } }
}"""
ORIGINS = """
import importlib, pkgutil, sys
import mlops_assets
skipped = ("__main__", ".env")
for module in pkgutil.walk_packages(mlops_assets.__path__, "mlops_assets."):
    if not module.name.endswith(skipped) and ".migrations.versions." not in module.name:
        importlib.import_module(module.name)
files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
print("\\n".join([*filter(None, files), *sys.path]))
"""
"""Imports every module of the platform and prints where everything that is imported came from."""


@dataclass(frozen=True)
class Person:
    """Somebody with the wheel, a folder, a table of customers, and no clone."""

    wheel: Installed
    folder: Path

    def __post_init__(self) -> None:
        write_customers(self.folder / "customers.csv")

    @property
    def home(self) -> dict[str, str]:
        return {"DAGSTER_HOME": str(self.folder / "home")}

    def does(self, *words: str) -> Answer:
        """What a command that ends well prints."""
        answer = self.wheel.run(self.folder, *words, environment=self.home)
        assert answer.returncode == 0, f"{answer.stdout}\n{answer.stderr[-3000:]}"
        return answer

    def document(self, *words: str) -> Any:
        """The JSON document that ``mlops`` prints."""
        return json.loads(self.does("mlops", *words, "--json").stdout)

    def drafts_and_runs(self) -> None:
        """From a CSV file to a champion by two commands; then everything is as it should be."""
        self.does("mlops", "new", "churn", "--data", "customers.csv", "--target", "good")
        self.does("mlops", "run", "churn")
        assert self.document("report", "churn")["champion"]["champion"] == 1
        subjects = {finding["subject"] for finding in self.document("doctor")["findings"]}
        assert subjects >= {"churn", "wine_quality", "dagster", "storage"}

    def executes(self, *systems: str) -> None:
        """The sample of every system becomes its champion by ``dagster job execute``."""
        for system in systems:
            self.does("mlops", "land", system)
            self.does("dagster", "job", "execute", "-m", "mlops_assets.definitions", "-j", f"{system}_lifecycle")
            assert self.document("report", system)["champion"]["champion"] == 1

    def looks(self) -> None:
        """``dagster dev`` shows what ships and what was drafted."""
        with served(self) as address:
            (entry,) = ask(address, JOBS)["workspaceOrError"]["locationEntries"]
        (repository,) = entry["locationOrLoadError"]["repositories"]
        jobs = {job["name"] for job in repository["jobs"]}
        assert {f"{system}_lifecycle" for system in ("churn", *SHIPPED_SYSTEMS)} <= jobs


def write_customers(path: Path) -> None:
    """A table whose target needs more than a constant guess."""
    random = np.random.default_rng(1)
    values = random.normal(size=(800, 4))
    good = values[:, 0] + values[:, 1] * values[:, 2] + random.normal(size=800) > 0
    table = pd.DataFrame({name: values[:, place].round(4) for place, name in enumerate("abcd")})
    table["good"] = np.where(good, "yes", "no")
    table.to_csv(path, index=False)


@contextmanager
def served(person: Person) -> Iterator[str]:
    """The address of ``dagster dev``, started outside every clone."""
    port = free_port()
    words = [person.wheel.env / "bin" / "dagster", "dev", "-m", "mlops_assets.definitions", "-p", str(port)]
    environment = person.wheel.environ(person.home)
    with (person.folder / "ui.log").open("w") as log:
        ui = subprocess.Popen(words, cwd=person.folder, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            wait_for(lambda: answers(port), 90)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(ui.pid, signal.SIGTERM)
            ui.wait(30)


def test_the_wheel_holds_every_file_of_the_package(wheel: Installed):
    (archive,) = (wheel.env.parent / "dist").glob("*.whl")
    packed = {name for name in ZipFile(archive).namelist() if name.startswith("mlops_assets/")}
    here = (path for path in (REPOSITORY / "mlops_assets").rglob("*") if path.is_file() and path.suffix != ".pyc")
    assert packed == {str(path.relative_to(REPOSITORY)) for path in here}


def test_nothing_of_the_clone_is_used_and_no_torch_is_there(wheel: Installed, tmp_path: Path):
    imported = wheel.run(tmp_path, "python", "-c", ORIGINS)
    assert imported.returncode == 0, imported.stderr
    origins = imported.stdout.splitlines()
    assert str(wheel.env) in imported.stdout
    assert [origin for origin in origins if "mlops_assets" in origin and not origin.startswith(str(wheel.env))] == []
    assert [origin for origin in origins if Path(origin).is_relative_to(REPOSITORY / "mlops_assets")] == []
    assert "No module named 'torch'" in wheel.run(tmp_path, "python", "-c", "import torch").stderr


@pytest.mark.slow
def test_a_table_of_ones_own_becomes_a_champion_without_clone_and_without_torch(wheel: Installed, tmp_path: Path):
    Person(wheel, tmp_path).drafts_and_runs()


@pytest.mark.soak("wheel")
def test_every_shipped_system_runs_without_clone_and_without_torch(wheel: Installed, tmp_path: Path):
    Person(wheel, tmp_path).executes(*SHIPPED_SYSTEMS)


@pytest.mark.soak("wheel")
def test_an_empty_environment_needs_nothing_but_the_wheel(tmp_path: Path, record_property: Callable[..., None]):
    env, began = tmp_path / "env", time.monotonic()
    venv.create(env, symlinks=True, with_pip=True)
    empty = Installed(env)
    outside = tmp_path / "outside"
    outside.mkdir()
    locks = [str(REPOSITORY / "requirements.lock"), str(REPOSITORY / "torch.lock")]
    for words in (
        ["--no-deps", "--require-hashes", "-r", locks[0]],
        ["-r", locks[1]],
        ["--no-deps", str(build(tmp_path / "wheel"))],
    ):
        installed = empty.run(outside, "python", "-m", "pip", "install", "-q", *words, seconds=1800)
        assert installed.returncode == 0, installed.stderr[-3000:]
    record_property("seconds to install", f"{time.monotonic() - began:.0f}")
    packages = site_packages(env)
    record_property("MB installed", megabytes(packages))
    record_property("of which torch", sum(megabytes(folder) for folder in packages.glob("torch*")))
    person = Person(empty, outside)
    person.drafts_and_runs()
    person.executes("wine_quality")
    person.looks()


@pytest.mark.soak("wheel")
@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_every_pinned_library_has_a_wheel_for_later_pythons(
    version: str, tmp_path: Path, record_property: Callable[..., None]
):
    pins = pinned(version)
    asked = tmp_path / "pins.txt"
    asked.write_text("\n".join(sorted(pins)))
    words = ["-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "--python-version", version]
    command = [sys.executable, *words, "-r", str(asked), "-d", str(tmp_path / "wheels")]
    downloaded = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    assert downloaded.returncode == 0, downloaded.stderr[-3000:]
    found = len(list((tmp_path / "wheels").glob("*.whl")))
    assert found == len(pins)
    record_property("wheels", found)


def pinned(version: str) -> set[str]:
    """Every pin of the locks with hashes that this Python needs on this system."""
    locks = [(REPOSITORY / name).read_text() for name in ("requirements-dev.lock", "requirements-extras.lock")]
    lines = [line.rstrip("\\ ") for lock in locks for line in lock.splitlines() if "==" in line.partition(" ")[0]]
    python = {"python_version": version, "python_full_version": f"{version}.0"}
    needed = (each for each in map(Requirement, lines) if each.marker is None or each.marker.evaluate(python))
    return {f"{each.name}{each.specifier}" for each in needed}


@pytest.mark.parametrize("version", ["py311", "py312", "py313"])
def test_the_syntax_is_that_of_every_python_of_the_range(version: str):
    command = [sys.executable, "-m", "ruff", "check", "-q", "--select", "E9,F", "--target-version", version, "."]
    checked = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


def megabytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) // 1_000_000
