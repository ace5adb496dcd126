"""Homes of earlier releases: they open, verify, and their champion serves, is challenged and comes back."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mlops_assets.cli import app
from mlops_assets.cli.exit_code import ExitCode
from mlops_assets.evaluation.diagnosis_catalogue import DIAGNOSES
from mlops_assets.evaluation.report.html import render
from mlops_assets.evaluation.report.report import Report
from mlops_assets.evaluation.report.report_format import read_report
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.storage.ledger import Ledger
from mlops_assets_tests.conftest import REPOSITORY
from mlops_assets_tests.platform import Platform, changed
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
READ_A_HOME = """
from mlops_assets.registry.version import RegisteredVersion
from mlops_assets.settings import Settings

print(Settings().open_storage().records.latest(RegisteredVersion, "wine_quality").version)
"""
NOTHING_LESS = "nothing asks for less than of champion version 1"
REWORDED = {
    "no gate asks for less than of a champion: there was none": NOTHING_LESS,
    "there was no champion before this model": NOTHING_LESS,
}
"""Reasons of earlier releases, and what is said of the same model under the terms of this one."""
ON_BASELINES = ("beats_baseline", "not_worse_than_linear")
LATER_METRICS = ("precision_weighted", "recall_weighted")
UNANCHORED = ("275bc21",)
"""Releases that noted the head of the ledger nowhere."""


@pytest.mark.slow
@pytest.mark.parametrize("commit", ["275bc21", pytest.param("2a6e69b", marks=pytest.mark.soak("homes"))])
def test_a_home_of_an_earlier_release_goes_on(commit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    home = tmp_path / "home"
    with code_of(commit, tmp_path / "code") as code:
        make_home(code, home)
        can_be_gone_back_to(code, home, tmp_path / "back")
    monkeypatch.setenv("DAGSTER_HOME", str(home))

    opens_and_verifies(anchored=commit not in UNANCHORED)
    assert state(home).champion == 1
    gives_the_same_page(home, tmp_path)
    keeps_its_evidence_beside_a_new_gate(home)
    is_challenged_and_comes_back(home)


def can_be_gone_back_to(code: Path, home: Path, back: Path) -> None:
    """This release migrates the database; the copy that it keeps, put in its place, is one that the old one reads."""
    assert not Platform(home).storage.records.fault(WINE)
    (kept,) = home.glob("platform.*.db")
    back.mkdir()
    shutil.copy(kept, back / "platform.db")
    assert by(code, back, READ_A_HOME).strip() == "1"


def opens_and_verifies(anchored: bool) -> None:
    """Every command that looks at a home reads this one, and finds nothing changed."""
    assert told("report", WINE)["champion"]["champion"] == 1
    verified = told("verify", WINE, ends=ExitCode.DONE if anchored else ExitCode.NOT_EVALUATED)["findings"]
    assert [finding["name"] for finding in verified if not finding["ok"]] == ([] if anchored else ["ledger"])
    assert told("ledger", "verify", ends=ExitCode.DONE if anchored else ExitCode.NOT_EVALUATED)["ok"] is anchored
    assert [version["version"] for version in told("versions", WINE)["versions"]] == [1]
    assert told("card", WINE)["champion"] is True
    assert [generation["version"] for generation in told("history", WINE)["generations"]] == [1]
    assert told("why", WINE)["changed"] is True


def gives_the_same_page(home: Path, folder: Path) -> None:
    """The old report makes the page that a report of this release on the same model and rows makes.

    Only the sentences that a gate wrote into the report then stay as they were; later gates are not there.
    """
    here = Platform(home)
    assert here.run(wine(), "evaluation").success
    records = here.storage.records.history(EvaluationReport, WINE)
    old, new = (comparable(stored_report(here, record, folder)) for record in records)
    digest = "0" * 64
    page, now_page = (re.sub(r"<svg.*?</svg>", "", render(each, digest), flags=re.DOTALL) for each in (old, new))
    for then, now in REWORDED.items():
        page = page.replace(then, now)
    assert page == now_page


def comparable(report: Report) -> Report:
    """Without verdicts on baselines, which say more today, later metrics and times, and intervals, made otherwise."""
    gates = [gate for gate in report.gates if gate.name not in ON_BASELINES]
    metrics = [metric for metric in report.metrics if metric.name not in LATER_METRICS]
    diagnoses = [diagnosis for diagnosis in report.diagnoses if not DIAGNOSES[diagnosis.name].timed]
    told_by_both = report.model_copy(update={"gates": gates, "metrics": metrics, "diagnoses": diagnoses, "notes": []})
    bare = without_intervals(json.loads(told_by_both.to_json()))
    return Report.model_validate(bare)


def without_intervals(value: Any) -> Any:
    if isinstance(value, dict) and {"keys", "rows"} <= set(value):
        shown = [key not in ("low", "high") for key in value["keys"]]
        rows = [[cell if show else None for cell, show in zip(row, shown, strict=True)] for row in value["rows"]]
        return {**value, "rows": rows}
    if isinstance(value, dict):
        return {key: None if key == "interval" else without_intervals(each) for key, each in value.items()}
    if isinstance(value, list):
        return [without_intervals(each) for each in value]
    return re.sub(r"\[-?[\d.,]+, -?[\d.,]+\]", "[…]", value) if isinstance(value, str) else value


def keeps_its_evidence_beside_a_new_gate(home: Path) -> None:
    """A run by this release, with one gate more, leaves version 1 whole: it rests on its own model and features."""
    gate = {"metric": "balanced_accuracy", "at_least": 0.7}
    gated = changed(wine(), evaluation={"gates": [*wine().evaluation.gates, gate]})
    assert Platform(home).run(gated).success
    assert [version["version"] for version in told("versions", WINE)["versions"]] == [1, 2]
    for version in ("1", "2"):
        assert {finding["ok"] for finding in told("verify", WINE, version)["findings"]} == {True}
    assert told("card", WINE, "1")["champion"] is True
    assert told("compare", WINE, "1", "2")


def is_challenged_and_comes_back(home: Path) -> None:
    """Rows that land now give a version that is compared with the old champion; after it the old one is put back."""
    land_again(home)
    assert Platform(home).run(wine()).success
    compared = Ledger(Platform(home).storage.records).latest(WINE, "verdict", version=3)
    assert compared and compared.previous == 1 and compared.details["comparison"]["rows"] > 0
    if state(home).champion == 1:
        told("approve", WINE, "3", "--reason", "it knows more wines", "--override")
    assert state(home).champion == 3
    assert told("rollback", WINE, "--reason", "the older one was liked better")["version"] == 1
    assert state(home).champion == 1


def told(*command: str, ends: ExitCode = ExitCode.DONE) -> Any:
    """What ``mlops`` says, as JSON."""
    result = CliRunner().invoke(app, [*command, "--json"])
    assert result.exit_code == ends, (command, result.output, result.exception)
    return json.loads(result.stdout)


def wine():
    from mlops_assets.declaration.reading import SHIPPED, find_system

    return find_system(WINE, [SHIPPED])


def stored_report(here: Platform, record: EvaluationReport, folder: Path) -> Report:
    return read_report(here.tracking.fetch(record.report_uri, folder / record.mlflow_run_id).read_bytes())


def make_home(code: Path, home: Path) -> None:
    """A home with a champion, made by the release in the folder ``code``."""
    home.mkdir()
    by(code, home, MAKE_A_HOME)


def by(code: Path, home: Path, script: str) -> str:
    """What a script prints that the release in the folder ``code`` runs on a home."""
    environment = {**os.environ, "DAGSTER_HOME": str(home), "PYTHONPATH": str(code)}
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=code, env=environment, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    return ran.stdout


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
