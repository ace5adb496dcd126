"""Homes of earlier releases: they open, verify, and their champion serves, is challenged and comes back."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mlops_assets.cli import app
from mlops_assets.evaluation.report.html import render
from mlops_assets.evaluation.report.report import Report
from mlops_assets.evaluation.report.report_format import read_report
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.registry.ledger import Ledger
from mlops_assets_tests.conftest import REPOSITORY
from mlops_assets_tests.platform import Platform
from mlops_assets_tests.wine import WINE, land_again, state

MAKE_A_HOME = """
import os, sys
from functools import partial
import dagster as dg
import mlops_assets
from mlops_assets import definitions, system
from mlops_assets.dataset.landing import land_sample
from mlops_assets.declaration import SHIPPED, find_system
from mlops_assets.settings import Settings

assert mlops_assets.__file__.startswith(os.getcwd()), "another release than that of the commit"
settings, wine = Settings(), find_system("wine_quality", [SHIPPED])
land_sample(settings.open_storage(), wine)
# 275bc21 hands no predecessors to its evaluation: its own build_system cannot build it.
first = (partial(stage, predecessors=lambda *_: []) if stage is system.evaluation_asset else stage
         for stage in system.STAGES)
result = dg.materialize([stage(wine) for stage in first], resources=definitions.resources(settings))
sys.exit(0 if result.success else 1)
"""
"""Run by the code of the commit, where ``mlops`` may not be there yet."""
REWORDED = {"no gate asks for less than of a champion: there was none": "there was no champion before this model"}
"""Reasons of 275bc21 that later releases put into other words."""


@pytest.mark.slow
@pytest.mark.parametrize("commit", ["275bc21", pytest.param("2a6e69b", marks=pytest.mark.soak("homes"))])
def test_a_home_of_an_earlier_release_goes_on(commit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    home = tmp_path / "home"
    with code_of(commit, tmp_path / "code") as code:
        make_home(code, home)
    monkeypatch.setenv("DAGSTER_HOME", str(home))

    opens_and_verifies()
    assert state(home).champion == 1
    gives_the_same_page(home, tmp_path)
    is_challenged_and_comes_back(home)


def opens_and_verifies() -> None:
    """Every command that looks at a home reads this one, and finds nothing changed."""
    assert told("report", WINE)["champion"]["champion"] == 1
    assert {finding["ok"] for finding in told("verify", WINE)["findings"]} == {True}
    assert told("ledger", "verify")["ok"]
    assert [version["version"] for version in told("versions", WINE)["versions"]] == [1]
    assert told("card", WINE)["champion"] is True
    assert [generation["version"] for generation in told("history", WINE)["generations"]] == [1]
    assert told("why", WINE)["changed"] is True


def gives_the_same_page(home: Path, folder: Path) -> None:
    """The old report makes the page that a report of this release on the same model and rows makes.

    Only the sentences that a gate wrote into the report then stay as they were.
    """
    here = Platform(home)
    assert here.run(wine(), "evaluation").success
    old, new = (stored_report(here, record, folder) for record in here.storage.records.history(EvaluationReport, WINE))
    digest = "0" * 64
    page = render(old, digest)
    for then, now in REWORDED.items():
        page = page.replace(then, now)
    assert page == render(new, digest)


def is_challenged_and_comes_back(home: Path) -> None:
    """Rows that land now give a version that is compared with the old champion; after it the old one is put back."""
    land_again(home)
    assert Platform(home).run(wine()).success
    compared = Ledger(Platform(home).storage.records).latest(WINE, "verdict", version=2)
    assert compared and compared.previous == 1 and compared.details["comparison"]["rows"] > 0
    if state(home).champion == 1:
        told("approve", WINE, "2", "--reason", "it knows more wines", "--override")
    assert state(home).champion == 2
    assert told("rollback", WINE, "--reason", "the older one was liked better")["version"] == 1
    assert state(home).champion == 1


def told(*command: str) -> Any:
    """What ``mlops`` says, as JSON."""
    result = CliRunner().invoke(app, [*command, "--json"])
    assert result.exit_code == 0, (command, result.output, result.exception)
    return json.loads(result.stdout)


def wine():
    from mlops_assets.declaration.reading import SHIPPED, find_system

    return find_system(WINE, [SHIPPED])


def stored_report(here: Platform, record: EvaluationReport, folder: Path) -> Report:
    return read_report(here.tracking.fetch(record.report_uri, folder / record.mlflow_run_id).read_bytes())


def make_home(code: Path, home: Path) -> None:
    """A home with a champion, made by the release in the folder ``code``."""
    home.mkdir()
    environment = {**os.environ, "DAGSTER_HOME": str(home), "PYTHONPATH": str(code)}
    made = subprocess.run(
        [sys.executable, "-c", MAKE_A_HOME], cwd=code, env=environment, capture_output=True, text=True, timeout=300
    )
    assert made.returncode == 0, made.stderr[-4000:]


@contextmanager
def code_of(commit: str, folder: Path) -> Iterator[Path]:
    """The files of ``commit``; the test is skipped where the checkout does not know it."""
    if git("cat-file", "-e", f"{commit}^{{commit}}").returncode:
        pytest.skip(f"commit {commit} is not in this checkout, which is shallow or no clone; fetch the whole history")
    added = git("worktree", "add", "--detach", str(folder), commit)
    assert added.returncode == 0, added.stderr
    try:
        yield folder
    finally:
        git("worktree", "remove", "--force", str(folder))


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(REPOSITORY), *arguments], capture_output=True, text=True)
