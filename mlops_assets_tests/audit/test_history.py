"""History: the champion at any moment, found by index, with what it rested on; and why there is the one there is."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event
from typer.testing import CliRunner

from mlops_assets.audit.explanation import account
from mlops_assets.audit.history import Generation, evidence, generation_at, generations, parsed_moment
from mlops_assets.cli import app
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.model.version import ModelVersion
from mlops_assets.registry.reconciliation import reconcile
from mlops_assets.registry.rollback import roll_back
from mlops_assets.registry.session import RegistrySession
from mlops_assets.registry.version import RegisteredVersion
from mlops_assets.storage import chain_writing
from mlops_assets.storage.ledger import Ledger
from mlops_assets.storage.ledger_entry import Entry, Event, moment
from mlops_assets.storage.storage import Storage
from mlops_assets_tests.platform import Platform, changed

START = datetime(2026, 5, 1, 12, tzinfo=UTC)


def entry(what: Event, version: int, generation: int | None = None) -> Entry:
    return Entry("wine", what, f"{what} {version}", "ada", version=version, generation=generation)


@pytest.fixture
def year(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """One event an hour: versions 1 and 2 promoted, 1 rolled back to; 3 only registered; then another system's."""
    hours = iter(range(100))
    monkeypatch.setattr(chain_writing, "now", lambda: moment(START + timedelta(hours=next(hours))))
    ledger = Ledger(storage.records)
    happened: list[tuple[Event, int, int | None]] = [
        ("registered", 1, None),
        ("promoted", 1, 1),
        ("registered", 2, None),
        ("promoted", 2, 2),
        ("rolled back", 1, 3),
        ("registered", 3, None),
    ]
    for what, version, generation in happened:
        ledger.append(entry(what, version, generation))
    ledger.append(Entry("other", "promoted", "other", "eve", version=9, generation=1))
    return ledger


def held(found: Generation | None) -> tuple[int, int] | None:
    return found and (found.number, found.version)


def test_every_generation_ends_where_the_next_begins(year: Ledger):
    found = generations(year, "wine")
    assert [(one.number, one.version, one.event) for one in found] == [
        (1, 1, "promoted"),
        (2, 2, "promoted"),
        (3, 1, "rolled back"),
    ]
    assert [one.until for one in found] == [found[1].since, found[2].since, None]
    assert generations(year, "nobody") == []


@pytest.mark.parametrize(
    ("hours", "expected"),
    [(-9999, None), (0, None), (0.999, None), (1, (1, 1)), (2.5, (1, 1)), (3, (2, 2)), (4, (3, 1)), (9999, (3, 1))],
)
def test_the_champion_of_a_moment_is_whose_generation_it_falls_into(
    year: Ledger, hours: float, expected: tuple[int, int] | None
):
    at = moment(START + timedelta(hours=hours))
    found = generation_at(year, "wine", at)
    assert held(found) == expected
    if found is not None:
        assert found in generations(year, "wine")
        assert found.since <= at
        assert found.until is None or at < found.until


def test_of_entries_at_one_moment_the_last_counts(storage: Storage, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(chain_writing, "now", lambda: moment(START))
    ledger = Ledger(storage.records)
    ledger.append(*(entry("promoted", version, version) for version in range(1, 12)))
    assert held(generation_at(ledger, "wine", moment(START))) == (11, 11)
    assert generation_at(ledger, "wine", moment(START - timedelta(microseconds=1))) is None


def test_a_moment_is_found_without_reading_the_other_entries(year: Ledger, storage: Storage):
    asked: list[tuple[str, tuple]] = []
    engine = storage.records.engine
    event.listen(engine, "before_cursor_execute", lambda *told: asked.append((told[2], told[3])))
    assert held(generation_at(year, "wine", moment(START + timedelta(hours=3)))) == (2, 2)
    queries = list(asked)
    assert queries
    for statement, parameters in queries:
        with engine.connect() as connection:
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
        assert plan[0].startswith("SEARCH mlops_ledger USING")
        assert not any("TEMP B-TREE FOR ORDER BY" in step for step in plan), (statement, plan)


def test_a_ledger_without_records_still_names_the_champion(year: Ledger, storage: Storage):
    found = generation_at(year, "wine", moment(START + timedelta(hours=3)))
    assert found is not None
    assert evidence(storage, year, found) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-05-01T14:00Z", "2026-05-01T14:00:00.000000Z"),
        ("2026-05-01 16:00+02:00", "2026-05-01T14:00:00.000000Z"),
        ("2026-05-01T14:00", "2026-05-01T14:00:00.000000Z"),
        ("20260501T140000.25Z", "2026-05-01T14:00:00.250000Z"),
        (" 2026-05-01 ", "2026-05-01T00:00:00.000000Z"),
        ("2026-W18-5", "2026-05-01T00:00:00.000000Z"),
        ("0999-01-01", "0999-01-01T00:00:00.000000Z"),
    ],
)
def test_a_moment_may_have_any_iso_form_and_is_utc_without_a_zone(text: str, expected: str):
    assert parsed_moment(text) == expected


