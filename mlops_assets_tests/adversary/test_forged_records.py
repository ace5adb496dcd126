"""Records forged in the database: none is read for what a stage has recorded, and verification names it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from typer.testing import CliRunner

from mlops_assets.audit.explanation import account
from mlops_assets.audit.verification import verify
from mlops_assets.card.card import model_card
from mlops_assets.cli import app
from mlops_assets.errors import StorageError
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.model.version import ModelVersion
from mlops_assets.registry.approval import approve
from mlops_assets.registry.rollback import roll_back
from mlops_assets.registry.session import RegistrySession
from mlops_assets.storage.ledger import Ledger
from mlops_assets.storage.ledger_entry import canonical
from mlops_assets.storage.record_seals import record_hash
from mlops_assets.storage.records import Record, RecordStore
from mlops_assets.storage.schema import tables
from mlops_assets.storage.storage import Storage
from mlops_assets_tests.platform import Platform, failure
from mlops_assets_tests.wine import WINE, run


class Tasting(Record):
    stage: ClassVar[str] = "tasting"

    points: int


def forge(records: RecordStore, *statements: str) -> None:
    with records.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def put(number: str, entry: str) -> str:
    """A record by hand: a better tasting of the second wine."""
    body = json.dumps({"system": "wine", "digest": "b2", "points": 100})
    return (
        "INSERT INTO mlops_records (id, system, stage, digest, body, run_id, entry) "
        f"VALUES ({number}, 'wine', 'tasting', 'b2', '{body}', '', {entry})"
    )


CHANGED = "The tasting record b2 of wine (number 2) is not what entry 2 of the ledger seals"
MISSING = "Record 2 of wine (tasting b2), which entry 2 of the ledger seals, is missing"
FORGERIES: dict[str, tuple[list[str], str]] = {
    "content": (["UPDATE mlops_records SET body = replace(body, '91', '99') WHERE id = 2"], CHANGED),
    "time": (["UPDATE mlops_records SET created_at = '2020-01-01 00:00:00.000000' WHERE id = 2"], CHANGED),
    "run": (["UPDATE mlops_records SET run_id = 'another' WHERE id = 2"], CHANGED),
    "seal": (["UPDATE mlops_records SET entry = 1 WHERE id = 2"], "is not what entry 1 of the ledger seals"),
    "digest": (["UPDATE mlops_records SET digest = 'a1' WHERE id = 2"], "The tasting record a1 of wine (number 2)"),
    "stage": (["UPDATE mlops_records SET stage = 'sip' WHERE id = 2"], "The sip record b2 of wine (number 2)"),
    "system": (["UPDATE mlops_records SET system = 'beer' WHERE id = 2"], MISSING),
    "deleted": (["DELETE FROM mlops_records WHERE id = 2"], MISSING),
    "inserted": ([put("3", "NULL")], "The tasting record b2 of wine (number 3) is in no entry of the ledger"),
    "inserted beside a seal": ([put("3", "2")], "(number 3) is not what entry 2 of the ledger seals"),
    "put in its place": (["DELETE FROM mlops_records WHERE id = 2", put("2", "2")], CHANGED),
    "deleted, and the count made up": (["DELETE FROM mlops_records WHERE id = 2", put("-1", "1")], "(number -1)"),
    "seal taken away": (["DELETE FROM mlops_ledger WHERE sequence = 2"], CHANGED),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_no_forged_record_is_read(tmp_path: Path, forgery: str):
    statements, told = FORGERIES[forgery]
    used = Storage.local(tmp_path).records
    used.append(Tasting(system="wine", digest="a1", points=88))
    used.append(Tasting(system="wine", digest="b2", points=91))
    assert [record.points for record in used.history(Tasting, "wine")] == [88, 91]
    forge(used, *statements)
    fresh = Storage.local(tmp_path).records
    assert told in used.fault("wine")
    for records in (used, fresh):
        for read in (
            lambda records: records.latest(Tasting, "wine"),
            lambda records: records.history(Tasting, "wine"),
            lambda records: records.published(Tasting, "wine", newest=1),
        ):
            with pytest.raises(StorageError, match=r"Remedy: .*mlops ledger accept wine --reason"):
                read(records)


def test_no_seal_is_believed_that_does_not_hold_itself(tmp_path: Path):
    records = Storage.local(tmp_path).records
    records.append(Tasting(system="wine", digest="a1", points=88))
    forge(records, "UPDATE mlops_records SET body = replace(body, '88', '99')")
    reseal(records, 1)
    forge(records, "UPDATE mlops_ledger SET hash = 'f00'")
    with pytest.raises(StorageError, match="Entry 1 of the ledger, which seals records of wine, was changed"):
        Storage.local(tmp_path).records.latest(Tasting, "wine")


FORGED_REPORT = "UPDATE mlops_records SET body = replace(body, '0.', '0.9') WHERE stage = 'evaluation'"


def test_no_command_or_stage_goes_on_from_a_forged_record(waiting: RegistrySession):
    forge(waiting.storage.records, FORGED_REPORT)
    told = r"The evaluation record \w{12} of wine_quality \(number \d+\) is not what entry \d+ of the ledger seals"
    for act in (
        lambda: approve(waiting, 3, "please", override=True),
        lambda: roll_back(waiting, "please"),
        lambda: model_card(waiting, 2),
        lambda: account(waiting.storage, WINE),
    ):
        with pytest.raises(StorageError, match=told):
            act()
    home = Platform(Path(waiting.tracking.artifact_root or "").parent)
    assert "The evaluation record" in failure(home.run(waiting.spec, "champion"), "wine_quality__champion")
    assert waiting.registry.champion() == 2
    wrong = {finding.name: finding.message for finding in verify(waiting, 2) if not finding.ok}
    assert "The evaluation record" in wrong["records"]


def test_no_stage_reads_what_another_was_made_to_say(home: Platform):
    forge(home.storage.records, "UPDATE mlops_records SET body = replace(body, '\"seed\"', '\"Seed\"')")
    assert "The model record" in run(home.folder, "evaluation").failures["evaluation"]


def test_a_forged_record_is_found_by_both_commands(session: RegistrySession, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DAGSTER_HOME", str(Path(session.tracking.artifact_root or "").parent))
    forge(session.storage.records, "DELETE FROM mlops_records WHERE stage = 'split'")
    told = "Record 3 of wine_quality (split "
    chains = CliRunner().invoke(app, ["ledger", "verify", "--json"])
    assert (chains.exit_code, told in json.loads(chains.stdout)["chains"][0]["broken"]) == (1, True)
    looked = CliRunner().invoke(app, ["verify", WINE, "--json"])
    first = json.loads(looked.stdout)["findings"][0]
    assert (looked.exit_code, first["name"], told in first["message"]) == (1, "records", True)


def test_a_forged_record_with_its_seal_and_chain_written_anew_does_not_match_what_was_noted(session: RegistrySession):
    """Who can write the database alone can make ledger and records agree, but not with the anchors."""
    records = session.storage.records
    version = session.version(1)
    forge(records, "UPDATE mlops_records SET body = json_set(body, '$.rows', 100000) WHERE id = 6")
    reseal(records, 6)
    assert not records.fault(WINE)
    assert records.get(EvaluationReport, WINE, version.digest).rows == 100000
    for act in (session.settle, lambda: roll_back(session, "please")):
        with pytest.raises(StorageError, match="whose hash the registry noted, is another one"):
            act()
    assert "is another one" in {each.name: each.message for each in verify(session, 2) if not each.ok}["ledger"]


def test_what_a_person_accepts_is_sealed_anew_and_told(session: RegistrySession):
    records = session.storage.records
    forge(records, "DELETE FROM mlops_records WHERE stage = 'split'")
    with pytest.raises(StorageError, match="is missing"):
        session.settle()
    entry = session.accept_ledger("the disk lost a page")
    assert "Record 3 of wine_quality (split" in entry.reason
    session.settle()
    assert not records.fault(WINE)
    told = {finding.name: finding for finding in verify(session, 2)}
    assert told["records"].ok
    assert "ada accepted the ledger as it was: the disk lost a page" in told["ledger"].message
    assert "recorded" not in {entry.event for entry in session.ledger.entries(WINE)}, "no news to a person"


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "/etc/passwd",
        "http://169.254.169.254/latest/meta-data",
        "s3://bucket-of-others/model",
        "runs:/../../etc/passwd",
        f"runs:/{'0' * 32}/%2e%2e/secret",
        f"runs:/{'0' * 32}/evaluation/../../secret",
        "models:/m-1?x=file:///etc/passwd",
        "mlflow-artifacts://elsewhere.example/model",
        "dbfs:/models/1",
    ],
)
def test_no_record_leads_to_another_place(session: RegistrySession, uri: str):
    records = session.storage.records
    model, version = records.latest(ModelVersion, WINE), session.version(2)
    assert model
    with pytest.raises(ValueError, match="no place of an artefact"):
        ModelVersion.model_validate({**model.model_dump(), "uri": uri})
    records.append(version.model_copy(update={"model_uri": uri}))
    with pytest.raises(StorageError, match="is no place of an artefact"):
        roll_back(session, "please")


def reseal(records: RecordStore, number: int) -> None:
    """Seal a record as it is by the entry that sealed it as it was, and chain every later entry anew."""
    record, ledger = tables().records, tables().ledger
    with records.engine.begin() as connection:
        row = connection.execute(record.select().where(record.c.id == number)).mappings().one()
        head = ""
        for entry in list(Ledger(records).chain(row["system"])):
            if entry.sequence == row["entry"]:
                entry.details["records"][str(number)] = record_hash(row)
            anew = replace(entry, hash_before=head)
            head = anew.sealed()
            values = {"hash_before": anew.hash_before, "hash": head, "details": canonical(anew.details)}
            own = (ledger.c.system == entry.system, ledger.c.sequence == entry.sequence)
            connection.execute(ledger.update().where(*own).values(**values))
