"""A ledger that was cut, written anew or lost: nothing is decided on it until a person has accepted it."""

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from mlops_assets.audit.verification import verify
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import GateRefused, StorageError
from mlops_assets.registry.approval import approve
from mlops_assets.registry.rollback import roll_back
from mlops_assets.registry.session import RegistrySession
from mlops_assets.resources.model_registry import LEDGER_TAG
from mlops_assets.storage.ledger_entry import Entry
from mlops_assets_tests.platform import Platform, failure
from mlops_assets_tests.wine import WINE, land_again

STEP = "wine_quality__registered_version"


def changed(session: RegistrySession, *statements: str) -> None:
    with session.storage.records.engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def found_by_verify(session: RegistrySession, version: int = 2) -> str:
    return {finding.name: finding.message for finding in verify(session, version) if not finding.ok}["ledger"]


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DELETE FROM mlops_ledger WHERE sequence > 19", "entry 20, whose hash the registry noted, is missing"),
        ("UPDATE mlops_ledger SET version = 1 WHERE event = 'promoted' AND version = 2", "entry 20 (promoted"),
        ("UPDATE mlops_ledger SET hash = 'f00' WHERE sequence = 20", "entry 20 (promoted"),
    ],
)
def test_nothing_is_decided_on_a_ledger_that_was_cut_or_changed(session: RegistrySession, statement: str, told: str):
    changed(session, statement, "DELETE FROM mlops_outbox")
    before = session.registry.noted()
    assert told in found_by_verify(session)
    for decide in (lambda: roll_back(session, "please"), lambda: approve(session, 1, "please", override=True)):
        with pytest.raises(StorageError, match=r"not the one that was noted.*mlops ledger accept wine_quality"):
            decide()
    assert session.registry.noted() == before, "a ledger that does not match is never noted anew"
    assert session.registry.champion() == 2


def test_no_chain_that_was_written_anew_is_gone_on_from(session: RegistrySession):
    changed(session, "DELETE FROM mlops_ledger", "DELETE FROM mlops_outbox")
    session.ledger.append(
        Entry(WINE, "registered", "forged", "mallory", version=1),
        Entry(WINE, "promoted", "forged", "mallory", version=1, generation=1),
    )
    with pytest.raises(StorageError, match="whose hash the registry noted, is missing"):
        session.settle()
    assert session.registry.champion() == 2


def test_no_first_version_is_registered_beside_a_champion_whose_database_is_lost(home: Platform, spec: SystemSpec):
    changed(
        RegistrySession(spec, home.storage, home.tracking, "ada"),
        *(f"DELETE FROM mlops_{table}" for table in ("records", "ledger", "outbox")),
    )
    shutil.rmtree(Path(home.storage.root) / "tables")
    result = home.run(spec)
    assert "entry 20, whose hash the registry noted, is missing" in failure(result, STEP)
    assert home.versions(spec) == [1, 2]


def test_an_anchor_that_was_taken_away_stops_promotion_too(session: RegistrySession):
    session.tracking.client.delete_registered_model_tag(WINE, LEDGER_TAG)
    with pytest.raises(StorageError, match="the registry has lost its note of entry 20"):
        roll_back(session, "please")


def test_either_anchor_is_enough_to_notice(session: RegistrySession):
    """Who can write MLflow and the database cannot write the storage."""
    changed(session, "DELETE FROM mlops_ledger WHERE sequence > 19", "DELETE FROM mlops_outbox")
    session.registry.note(*session.ledger.head(WINE))
    with pytest.raises(StorageError, match="entry 20, whose hash the storage noted, is missing"):
        roll_back(session, "please")


def test_no_refusal_can_be_cut_off(session: RegistrySession):
    with pytest.raises(GateRefused):
        roll_back(session, "please", to=2)
    refused = session.ledger.entries(WINE)[-1]
    assert refused.event == "refused"
    changed(session, f"DELETE FROM mlops_ledger WHERE sequence >= {refused.sequence}")
    assert f"entry {refused.sequence}, whose hash the registry noted, is missing" in found_by_verify(session)


def test_a_refusal_starts_no_ledger_beside_a_champion(session: RegistrySession):
    """Database and notes are lost; who is refused after that has not begun a history."""
    changed(session, *(f"DELETE FROM mlops_{table}" for table in ("records", "ledger", "outbox")))
    session.tracking.client.delete_registered_model_tag(WINE, LEDGER_TAG)
    Path(session.storage.anchor(WINE)).unlink()
    session.ledger.append(session.entry("refused", "somebody may not"))
    with pytest.raises(StorageError, match="it is empty, yet MLflow has version 2 as champion"):
        session.settle()


def test_a_person_may_accept_the_ledger_as_it_is_and_that_is_on_record(session: RegistrySession, home: Platform):
    changed(session, "DELETE FROM mlops_ledger WHERE sequence > 19", "DELETE FROM mlops_outbox")
    entry = session.accept_ledger("restored from the backup of Monday")
    assert (entry.event, entry.actor) == ("accepted", "ada")
    assert "entry 20, whose hash the registry noted, is missing" in entry.reason
    session.settle()
    told = {finding.name: finding for finding in verify(session, 1)}
    assert told["ledger"].ok
    assert "ada accepted the ledger as it was: restored from the backup of Monday" in told["ledger"].message
    land_again(home.folder)
    assert home.run(session.spec).success


def test_a_fault_before_an_acceptance_is_told_and_one_after_it_breaks(session: RegistrySession):
    changed(session, "UPDATE mlops_ledger SET reason = 'because' WHERE sequence = 9")
    session.accept_ledger("a typing error")
    session.settle()
    changed(session, "UPDATE mlops_ledger SET reason = 'nothing' WHERE event = 'accepted'")
    with pytest.raises(StorageError, match=r"entry 9 \(verdict"):
        session.settle()
