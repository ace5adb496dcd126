"""One champion, and everything that lies beside the gates tried against it, one after the other."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.audit.explanation import account
from mlops_assets.audit.verification import verify
from mlops_assets.card.card import model_card
from mlops_assets.card.document import CardTable
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import StorageError
from mlops_assets.model.version import ModelVersion
from mlops_assets.registry.approval import approve
from mlops_assets.registry.rollback import roll_back
from mlops_assets.registry.session import RegistrySession
from mlops_assets.registry.version import ChampionDecision
from mlops_assets_tests.adversary.test_altered_tables import features_of_champion, rewrite_test_labels
from mlops_assets_tests.platform import Platform, changed, failure, kept
from mlops_assets_tests.wine import WINE, land_sample
from mlops_assets_tests.wine import platform as platform_below

REGISTERED, EVALUATED = f"{WINE}__registered_version", f"{WINE}__evaluation"
BALANCED = {"metric": "balanced_accuracy", "at_least": 0.7}


@pytest.fixture(scope="module")
def one_champion(tmp_path_factory: pytest.TempPathFactory, wine: SystemSpec) -> Path:
    """Made here: the story ends with a ledger that is accepted, and with another champion."""
    here = tmp_path_factory.mktemp("story") / "here"
    here.mkdir()
    land_sample(here)
    assert platform_below(here).run(gated(wine)).success
    return kept(here, "one champion")


def gated(spec: SystemSpec, *gates: dict[str, Any], seed: int = 1, **parts: Any) -> SystemSpec:
    """A small forest that must be right in four of five, and whatever else is asked."""
    model = {**spec.model.model_dump(), "params": {"n_estimators": 15, "max_depth": 10}, "seed": seed}
    return changed(spec, **{"evaluation": {"gates": [accuracy(1), *gates]}, "model": model, **parts})


def accuracy(min_rows: int) -> dict[str, Any]:
    return {"metric": "accuracy", "at_least": 0.8, "min_rows": min_rows}


def session_of(home: Platform, spec: SystemSpec) -> RegistrySession:
    return RegistrySession(spec, home.storage, home.tracking, "ada")


def wrong(session: RegistrySession, number: int = 1) -> dict[str, str]:
    return {finding.name: finding.message for finding in verify(session, number) if not finding.ok}


def decisions_on_card(session: RegistrySession, number: int) -> str:
    (section,) = (section for section in model_card(session, number).sections if section.title == "Decisions")
    return str([block.rows if isinstance(block, CardTable) else block for block in section.blocks])


@pytest.mark.slow
def test_the_honest_champion_stays_verifiable_and_nothing_tampered_takes_its_place(
    one_champion: Path, wine: SystemSpec
):
    home, honest = platform_below(one_champion.with_name("here")), gated(wine)
    session = session_of(home, honest)
    whole: Callable[[RegistrySession], bool] = lambda of: not wrong(of) and of.registry.champion() == 1  # noqa: E731
    assert whole(session)

    # A gate is added: the model is the same, and the champion keeps the evidence that it was judged by.
    added = gated(wine, BALANCED)
    session = session_of(home, added)
    assert home.run(added).success
    assert wrong(session) == wrong(session, 2) == {}
    assert whole(session)

    # Another asks for more rows than there are, is loosened for the evaluation, and tightened back.
    strict, loose = (gated(wine, BALANCED, {**accuracy(rows), "judged_on": "interval"}) for rows in (5_000, 1))
    assert home.run(loose, "evaluation").success
    told = failure(home.run(strict, "registered_version"), REGISTERED)
    assert "min_rows was 1, is 5000" in told
    assert "min_rows was 1, is 5000" in account(home.storage, WINE).answer, "why names it"

    # A leak is allowed for one run, and the permission taken out again.
    allowing = gated(wine, BALANCED, seed=9, features={"leakage": {"allow": ["proline"]}})
    assert home.run(allowing, "features", "model", "evaluation").success
    told = failure(home.run(added, "registered_version"), REGISTERED)
    assert 'features.leakage.allow was ["proline"], is []' in told
    assert "features.leakage.allow was" in account(home.storage, WINE).answer
    assert home.versions(added) == [1, 2]
    leaking = home.storage.records.latest(ModelVersion, WINE)
    assert leaking
    assert leaking.digest != session.version(1).model_digest
    assert home.run(added, "features", "model", "evaluation").success
    assert whole(session)

    # Every version is deleted in MLflow, and made anew: the second number from the files of the leaking model.
    client, registered = session.tracking.client, [session.registry.version(number) for number in (1, 2)]
    model = client.get_registered_model(WINE)
    client.delete_registered_model(WINE)
    client.create_registered_model(WINE, tags=dict(model.tags))
    for version, source in zip(registered, (session.version(1).model_uri, leaking.uri), strict=True):
        client.create_model_version(WINE, source, tags=dict(version.tags), model_id=source.rpartition("/")[2])
    client.set_registered_model_alias(WINE, "champion", "1")
    assert "model/model.skops was changed" in wrong(session, 2)["files"]
    with pytest.raises(StorageError, match="is not what was registered"):
        approve(session, 2, "the number is the same", override=True)
    assert whole(session)

    # Test labels are changed in the lake, with the log mended.
    rewrite_test_labels(home, features_of_champion(home))
    assert "The test rows in version" in wrong(session)["features"]
    assert "were changed" in failure(home.run(added, "evaluation"), EVALUATED)
    assert home.run(added, "features").success, "the remedy that the error names"
    assert whole(session)

    # A record is forged: version 2 decided to be champion.
    records = home.storage.records
    decision = records.latest(ChampionDecision, WINE)
    assert decision
    forged = decision.model_copy(update={"champion": 2, "version": 2, "reason": "superior"}).model_dump_json()
    with records.engine.begin() as connection:
        statement = (
            "INSERT INTO mlops_records (system, stage, digest, body, run_id, created_at) VALUES (?, ?, ?, ?, '', ?)"
        )
        values = (WINE, ChampionDecision.stage, decision.digest, forged, "2026-01-01 00:00:00.000000")
        connection.exec_driver_sql(statement, values)
    assert "was not written by the platform" in wrong(session)["records"]
    assert "was not written by the platform" in account(home.storage, WINE).answer
    with pytest.raises(StorageError, match="was not written by the platform"):
        roll_back(session, "on a forged record")
    with records.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM mlops_records WHERE entry IS NULL")
    assert whole(session), "the refusals in between are entries like any other"

    # The last entries of the ledger, which tell of the attempts, are cut off with the records since.
    refusals = session.ledger.entries(WINE, "refused")
    assert len(refusals) == 3
    with records.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM mlops_ledger WHERE sequence >= ?", (refusals[-1].sequence,))
        connection.exec_driver_sql("DELETE FROM mlops_records WHERE entry >= ?", (refusals[-1].sequence,))
        connection.exec_driver_sql("DELETE FROM mlops_outbox")
    cut = f"entry {refusals[-1].sequence}, whose hash the registry noted, is missing"
    assert cut in wrong(session)["ledger"]
    assert "whose hash the storage noted, is missing" in account(home.storage, WINE).answer
    assert cut in decisions_on_card(session, 1)
    before = home.versions(added)
    assert cut in failure(home.run(added, "registered_version"), REGISTERED)
    assert session.registry.champion() == 1
    assert home.versions(added) == before

    # A person goes on from there: the story stays in the ledger, and a later champion is made as ever.
    session.accept_ledger("no backup has those entries")
    assert set(wrong(session)) == {"features", "round_trip"}, "the record of the features made anew went with the rest"
    assert home.run(added, "features").success
    assert whole(session)
    for says in (decisions_on_card(session, 1), str(account(home.storage, WINE).steps)):
        assert "no backup has those entries" in says
        assert cut in says
    assert home.run(gated(wine, BALANCED, seed=5)).success
