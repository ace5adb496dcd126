"""The life of a version: rollback, approval, refusal, archive, each in the ledger and followed by the aliases."""

from importlib import import_module
from pathlib import Path

import pytest

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import GateRefused, StorageError
from mlops_assets.registry.aliases import Aliases, due
from mlops_assets.registry.anchor import noted
from mlops_assets.registry.approval import approve, decline
from mlops_assets.registry.archive import archive
from mlops_assets.registry.rollback import roll_back
from mlops_assets.registry.session import RegistrySession
from mlops_assets.registry.version import ChampionDecision
from mlops_assets.resources.instance import opened_instance
from mlops_assets.resources.model_registry import ARCHIVED_TAG
from mlops_assets.settings import Settings
from mlops_assets.storage.hash_chain import verify
from mlops_assets.storage.ledger_entry import Event
from mlops_assets_tests.platform import Platform, changed, checks
from mlops_assets_tests.wine import WINE


def aliases(session: RegistrySession) -> dict[str, int]:
    found = session.registry.aliases()
    expected = {alias: version for alias, version in vars(due(session.ledger, session.system)).items() if version}
    assert found == expected, "the registry follows the ledger"
    return found


def events(session: RegistrySession) -> list[tuple[Event, int | None, str]]:
    entries = session.ledger.entries(session.system)
    assert verify(session.system, session.ledger.chain(session.system), noted(session.registry, session.storage)).ok
    return [(entry.event, entry.version, entry.actor) for entry in entries]


def by(person: str, session: RegistrySession, **registry: object) -> RegistrySession:
    """The same registry and ledger in another's name, under a changed declaration."""
    declared = {**session.spec.registry.model_dump(), **registry}
    return RegistrySession(changed(session.spec, registry=declared), session.storage, session.tracking, person)


def artefact_of(session: RegistrySession, number: int) -> Path:
    source = session.registry.version(number).source
    found = session.tracking.fetch(source or "", Path(session.storage.root).parent / f"look{number}")
    (stored,) = [
        path
        for path in Path(session.storage.root).parent.rglob("artifacts/**/model.skops")
        if path.read_bytes() == (found / "model.skops").read_bytes()
    ]
    return stored


def test_the_second_champion_leaves_the_first_as_previous(session: RegistrySession):
    assert aliases(session) == {"champion": 2, "previous": 1}
    assert [event for event, *_ in events(session)] == ["registered", "verdict", "promoted"] * 2
    verdict = session.ledger.latest(session.system, "verdict", version=2)
    assert verdict and verdict.previous == 1
    assert verdict.details["comparison"]["test"] == "McNemar (exact)"
    assert len(verdict.details["rows_digest"]) == 64


def test_a_rollback_puts_the_previous_champion_back_and_keeps_the_other_away(
    session: RegistrySession, home: Platform, spec: SystemSpec
):
    entry = roll_back(session, "complaints from the cellar")
    assert (entry.version, entry.previous, entry.generation) == (1, 2, 3)
    assert aliases(session) == {"champion": 1, "previous": 2}
    assert events(session)[-1] == ("rolled back", 1, "ada")
    assert home.run(spec, "champion").success
    decision = home.storage.records.latest(ChampionDecision, spec.name)
    assert decision and (decision.decision, decision.champion) == ("kept", 1)
    assert "version 2 was rolled back by ada: complaints from the cellar" in decision.reason
    with pytest.raises(GateRefused, match="the comparison did not find it good enough"):
        approve(session, 2, "the cellar was wrong")
    again = approve(session, 2, "the cellar was wrong", override=True)
    assert (again.version, again.generation) == (2, 4)
    assert [event for event, *_ in events(session)][-3:] == ["refused", "override", "promoted"]
    assert aliases(session) == {"champion": 2, "previous": 1}


def test_a_version_whose_artefact_was_changed_is_not_rolled_back_to(session: RegistrySession):
    stored = artefact_of(session, 1)
    stored.write_bytes(artefact_of(session, 2).read_bytes())
    with pytest.raises(StorageError, match=r"version 1 is not what was registered: model/model.skops was changed"):
        roll_back(session, "why")
    assert events(session)[-1] == ("refused", 1, "ada")
    assert aliases(session)["champion"] == 2


@pytest.mark.parametrize(
    ("to", "reason", "told"),
    [(2, "why", "version 2 is the champion already"), (7, "why", "no record of version 7"), (1, " ", "needs a reason")],
)
def test_a_rollback_without_sense_is_refused(session: RegistrySession, to: int, reason: str, told: str):
    with pytest.raises((GateRefused, StorageError), match=told):
        roll_back(session, reason, to)
    assert aliases(session)["champion"] == 2


