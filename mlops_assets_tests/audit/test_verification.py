"""Verification: whatever of a version's evidence is changed, lost or foreign is found and named."""

import json
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from mlops_assets.audit.verification import verify
from mlops_assets.cli import app
from mlops_assets.dataset.landing import landed_path
from mlops_assets.dataset.row_hash import row_hash
from mlops_assets.dataset.version import BatchOutcome
from mlops_assets.errors import StorageError
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.registry.session import RegistrySession
from mlops_assets.registry.signature import sign
from mlops_assets_tests.platform import Platform
from mlops_assets_tests.wine import WINE

EVERYTHING = [
    "records",
    "registry",
    "ledger",
    "lineage",
    "files",
    "artefact",
    "onnx",
    "intervals",
    "baselines",
    "code",
    "report",
    "predictions",
    "dataset",
    "batches",
    "features",
    "round_trip",
]


def wrong(session: RegistrySession, version: int = 2) -> dict[str, str]:
    """What is wrong, by what was looked at."""
    found = list(verify(session, version))
    assert [finding.name for finding in found] == EVERYTHING
    return {finding.name: finding.message for finding in found if not finding.ok}


def damage(path: Path) -> None:
    """Change one byte in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def overwrite(path: Path, rows: pl.DataFrame) -> None:
    """Put other rows into a file of a Delta table, in its log too."""
    size = path.stat().st_size
    rows.write_parquet(path)
    for entry in (path.parent / "_delta_log").glob("*.json"):
        entry.write_text(entry.read_text().replace(f'"size":{size}', f'"size":{path.stat().st_size}'))


def stored(home: Platform, session: RegistrySession, name: str) -> Path:
    """A file of version 2 as MLflow stores it."""
    model = session.version(2).model_uri.rpartition("/")[2]
    report = home.storage.records.find(EvaluationReport, WINE, session.version(2).digest)
    assert report is not None
    runs = {
        "baselines/linear.skops": session.registry.version(2).run_id,
        "report.json": report.report_uri.split("/")[1],
    }
    runs["predictions.parquet"] = runs["report.json"]
    [path] = (home.folder / "artifacts").rglob(f"{runs.get(name, model)}/**/{name}")
    return path


def test_nothing_is_wrong_with_either_champion(session: RegistrySession):
    assert wrong(session) == {}
    assert wrong(session, version=1) == {}


def test_one_changed_byte_in_each_stored_file_is_found_by_the_name_of_the_file(
    session: RegistrySession, home: Platform
):
    names = ["model.skops", "model.onnx", "intervals.json", "baselines/linear.skops", "report.json"]
    for name in (*names, "predictions.parquet"):
        damage(stored(home, session, name))
    [outcome] = [one for one in home.storage.records.history(BatchOutcome, WINE) if one.original == "again.csv"]
    damage(Path(landed_path(home.storage, WINE, outcome.file)))
    told = wrong(session)
    untouched = {"records", "registry", "ledger", "lineage", "code", "dataset", "features"}
    assert set(told) == set(EVERYTHING) - untouched
    assert "not a skops file" in told["artefact"]
    assert "model.onnx has digest" in told["onnx"]
    assert "holds the intervals" in told["intervals"]
    assert "The stored report of wine_quality model" in told["report"]
    assert "predictions.parquet" in told["predictions"]
    assert "again.csv" in told["batches"]
    assert all("Remedy: " in text for text in told.values())


def test_a_changed_cell_of_the_dataset_is_found_by_batch_and_row(session: RegistrySession, home: Platform):
    batch = session.storage.records.history(BatchOutcome, WINE)[0].digest
    [path] = Path(home.storage.table(WINE, "dataset")).glob(f"part-{batch}-*.parquet")
    rows = pl.read_parquet(path)
    columns = [name for name in rows.columns if not name.startswith("_")]
    changed = rows.with_columns(pl.when(pl.col("_row") == 7).then(13.37).otherwise(pl.col("alcohol")).alias("alcohol"))
    forged = changed.with_columns(_hash=pl.Series(row_hash(changed, columns).view("int64")))
    overwrite(path, changed)
    told = wrong(session)
    assert set(told) == {"dataset"}
    assert f"row 7 of batch {batch[:12]} was changed (1 rows in all)" in told["dataset"]
    overwrite(path, forged)
    told = wrong(session)
    assert "the rows of version 2 of the dataset of 'wine_quality' have digest" in told["dataset"], (
        "a forged hash does not give the digest of the set"
    )


def test_lost_files_of_dataset_and_features_are_found_and_a_cleared_landing_zone_is_no_fault(
    session: RegistrySession, home: Platform
):
    for outcome in home.storage.records.history(BatchOutcome, WINE):
        Path(landed_path(home.storage, WINE, outcome.file)).unlink()
    told = {finding.name: finding.message for finding in verify(session, 2) if finding.ok}
    assert told["batches"].startswith("0 of 2 batch files")
    assert "2 were cleared away" in told["batches"]
    for table in ("dataset", "features"):
        for path in Path(home.storage.table(WINE, table)).glob("*.parquet"):
            path.unlink()
    assert set(wrong(session)) == {"dataset", "features", "round_trip"}


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE mlops_ledger SET reason = 'because' WHERE sequence = 10", {"ledger": "entry 10 (promoted"}),
        (
            "DELETE FROM mlops_ledger WHERE sequence >= 20",
            {"ledger": "entry 20, whose hash the registry noted, is missing", "records": "The champion record"},
        ),
    ],
)
def test_an_edited_row_of_the_database_is_found(
    session: RegistrySession, home: Platform, statement: str, found: dict[str, str]
):
    with home.storage.records.engine.begin() as connection:
        connection.execute(sa.text(statement))
    told = wrong(session)
    assert {name: text for name, text in told.items() if name in found} == told
    assert all(part in told[name] for name, part in found.items())


def test_a_record_of_the_version_that_does_not_follow_from_the_others_is_found(session: RegistrySession):
    session.storage.records.append(session.version(2).model_copy(update={"features_digest": "f00"}))
    told = wrong(session)
    assert set(told) == {"lineage", "files", "onnx", "baselines", "code", "report", "features", "round_trip"}
    assert all("features_digest f00" in text for text in told.values())


def test_the_commands_exit_with_one_and_say_what_is_wrong(
    session: RegistrySession, home: Platform, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DAGSTER_HOME", str(home.folder))
    shell = CliRunner()
    assert shell.invoke(app, ["ledger", "verify"]).exit_code == 0
    fine = shell.invoke(app, ["verify", WINE, "1", "--json"])
    assert (fine.exit_code, json.loads(fine.stdout)["ok"]) == (0, True)
    with home.storage.records.engine.begin() as connection:
        connection.execute(sa.text("UPDATE mlops_ledger SET actor = 'nobody' WHERE sequence = 9"))
    told = shell.invoke(app, ["verify", WINE, "--json"])
    story = json.loads(told.stdout)
    assert (told.exit_code, story["version"], story["ok"]) == (1, 2, False)
    assert [finding["name"] for finding in story["findings"] if not finding["ok"]] == ["ledger"]
    chains = shell.invoke(app, ["ledger", "verify", WINE, "--json"])
    assert chains.exit_code == 1
    story = json.loads(chains.stdout)
    assert story["anchored"] is True
    assert "entry 9 (verdict" in story["chains"][0]["broken"]
    assert shell.invoke(app, ["ledger", "verify", "nobody"]).exit_code == 1


def key_pair(folder: Path, name: str) -> tuple[Path, Path]:
    """A private and a public elliptic key as PEM files."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    private, public = folder / f"{name}.pem", folder / f"{name}.pub.pem"
    private.write_bytes(
        key.private_bytes(form.Encoding.PEM, form.PrivateFormat.TraditionalOpenSSL, form.NoEncryption())
    )
    public.write_bytes(key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo))
    return private, public


def test_a_signature_is_required_by_key_and_covers_the_files(session: RegistrySession, home: Platform, tmp_path: Path):
    private, public = key_pair(tmp_path, "ours")
    _, other = key_pair(tmp_path, "theirs")

    def told(key: Path, name: str) -> str | None:
        found = {one.name: one for one in verify(session, 2, key)}
        return None if found["signature"].ok else found["signature"].message

    assert "wine_quality version 2 is not signed. Remedy: mlops sign wine_quality 2" in (told(public, "a") or "")
    sign(session, session.version(2), private)
    assert told(public, "b") is None
    assert "does not hold under" in (told(other, "c") or "")
    damage(stored(home, session, "model.onnx"))
    assert "does not hold under" in (told(public, "d") or "")


def test_only_an_elliptic_key_signs(session: RegistrySession, tmp_path: Path):
    key = tmp_path / "key.pem"
    key.write_text("no key")
    with pytest.raises(StorageError, match="does not sign"):
        sign(session, session.version(2), key)
