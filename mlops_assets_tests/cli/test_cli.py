"""The mlops command as a person and as CI use it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


class Shell:
    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.environment = {**os.environ, "DAGSTER_HOME": str(home), "COLUMNS": "200", **environment}

    def mlops(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mlops_assets", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=300)

    def told(self, *arguments: str) -> Any:
        answer = self.mlops(*arguments, "--json")
        assert answer.stdout, answer.stderr
        return json.loads(answer.stdout)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "home")


@pytest.mark.slow
def test_the_tour_from_landing_to_retraction(shell: Shell, tmp_path: Path):
    landed = shell.told("land", "wine_quality")
    assert [(batch["new"], batch["outcome"]) for batch in landed["batches"]] == [(True, "waiting for ingestion")]
    ran = shell.told("run", "wine_quality")
    assert (ran["ran"], ran["exit_code"], ran["refusals"]) == (True, 0, [])

    again = shell.mlops("land", "wine_quality")
    assert "Nothing new to land." in again.stdout
    repeated = shell.told("run", "wine_quality")
    assert repeated["ran"] is False
    assert "nothing new has landed" in repeated["reason"]

    story = shell.told("report", "wine_quality")
    assert story["dataset"]["rows"] == 178
    assert story["champion"]["champion"] == 1
    assert all(gate["outcome"] == "passed" for gate in story["evaluation"]["verdicts"])
    page = tmp_path / "report.html"
    text = shell.mlops("report", "wine_quality", "--html", str(page)).stdout
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    for wanted in ("178 rows", "accuracy_at_least", "linear baseline", "version 1", "the first registered version"):
        assert wanted in text

    batch = landed["batches"][0]["batch"]
    refused = shell.mlops("land", "wine_quality", "--retract", batch[:8])
    assert refused.returncode == 1
    assert "needs a reason" in refused.stderr
    retracted = shell.told("land", "wine_quality", "--retract", batch[:8], "--reason", "measured with a broken scale")
    assert retracted["dataset"]["rows"] == 0
    failed = shell.mlops("run", "wine_quality")
    assert failed.returncode == 1
    assert "wine_quality/dataset: volume failed: 0 rows" in failed.stdout


def test_a_blocking_check_is_named_by_the_run(shell: Shell, tmp_path: Path):
    few = tmp_path / "few.csv"
    from mlops_assets.defs.wine_quality.sample import rows

    rows().head(20).to_csv(few, index=False)
    assert shell.mlops("land", "wine_quality", str(few)).returncode == 0
    failed = shell.mlops("run", "wine_quality")
    assert failed.returncode == 1
    assert "wine_quality/dataset: volume failed: 20 rows, expected are at least 100" in failed.stdout


def test_a_run_that_fails_says_why_and_exits_with_one(shell: Shell):
    failed = shell.mlops("run", "wine_quality")
    assert failed.returncode == 1
    assert "No batch is in the dataset. Remedy: mlops land wine_quality" in failed.stdout
    assert "Log: " in failed.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("land", "wine"), "No system is called 'wine'. Declared systems: house_prices, music_therapy, wine_quality"),
        (("land", "wine_quality", "missing.csv"), "missing.csv"),
        (("run", "wine_quality", "--job", "all"), "'all' is not a job. Jobs: ingestion, lifecycle, training"),
        (("land", "wine_quality", "--retract", "abc", "--reason", "why"), "abc"),
    ],
)
def test_a_wrong_request_is_one_sentence_and_exit_one(shell: Shell, arguments: tuple[str, ...], told: str):
    answer = shell.mlops(*arguments)
    assert answer.returncode == 1
    assert told in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_doctor_finds_a_healthy_laptop_healthy(shell: Shell):
    told = shell.told("doctor")
    assert told["ok"], [finding for finding in told["findings"] if not finding["ok"]]
    subjects = [finding["subject"] for finding in told["findings"]]
    systems = ["house_prices", "music_therapy", "wine_quality"]
    assert subjects == ["storage", "records", "mlflow", "dagster", *systems, "extras"]


def test_the_doctor_names_what_is_wrong_and_how_to_mend_it(tmp_path: Path):
    from mlops_assets_tests.declaration.test_reading import MINIMAL, declared

    declared(tmp_path / "mine", MINIMAL + "  model: {estimator: sklearn.ensemble.RandomForrest}\n")
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    shell = Shell(
        tmp_path / "home",
        MLFLOW_TRACKING_URI="http://user:secret@127.0.0.1:9",
        MLOPS_STORAGE=str(blocked / "lake"),
        MLOPS_SYSTEMS=json.dumps([str(tmp_path / "mine")]),
    )
    answer = shell.mlops("doctor")
    assert answer.returncode == 1
    for wanted in ("out of reach", "set MLFLOW_TRACKING_URI", "set MLOPS_STORAGE", "RandomForrest", "tiny"):
        assert wanted in answer.stdout
    assert "secret" not in answer.stdout + answer.stderr


def test_the_instance_is_where_dagster_looks(shell: Shell):
    assert Path(shell.told("instance")["dagster_home"]) == shell.home
    assert (shell.home / "dagster.yaml").exists()
