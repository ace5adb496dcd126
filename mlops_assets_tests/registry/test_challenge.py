"""A challenge: the same rows, new to both, compared as declared, with guards beside."""

import pytest

from mlops_assets.features.table import read_features
from mlops_assets.registry.challenge import Challenge, challenge
from mlops_assets.registry.promotion_policy import judge
from mlops_assets.registry.provenance import features_of, model_of
from mlops_assets.registry.session import RegistrySession
from mlops_assets_tests.platform import changed

WRONG = {1: {2: 1, 3: 4}, 2: {1: 1, 3: 1}, 3: {1: 4, 2: 1}}
"""Costs of taking one cultivar for another."""


def challenged(session: RegistrySession, pair: tuple[int, int] = (2, 1), **registry: object) -> Challenge:
    """Version 2 against version 1, or another pair, under another declaration."""
    spec = changed(session.spec, registry={**session.spec.registry.model_dump(), **registry})
    other = RegistrySession(spec, session.storage, session.tracking, "ada")
    challenger, champion = map(other.version, pair)
    return challenge(other, challenger, champion)


def test_no_row_is_compared_that_either_was_trained_on(session: RegistrySession):
    found = challenged(session).comparison
    assert found
    first, second = (features_of(session.storage, model_of(session.storage, session.version(n))) for n in (1, 2))
    test, seen = read_features(session.storage, second, "test"), read_features(session.storage, first)
    seen = seen.loc[seen["_part"] != "test"]
    known = test["_identity"].isin(seen["_identity"])
    assert found.rows == int((~known).sum()) >= 30


def test_a_declared_cost_decides_instead_of_a_metric(session: RegistrySession):
    found = challenged(session, cost={"matrix": WRONG}, metric=None).comparison
    assert found and found.metric == "cost"
    assert 0 <= found.challenger <= 4 and 0 <= found.champion <= 4
    assert found.difference == pytest.approx(found.champion - found.challenger)


def test_the_declared_method_is_used(session: RegistrySession):
    methods = {"auto": "McNemar (exact)", "bootstrap": "paired bootstrap (percentile)", "bca": "paired bootstrap (BCa)"}
    for method, told in methods.items():
        found = challenged(session, method=method).comparison
        assert found and found.test == told


def test_guards_are_compared_on_the_same_rows_or_between_the_reports(session: RegistrySession):
    guards = [
        {"metric": "log_loss", "margin": 5.0},
        {"measure": "robustness.noise_10", "margin": 1.0},
        {"measure": "efficiency.latency_p95_ms", "margin": 1.0},
        {"metric": "accuracy", "margin": 0.5, "slice": {"column": "alcohol", "equals": 13.0}},
    ]
    found = challenged(session, guards=guards)
    assert found.comparison
    generous, measured, absent, unknown = found.guards
    assert generous.kept and "log_loss" in generous.message and "margin 5" in generous.message
    (strict,) = challenged(session, (1, 2), guards=[{"metric": "log_loss", "margin": 0}]).guards
    assert not strict.kept, "with no margin only a superior challenger is surely not worse"
    assert measured.kept and "at most 1 worse is allowed" in measured.message
    assert not absent.kept and "the report of this version has no value" in absent.message
    assert not unknown.kept and "carry no column 'alcohol'. Remedy: materialise the features again" in unknown.message


def test_a_champion_that_cannot_score_the_rows_asks_for_a_person(session: RegistrySession):
    """What a declaration leaves behind that has given a feature another name since version 1."""
    theirs = features_of(session.storage, model_of(session.storage, session.version(1)))
    renamed = [column.model_copy(update={"name": f"old_{column.name}"}) for column in theirs.columns[:1]]
    session.storage.records.append(theirs.model_copy(update={"columns": [*renamed, *theirs.columns[1:]]}))
    found = challenged(session)
    assert found.comparison is None and found.needs_person
    first = theirs.columns[0].name
    assert found.obstacle == (f"champion version 1 cannot score these rows: new are '{first}'; gone are 'old_{first}'")
    judgement = judge(found, session.spec.registry, needs_approval=False)
    assert (judgement.decision, judgement.standing) == ("requested", "not compared")
