"""``mlops new`` and ``mlops run``: from a file to a registered version with two commands."""

from pathlib import Path

import polars as pl
import pytest

from mlops_assets.declaration.reading import read_declaration
from mlops_assets_tests.shell import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell.with_mlflow(tmp_path / "home")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    values = [
        {"id": i, "size": i * 37 % 101, "rooms": i * 7 % 5, "price": i * 37 % 101 * 3 + i * 13 % 29} for i in range(200)
    ]
    pl.DataFrame(values).write_csv(path)
    return path


@pytest.mark.slow
def test_two_commands_lead_from_a_table_never_seen_to_a_champion(shell: Shell, shared_data: Path):
    file = str(shared_data / "spotify_moods" / "data_moods.csv")
    told = shell.document_alone("new", "moods", "--data", file, "--target", "mood")
    assert told["next"] == "mlops run moods"
    assert [batch["outcome"] for batch in told["batches"]] == ["waiting for ingestion"]
    ran = shell.mlops("run", "moods", "--json")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    report = shell.document("report", "moods")
    assert report["dataset"]["rows"] == 686
    assert report["champion"]["champion"] == 1
    verdicts = {gate["name"]: gate["outcome"] for gate in report["evaluation"]["verdicts"]}
    assert verdicts["beats_baseline_accuracy"] == "passed"


def test_a_dry_run_prints_the_declaration_and_leaves_nothing_behind(shell: Shell, tmp_path: Path, rows: Path):
    printed = shell.mlops("new", "flats", "--data", str(rows), "--target", "price", "--dry-run")
    assert (printed.returncode, printed.stderr) == (0, "")
    path = tmp_path / "defs.yaml"
    path.write_text(printed.stdout, encoding="utf-8")
    assert read_declaration(path).dataset.key == ["id"]
    assert not (shell.home / "systems").exists()


@pytest.mark.slow
def test_the_guesses_are_explained_and_the_system_is_found_without_any_setting(
    shell: Shell, tmp_path: Path, rows: Path
):
    folder = tmp_path / "elsewhere"
    told = shell.mlops("new", "flats", "--data", str(rows), "--target", "price", "--no-land")
    assert "flats: regression of price, 200 rows" in told.stdout
    assert "an identifier, different in every row" in told.stdout
    assert f"Next: mlops land flats {rows} && mlops run flats" in told.stdout.replace("\n", "")
    assert "waiting for ingestion" in shell.mlops("land", "flats", str(rows)).stdout
    again = shell.mlops("new", "flats", "--data", str(rows), "--target", "price", "--folder", str(folder))
    assert again.returncode == 1
    assert "'flats' is declared already" in again.stderr
    other = shell.mlops("new", "others", "--data", str(rows), "--target", "price", "--folder", str(folder), "--no-land")
    assert "export MLOPS_SYSTEMS=" in other.stdout


def test_a_target_that_is_not_there_is_one_line_with_the_remedy(shell: Shell, rows: Path):
    refused = shell.mlops("new", "flats", "--data", str(rows), "--target", "prise")
    assert refused.returncode == 1
    assert "has no column 'prise'. Did you mean 'price'?" in refused.stderr


@pytest.mark.slow
def test_a_model_of_noise_does_not_become_champion(shell: Shell, tmp_path: Path):
    """A skewed target, of which any constant near the median has a smaller error than the mean has."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(7)
    noise = {f"x{number}": rng.normal(size=600).round(4) for number in range(4)}
    pl.DataFrame({**noise, "price": np.exp(rng.normal(10, 1, 600)).round(2)}).write_csv(tmp_path / "noise.csv")
    drafted = shell.mlops("new", "noise", "--data", str(tmp_path / "noise.csv"), "--target", "price")
    assert drafted.returncode == 0, drafted.stdout + drafted.stderr
    ran = shell.mlops("run", "noise", "--json")
    assert ran.returncode == 3, ran.stdout + ran.stderr
    assert "beats_baseline" in ran.stdout + ran.stderr
    assert "answers of other rows are as good" in ran.stdout + ran.stderr