def test_where_a_person_decides_a_version_waits_in_staging(waiting: RegistrySession):
    assert aliases(waiting) == {"champion": 2, "previous": 1, "challenger": 3, "staging": 3}
    decision = waiting.storage.records.latest(ChampionDecision, waiting.system)
    assert decision and (decision.decision, decision.champion) == ("requested", 2)
    entry = approve(waiting, 3, "looked at the report")
    assert (entry.version, entry.previous, entry.generation) == (3, 2, 3)
    assert aliases(waiting) == {"champion": 3, "previous": 2}
    assert [event for event, *_ in events(waiting)][-3:] == ["requested", "approved", "promoted"]


def test_a_declined_version_leaves_staging(waiting: RegistrySession):
    decline(waiting, 3, "too soon")
    assert aliases(waiting) == {"champion": 2, "previous": 1}
    assert events(waiting)[-1] == ("declined", 3, "ada")
    with pytest.raises(GateRefused, match="does not wait for an approval"):
        decline(waiting, 3, "again")


def test_the_author_may_be_kept_from_approving(waiting: RegistrySession):
    registered = waiting.ledger.latest(waiting.system, "registered", version=3)
    assert registered
    author = by(registered.actor, waiting, approver_differs=True)
    with pytest.raises(GateRefused, match="registered version 3 and may not approve it"):
        approve(author, 3, "mine")
    assert events(waiting)[-1] == ("refused", 3, registered.actor)
    assert approve(by("grace", author), 3, "looked at it").version == 3


def test_an_approval_of_a_version_judged_against_another_champion_is_refused(waiting: RegistrySession):
    roll_back(waiting, "why")
    with pytest.raises(GateRefused, match="was not judged against champion version 1"):
        approve(waiting, 3, "looked at it")
    assert aliases(waiting) == {"champion": 1, "previous": 2, "challenger": 3}


def test_old_versions_are_archived_but_none_that_an_alias_carries(waiting: RegistrySession):
    waiting.tracking.client.set_registered_model_alias(waiting.system, "cellar", "1")
    assert [version.version for version in archive(waiting, keep=1)] == []
    waiting.tracking.client.delete_registered_model_alias(waiting.system, "cellar")
    decline(waiting, 3, "no")
    assert [version.version for version in archive(waiting, keep=1)] == [], "1 is previous, 2 champion, 3 the newest"
    assert due(waiting.ledger, waiting.system) == Aliases(champion=2, previous=1)
    assert ARCHIVED_TAG not in waiting.registry.version(1).tags


def test_a_bound_that_was_loosened_is_told(session: RegistrySession, home: Platform):
    looser = [
        {"metric": "accuracy", "at_least": 0.5},
        {"check": "beats_baseline"},
        {"metric": "log_loss", "at_most": 0.5},
    ]
    spec = changed(session.spec, evaluation={"gates": looser}, model={**session.spec.model.model_dump(), "seed": 9})
    result = home.run(spec, "model", "evaluation", "registered_version")
    assert checks(result)["bounds_not_loosened"] is False
    assert result.success, "it warns"
    from mlops_assets.evaluation.version import EvaluationReport

    report = home.storage.records.latest(EvaluationReport, spec.name)
    assert report
    (told,) = [gate.reason for gate in report.verdicts if gate.name == "bounds_not_loosened"]
    assert told.startswith("looser than for champion version 2: accuracy_at_least: at least 0.80 on 30 rows")
    assert "now at least 0.50" in told


def shown_by_dagster() -> tuple[object, object]:
    """The champion on the pages of Dagster, and how it came there."""
    import dagster as dg

    with opened_instance(Settings()) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey([WINE, "champion"]))
    assert event is not None
    assert event.asset_materialization is not None
    metadata = event.asset_materialization.metadata
    return metadata["champion"].value, metadata["decision"].value


def test_the_standing_tells_of_the_champion_that_a_person_put_back(
    session: RegistrySession, home: Platform, monkeypatch: pytest.MonkeyPatch
):
    from typer.testing import CliRunner

    from mlops_assets.cli import app

    (home.folder / "lake").mkdir(exist_ok=True)
    monkeypatch.setattr(import_module("mlops_assets.cli.app"), "find_system", lambda *_: session.spec)
    monkeypatch.setenv("MLOPS_DATABASE_URL", session.storage.database_url)
    monkeypatch.setenv("DAGSTER_HOME", str(home.folder))
    monkeypatch.setenv("MLOPS_ACTOR", "grace")
    runner = CliRunner()

    def mlops(*words: str) -> str:
        done = runner.invoke(app, words)
        assert done.exit_code == 0, done.output + str(done.exception)
        return done.output

    assert '"generation": 3' in mlops("rollback", WINE, "--reason", "too [bold] for us", "--json")
    assert shown_by_dagster() == (1, "rolled back")
    told = " ".join(mlops("report", WINE).split())
    assert "rolled back by grace" in told and "too [bold] for us" in told
    mlops("approve", WINE, "2", "--reason", "it was not", "--override")
    assert shown_by_dagster() == (2, "promoted")
    assert "champion: version 2" in mlops("aliases", WINE)
    assert "none" in mlops("archive", WINE, "--dry-run")
    assert runner.invoke(app, ["decline", WINE, "2", "--reason", "no"]).exception is not None