@pytest.mark.parametrize("text", ["yesterday", "", "2026-13-01", "2026-05-01T25:00", "0001-01-01T00:00+05:00"])
def test_a_wrong_moment_is_named(text: str):
    with pytest.raises(ValueError, match="is not a time in ISO 8601") as told:
        parsed_moment(text)
    assert repr(text) in str(told.value)


def test_a_generation_is_told_with_its_data_its_training_and_its_comparison(session: RegistrySession):
    first, second = generations(session.ledger, session.system)
    models = session.storage.records.published(ModelVersion, session.system)
    known, alone = (evidence(session.storage, session.ledger, one) for one in (second, first))
    assert known is not None
    assert alone is not None
    assert (known.mlflow_run_id, known.dagster_run_id) == (models[1].record.mlflow_run_id, models[1].run_id)
    assert known.dagster_run_id == second.run_id
    assert (known.dataset_digest, known.features_digest) == (
        models[1].record.dataset_digest,
        models[1].record.features_digest,
    )
    assert known.judged_against == 1
    assert known.rows_compared == known.comparison["rows"] >= 30
    assert len(known.rows_digest) == 64
    assert (alone.standing, alone.rows_compared, alone.judged_against) == ("first", None, None)
    assert alone.trained_at < first.since


def test_the_command_tells_the_champion_of_a_moment(
    session: RegistrySession, home: Platform, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DAGSTER_HOME", str(home.folder))
    first, second = generations(session.ledger, session.system)
    shell = CliRunner()
    then = json.loads(shell.invoke(app, ["history", "wine_quality", "--at", first.since, "--json"]).stdout)
    assert (then["champion"]["version"], then["champion"]["until"]) == (1, second.since)
    assert len(then["evidence"]["dataset_digest"]) == 64
    text = shell.invoke(app, ["history", "wine_quality", "--at", "2999-01-01"])
    assert "version 2 was champion" in text.stdout
    assert "still to come" in text.stdout
    before = shell.invoke(app, ["history", "wine_quality", "--at", "2020-01-01"])
    assert before.exit_code == 1
    assert "had no champion yet at 2020-01-01 00:00:00" in before.stdout
    wrong = shell.invoke(app, ["history", "wine_quality", "--at", "last May"])
    assert wrong.exit_code == 2
    assert "'last May' is not a time in ISO 8601" in wrong.stderr
    everything = json.loads(shell.invoke(app, ["history", "wine_quality", "--json"]).stdout)
    assert [one["version"] for one in everything["generations"]] == [1, 2]


def test_what_people_wrote_is_printed_as_they_wrote_it(
    session: RegistrySession, home: Platform, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DAGSTER_HOME", str(home.folder))
    roll_back(session, "[/b] <i>")
    for command in (["history"], ["history", "--at", moment(datetime.now(UTC))], ["why"]):
        answer = CliRunner().invoke(app, [command[0], "wine_quality", *command[1:]])
        assert answer.exit_code == 0, answer.exception
        assert "[/b] <i>" in answer.stdout


def test_why_says_that_the_last_training_changed_the_champion(session: RegistrySession):
    found = account(session.storage, session.system)
    assert (found.changed, found.champion, found.version) == (True, 2, 2)
    assert found.answer.startswith("The last training changed the champion: it is version 2 since ")
    assert [(step.what, step.outcome) for step in found.steps] == [
        *((what, "passed") for what in ("dataset", "features", "training", "evaluation")),
        *((what, "passed") for what in ("registered", "verdict", "promoted")),
    ]


def test_why_follows_a_rollback_and_a_hand(session: RegistrySession):
    roll_back(session, "complaints")
    found = account(session.storage, session.system)
    assert (found.changed, found.champion) == (False, 1)
    assert found.answer.endswith("now version 1 is: rolled back, complaints")
    session.registry.point("champion", 2)
    reconcile(session)
    assert (
        "an alias was found moved by hand: alias 'champion' is on version 2"
        in account(session.storage, session.system).answer
    )


def test_why_names_what_asked_for_less(session: RegistrySession, home: Platform):
    loose = {"at_least": 0.1, "metric": "accuracy"}
    other = {**session.spec.model.model_dump(), "seed": 9}
    looser = changed(session.spec, evaluation={**session.spec.evaluation.model_dump(), "gates": [loose]}, model=other)
    assert home.run(looser).success
    told = [step.message for step in account(session.storage, session.system).steps if step.what == "registered"]
    (named,) = told
    assert "every blocking gate passed; looser than for champion version 2: accuracy_at_least: at least 0.80" in named


def test_why_names_a_ledger_that_is_not_as_it_was_noted_and_who_accepted_it(session: RegistrySession):
    with session.storage.records.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM mlops_ledger WHERE sequence >= 20")
        connection.exec_driver_sql("DELETE FROM mlops_outbox")
    found = account(session.storage, session.system)
    fault = "entry 20, whose hash the storage noted, is missing"
    assert fault in found.answer
    assert (found.steps[-1].what, found.steps[-1].outcome) == ("ledger", "failed")
    session.accept_ledger("restored from Monday")
    found = account(session.storage, session.system)
    assert "whose hash" not in found.answer
    (accepted,) = (step for step in found.steps if step.what == "accepted")
    assert (accepted.outcome, accepted.message.startswith("by ada: restored from Monday (entry 20")) == ("noted", True)


def test_why_names_the_gate_that_failed_and_the_run_that_did_not_train(home: Platform, session: RegistrySession):
    gates = [{"metric": "accuracy", "at_least": 0.9999}, {"metric": "log_loss", "at_most": 0.0001}]
    strict = changed(session.spec, evaluation={**session.spec.evaluation.model_dump(), "gates": gates})
    assert not home.run(strict, "evaluation", "registered_version").success
    found = account(session.storage, session.system)
    assert (found.changed, found.champion, found.version) == (False, 2, None)
    assert found.answer.startswith("The last training did not change the champion, version 2 stays champion: ")
    assert "log_loss_at_most failed" in found.answer
    assert ("evaluation", "failed") in [(step.what, step.outcome) for step in found.steps]

    few = changed(session.spec, dataset={**session.spec.dataset.model_dump(), "volume": {"min_rows": 10_000}})
    assert not home.run(few, "dataset").success
    stopped = account(session.storage, session.system).answer
    assert stopped.startswith("The last run did not come to a training, version 2 stays champion: dataset: ")
    assert "volume failed" in stopped


@pytest.fixture
def third(session: RegistrySession) -> RegistrySession:
    """A third model with its report and registration, of which the ledger does not know yet."""
    records = session.storage.records
    for kind, digest in ((ModelVersion, "m"), (EvaluationReport, "r"), (RegisteredVersion, "r")):
        newest = records.latest(kind, session.system)
        assert newest is not None
        new = {"digest": digest * 64, "model_digest": "m" * 64, "version": 3}
        records.append(newest.model_copy(update={name: new[name] for name in new if name in kind.model_fields}))
    return session


@pytest.mark.parametrize(
    ("events", "answer"),
    [
        ([], "Version 3 of the last training was not compared with the champion yet, version 2 stays champion."),
        (
            ["verdict"],
            "Version 3 of the last training did not change the champion, version 2 stays champion: verdict 0",
        ),
        (["verdict", "requested"], "Version 3 of the last training waits for a person's approval, version 2 stays"),
        (["verdict", "requested", "refused"], "Version 3 of the last training waits for a person's approval"),
        (["verdict", "requested", "declined"], "Version 3 of the last training was declined by ada, version 2 stays"),
        (["verdict", "refused"], "Version 3 of the last training was refused, version 2 stays champion: refused 1"),
        (["refused", "verdict"], "Version 3 of the last training did not change the champion, version 2 stays"),
    ],
)
def test_why_tells_how_a_registered_version_fared(third: RegistrySession, events: list[Event], answer: str):
    happened: list[Event] = ["registered", *events]
    for number, what in enumerate(happened, start=-1):
        third.ledger.append(third.entry(what, f"{what} {number}", third.version(3)))
    found = account(third.storage, third.system)
    assert found.answer.startswith(answer)
    assert (found.changed, found.champion, found.version) == (False, 2, 3)
    told = [step.what for step in found.steps]
    assert told[told.index("registered") + 1 :] == [what for what in events if what != "refused" or events[0] != what]


def test_why_can_tell_before_anything_was_trained(storage: Storage, wine: SystemSpec):
    found = account(storage, wine.name)
    assert (found.changed, found.champion) == (False, None)
    assert found.answer == (
        "wine_quality has not been trained yet: dataset: no batch is in it. Remedy: mlops land wine_quality [FILE…]"
    )
