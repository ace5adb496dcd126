"""The mlops command as a person and as CI use it."""

import json
from pathlib import Path

import pytest

from mlops_assets.storage.messages import Outbox
from mlops_assets.storage.records import RecordStore
from mlops_assets_tests.shell import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell.with_mlflow(tmp_path / "home")


@pytest.mark.slow
def test_the_tour_from_landing_to_retraction(shell: Shell, tmp_path: Path):
    """Each command that changes something once in a process of its own, as a person runs it."""
    landed = shell.document_alone("land", "wine_quality")
    assert [(batch["new"], batch["outcome"]) for batch in landed["batches"]] == [(True, "waiting for ingestion")]
    ran = shell.document_alone("run", "wine_quality")
    assert (ran["ran"], ran["exit_code"], ran["refusals"]) == (True, 0, [])

    again = shell.mlops("land", "wine_quality")
    assert "Nothing new to land." in again.stdout
    repeated = shell.document("run", "wine_quality")
    assert repeated["ran"] is False
    assert "nothing new has landed" in repeated["reason"]

    story = shell.document("report", "wine_quality")
    assert story["dataset"]["rows"] == 178
    assert story["champion"]["champion"] == 1
    outcomes = {gate["name"]: gate["outcome"] for gate in story["evaluation"]["verdicts"]}
    assert outcomes.pop("bounds_not_loosened") == "not evaluated", "there is no champion to compare the bounds with"
    assert set(outcomes.values()) == {"passed"}
    page = tmp_path / "report.html"
    text = shell.alone("report", "wine_quality", "--html", str(page)).stdout
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    for wanted in ("178 rows", "accuracy_at_least", "linear baseline", "version 1", "the first registered version"):
        assert wanted in text

    batch = landed["batches"][0]["batch"]
    refused = shell.alone("land", "wine_quality", "--retract", batch[:8])
    assert refused.returncode == 2
    assert "needs a reason" in refused.stderr
    retracted = shell.document(
        "land", "wine_quality", "--retract", batch[:8], "--reason", "measured with a broken scale"
    )
    assert retracted["dataset"]["rows"] == 0
    failed = shell.mlops("run", "wine_quality")
    assert failed.returncode == 3
    assert "wine_quality/dataset: volume failed: 0 rows" in failed.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("land", "wine"), "No system is called 'wine'. Declared systems: house_prices, music_therapy, wine_quality"),
        (("land", "wine_quality", "missing.csv"), "missing.csv"),
        (("land", "wine_quality", "--retract", "abc", "--reason", "why"), "abc"),
    ],
)
def test_a_wrong_request_is_one_sentence_and_exit_one(shell: Shell, arguments: tuple[str, ...], told: str):
    answer = shell.mlops(*arguments)
    assert answer.returncode == 1
    assert told in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_doctor_finds_a_healthy_laptop_healthy(shell: Shell):
    told = shell.document_alone("doctor")
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
        MLOPS_WEBHOOK_URL="http://127.0.0.1:9/hook",
    )
    shell.home.mkdir()
    outbox = Outbox(RecordStore(f"sqlite:///{shell.home / 'platform.db'}"))
    outbox.put("{}")
    if message := outbox.claim():
        outbox.failed(message, "the webhook redirects (302)")
    answer = shell.mlops("doctor")
    assert answer.returncode == 1
    assert "1 messages wait" in answer.stdout and "the webhook redirects (302)" in answer.stdout
    for wanted in ("out of reach", "set MLFLOW_TRACKING_URI", "set MLOPS_STORAGE", "RandomForrest", "tiny"):
        assert wanted in answer.stdout
    assert "secret" not in answer.stdout + answer.stderr


def test_the_instance_is_where_dagster_looks(shell: Shell):
    assert Path(shell.document("instance")["dagster_home"]) == shell.home
    assert (shell.home / "dagster.yaml").exists()
