"""The installed wheel: an environment that holds it and what its metadata asks for, and nothing of this clone.

Its libraries are links to those that the tests run with, so it costs seconds. torch is left out on purpose: what runs
here runs where torch is absent, and what no one asks for is absent as well.
"""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest
from filelock import FileLock
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mlops_assets_tests.shell import Answer

REPOSITORY = Path(__file__).parents[1]
SOURCES = ("mlops_assets", "pyproject.toml", "README.md", "LICENSE")
EXTRAS = ("postgres", "s3")
"""What shared tests of the installed wheel need beside its base."""
ABSENT = frozenset({"torch", "mlops-assets"})
SCRIPTS = ("dagster", "mlflow")
"""Commands of the dependencies that people run beside ``mlops``."""


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel; its commands run in a folder outside every clone."""

    env: Path

    @property
    def python(self) -> Path:
        return self.env / "bin" / "python"

    def run(self, cwd: Path, *words: str, seconds: float = 600, environment: dict[str, str] | None = None) -> Answer:
        """A command of the environment, such as ``mlops`` or ``python``, as a person runs it in ``cwd``."""
        command = [str(self.env / "bin" / words[0]), *words[1:]]
        ended = subprocess.run(
            command, cwd=cwd, env=self.environ(environment or {}), capture_output=True, text=True, timeout=seconds
        )
        return Answer(ended.returncode, ended.stdout, ended.stderr)

    def environ(self, environment: dict[str, str]) -> dict[str, str]:
        """The variables of this process without those that lead back to the clone."""
        leading = {"PYTHONPATH", "MLOPS_SYSTEMS", "VIRTUAL_ENV", "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"}
        kept = {name: value for name, value in os.environ.items() if name not in leading}
        return {**kept, "PATH": f"{self.env / 'bin'}:{os.environ['PATH']}", "COLUMNS": "200", **environment}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Installed:
    """The wheel in an environment of its own, made once for all workers."""
    own = tmp_path_factory.getbasetemp()
    shared = own if worker_id == "master" else own.parent
    with FileLock(shared / "wheel.lock"):
        env, ready = shared / "wheel" / "env", shared / "wheel" / "ready"
        if not ready.exists():
            install(build(shared / "wheel"), env)
            ready.touch()
    return Installed(env)


def build(folder: Path) -> Path:
    """The wheel of this clone, built from a copy: a build leaves files beside its sources."""
    source = folder / "source"
    source.mkdir(parents=True)
    for name in SOURCES:
        here = REPOSITORY / name
        if here.is_dir():
            shutil.copytree(here, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(here, source / name)
    _pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(folder / "dist"), str(source))
    (made,) = (folder / "dist").glob("*.whl")
    return made


def install(wheel: Path, env: Path) -> None:
    """Make ``env`` with ``wheel`` and its dependencies."""
    venv.create(env, symlinks=True)
    _pip("--python", str(env / "bin" / "python"), "install", "--no-deps", "--no-index", str(wheel))
    packages = site_packages(env)
    (own,) = metadata.distributions(name="mlops-assets", path=[str(packages)])
    for dependency in closure(own, EXTRAS):
        _link(dependency, packages)
        _write_scripts(dependency, env)


def site_packages(env: Path) -> Path:
    return env / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"


def closure(root: metadata.Distribution, extras: Iterable[str]) -> list[metadata.Distribution]:
    """Every distribution that ``root`` with ``extras`` asks for, directly or not, except ``ABSENT``."""
    known: dict[tuple[str, str], metadata.Distribution] = {}
    waiting = list(_asked(root, extras))
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        new = [extra for extra in ("", *requirement.extras) if (name, extra) not in known]
        if name in ABSENT or not new:
            continue
        distribution = metadata.distribution(name)
        known |= {(name, extra): distribution for extra in new}
        waiting += _asked(distribution, new)
    return [distribution for (_, extra), distribution in known.items() if not extra]


def _asked(distribution: metadata.Distribution, extras: Iterable[str]) -> Iterator[Requirement]:
    for requirement in map(Requirement, distribution.requires or ()):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


def _link(distribution: metadata.Distribution, packages: Path) -> None:
    """Link the modules and the metadata of ``distribution``; its ``.pth`` files would lead elsewhere."""
    home = Path(str(distribution.locate_file("")))
    tops = {file.parts[0] for file in distribution.files or () if file.parts[0] != ".."}
    for top in tops - {"__pycache__"}:
        there, here = home / top, packages / top
        if there.suffix != ".pth" and there.exists() and not here.exists():
            here.symlink_to(there)


def _write_scripts(distribution: metadata.Distribution, env: Path) -> None:
    for entry in distribution.entry_points.select(group="console_scripts"):
        if entry.name in SCRIPTS:
            script = env / "bin" / entry.name
            call = f"import sys\nfrom {entry.module} import {entry.attr}\nsys.exit({entry.attr}())\n"
            script.write_text(f"#!{env / 'bin' / 'python'}\n{call}")
            script.chmod(0o755)


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""})
    assert ended.returncode == 0, ended.stderr
