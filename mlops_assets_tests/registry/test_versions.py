"""Versions: each with its state and evidence in one line, and two of them against each other."""

import json
import re

import pytest
from typer.testing import CliRunner

from mlops_assets.cli import app
from mlops_assets.errors import NotEvaluated, SpecError, StorageError
from mlops_assets.metrics.catalogue import METRICS
from mlops_assets.registry import challenge
from mlops_assets.registry.approval import decline
from mlops_assets.registry.archive import archive
from mlops_assets.registry.learner_comparison import rematch
from mlops_assets.registry.listing import listing
from mlops_assets.registry.provenance import features_of, model_of
from mlops_assets.registry.rollback import roll_back
from mlops_assets.registry.session import RegistrySession
from mlops_assets.registry.version_comparison import VersionComparison, compare_versions
from mlops_assets.resources.model_registry import LoggedModel
from mlops_assets_tests.platform import Platform


def states(session: RegistrySession) -> list[tuple[int, str, list[str]]]:
    return [(one.version, one.state, one.aliases) for one in listing(session)]


def test_every_version_is_listed_with_its_evidence(session: RegistrySession):
    assert states(session) == [(1, "previous", ["previous"]), (2, "champion", ["champion"])]
    first, second = listing(session)
    entry = session.ledger.latest(session.system, "registered", version=1)
    assert entry is not None
    assert (first.registered_at, first.registered_by) == (entry.at, entry.actor)
    assert (first.model_digest, first.report_digest) == (entry.model_digest, entry.report_digest)
    assert first.metric == "accuracy"
    assert first.value is not None
    assert first.interval is not None
    assert first.interval[0] <= first.value <= first.interval[1]
    assert first.gates.keys() == {"passed", "not evaluated"}
    assert first.gates["not evaluated"] == 1, "there was no champion to compare bounds with"
    assert first.dataset_version is not None
    assert second.dataset_version is not None
    assert first.dataset_version < second.dataset_version


def test_the_state_follows_the_life_of_a_version(session: RegistrySession):
    roll_back(session, "complaints")
    assert states(session) == [(1, "champion", ["champion"]), (2, "previous", ["previous"])]
    version = session.version(2)
    session.registry.register(LoggedModel(version.model_uri, "", {"mlops.report_digest": "by hand"}))
    assert states(session)[-1] == (3, "foreign", [])
    session.tracking.client.delete_model_version(session.system, "3")
    session.ledger.append(session.entry("requested", "somebody must look", version))
    session.settle()
    assert states(session)[-1] == (2, "staging", ["previous", "staging"])
    decline(session, 2, "not now")
    session.registry.point("previous", None)
    assert states(session)[-1] == (2, "registered", [])
    session.tracking.client.delete_model_version(session.system, "2")
    assert states(session)[-1] == (2, "deleted", [])


def test_an_archived_version_is_listed_as_such(session: RegistrySession):
    session.registry.point("previous", None)
    assert [version.version for version in archive(session, keep=1)] == [1]
    assert states(session)[0][:2] == (1, "archived")


def test_two_versions_are_compared_on_rows_that_neither_was_trained_on(session: RegistrySession):
    found = compare_versions(session, 2, 1)
    verdict = session.ledger.latest(session.system, "verdict", version=2)
    assert verdict is not None
    assert found.comparison is not None
    # A person's look stands alone; the decision's shares its confidence with those to come.
    alike = {"interval", "confidence"}
    decided = {key: value for key, value in verdict.details["comparison"].items() if key not in alike}
    assert found.comparison.model_dump(mode="json", exclude=alike) == decided
    assert found.comparison.confidence < verdict.details["comparison"]["confidence"]
    assert (found.older, found.newer, found.same_rows, found.obstacle) == (1, 2, False, "")
    assert found.rows_digest == verdict.details["rows_digest"]
    assert found.standing == verdict.details["standing"]
    assert {line.metric for line in found.lines} >= {"accuracy", "log_loss", "f1_macro"}
    for line in found.lines:
        assert line.greater_is_better == METRICS[line.metric].greater_is_better
        older, newer = line.values
        if line.better is not None:
            assert older is not None
            assert newer is not None
            assert ((newer > older) == line.greater_is_better) == (line.better == 2)
        else:
            assert older == newer or None in line.values


def test_versions_that_share_too_few_rows_are_told_apart_by_their_reports_only(
    session: RegistrySession, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(challenge, "FEWEST_ROWS", 10_000)
    found = compare_versions(session, 1, 2)
    assert (found.comparison, found.standing) == (None, None)
    assert found.lines
    assert found.recommendation.startswith("No recommendation: only ")


@pytest.mark.parametrize(
    ("standing", "missing", "guards", "told"),
    [
        ("superior", 0, [], "Prefer version 2"),
        ("superior", 0, ["log_loss rose"], "Stay with version 1: version 2 is superior, but log_loss rose"),
        ("inferior", 0, [], "Prefer version 1"),
        ("inferior", 0, ["log_loss rose"], "Prefer version 1"),
        ("non-inferior", 0, [], "Either will do: version 2 is at most 0.02 worse"),
        ("undecided", 1200, [], "Stay with version 1: these rows do not tell the two apart; about 1,200 more"),
        ("undecided", None, [], "Stay with version 1: .*nor would any number of rows"),
    ],
)
def test_the_recommendation_follows_from_the_standing(standing, missing, guards, told: str):
    found = VersionComparison("wine", 1, 2, [], True, "", None, 0.02, standing, missing, "", guards)
    assert re.match(told, found.recommendation)


def test_only_two_known_versions_are_compared(session: RegistrySession):
    with pytest.raises(SpecError, match="cannot be compared with itself"):
        compare_versions(session, 1, 1)
    with pytest.raises(StorageError, match="no record of version 9"):
        compare_versions(session, 1, 9)


def test_the_commands_print_what_was_found(session: RegistrySession, home: Platform, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DAGSTER_HOME", str(home.folder))
    shell = CliRunner()
    told = json.loads(shell.invoke(app, ["versions", "wine_quality", "--json"]).stdout)
    assert [(one["version"], one["state"]) for one in told["versions"]] == [(1, "previous"), (2, "champion")]
    assert "champion" in shell.invoke(app, ["versions", "wine_quality"]).stdout
    answer = shell.invoke(app, ["compare", "wine_quality", "1", "2"])
    assert answer.exit_code == 0, answer.stderr
    assert "rows that neither was trained on, by accuracy: version 2" in answer.stdout
    compared = json.loads(shell.invoke(app, ["compare", "wine_quality", "1", "2", "--json"]).stdout)
    assert compared["recommendation"] in answer.stdout
    assert compared["lines"][0]["metric"] == "accuracy"


def test_learners_are_compared_over_repeated_splits(session: RegistrySession):
    done: list[int] = []
    found = rematch(session, 1, 2, 5, done.append)
    assert done == [1, 2, 3, 4, 5]
    assert (found.metric, found.splits) == ("accuracy", 5)
    low, high = found.difference.interval
    assert low <= found.difference.value == 0 <= high, "both versions are the same learner, fitted on the same rows"
    assert found.difference.p_value == 1


def test_a_learner_of_other_features_is_not_fitted_anew(session: RegistrySession):
    theirs = features_of(session.storage, model_of(session.storage, session.version(1)))
    session.storage.records.append(theirs.model_copy(update={"columns": theirs.columns[1:]}))
    with pytest.raises(NotEvaluated, match="version 1 takes other features"):
        rematch(session, 1, 2, 2)
