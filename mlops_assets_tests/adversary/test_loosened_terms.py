"""Terms that were loosened, judged by, and tightened back: nothing judged by them is registered or promoted."""

from typing import Any

import pytest

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import GateRefused
from mlops_assets.evaluation.term_history import changed_terms
from mlops_assets.evaluation.terms import declared_terms, differences
from mlops_assets.model.version import ModelVersion
from mlops_assets.registry.approval import approve
from mlops_assets.registry.provenance import own_report, passed_report
from mlops_assets.registry.session import RegistrySession
from mlops_assets.registry.version import require_declared_terms
from mlops_assets_tests.platform import Platform, changed, checks, failure

STEP = "wine_quality__registered_version"
ACCURACY = {"metric": "accuracy", "at_least": 0.8}


def gated(spec: SystemSpec, *gates: dict[str, Any], **evaluation: Any) -> SystemSpec:
    return changed(spec, evaluation={"gates": list(gates), **evaluation})


def test_a_gate_that_lacks_rows_is_not_passed_by_asking_for_fewer_once(home: Platform, spec: SystemSpec):
    strict, loose = (gated(spec, {**ACCURACY, "min_rows": rows}) for rows in (5_000, 1))
    assert not home.run(strict, "evaluation").success
    assert home.run(loose, "evaluation").success
    told = failure(home.run(strict, "registered_version"), STEP)
    assert "evaluation.gates.accuracy_at_least.min_rows was 1, is 5000" in told
    assert "Remedy: materialise evaluation and what follows" in told
    assert home.versions(spec) == [1, 2]


def test_a_leak_that_was_allowed_for_one_run_does_not_count(home: Platform, spec: SystemSpec):
    allowing = changed(spec, features={"leakage": {"allow": ["proline"]}})
    assert home.run(allowing, "features", "model", "evaluation").success
    told = failure(home.run(spec, "registered_version"), STEP)
    assert 'features.leakage.allow was ["proline"], is []' in told
    assert "Remedy: materialise features and what follows" in told
    assert home.versions(spec) == [1, 2]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"resamples": 200}, "evaluation.resamples was 200, is 2000"),
        ({"confidence": 0.6}, "evaluation.confidence was 0.6, is 0.95"),
        ({"gates": [{**ACCURACY, "at_least": 0.1}]}, "accuracy_at_least.at_least was 0.1, is 0.8"),
        ({"gates": [{**ACCURACY, "severity": "warn"}]}, 'accuracy_at_least.severity was "warn", is "block"'),
        ({"gates": []}, "evaluation.gates.accuracy_at_least was not declared, is declared"),
        (
            {"gates": [{**ACCURACY, "judged_on": "interval"}]},
            "evaluation.gates.accuracy_at_least_interval was declared, is not declared",
        ),
        ({"protected": ["ash"]}, 'evaluation.protected was ["ash"], is []'),
        ({"diagnoses": []}, "evaluation.diagnoses was [], is not declared"),
        ({"monotone": {"ash": "increasing"}}, 'evaluation.monotone.ash was "increasing", is not declared'),
    ],
)
def test_no_term_is_loosened_for_the_report_and_tightened_back(
    session: RegistrySession, changes: dict[str, Any], key: str
):
    """The report is the one of the champion, made by other terms."""
    honest = gated(session.spec, ACCURACY)
    judged = declared_terms(gated(session.spec, **{"gates": [ACCURACY], **changes}))
    assert key in "; ".join(differences(judged, declared_terms(honest)))
    assert differences(declared_terms(honest), declared_terms(honest)) == []


def test_no_version_that_waits_is_approved_under_other_terms(waiting: RegistrySession):
    other = changed(waiting.spec, dataset={**waiting.spec.dataset.model_dump(), "max_quarantined": 0.01})
    with pytest.raises(GateRefused, match=r"dataset\.max_quarantined was 0\.05, is 0\.01"):
        approve(RegistrySession(other, waiting.storage, waiting.tracking, "ada"), 3, "please", override=True)
    assert waiting.registry.champion() == 2


def test_no_report_that_was_judged_in_one_environment_counts_in_another(waiting: RegistrySession):
    staging = changed(waiting.spec).resolved_in("staging", {})
    with pytest.raises(GateRefused, match=r'environment was "local", is "staging"\. Remedy: materialise evaluation'):
        approve(RegistrySession(staging, waiting.storage, waiting.tracking, "ada"), 3, "please", override=True)
    assert waiting.registry.champion() == 2


def test_what_asks_for_less_than_elsewhere_is_in_report_and_ledger(home: Platform, spec: SystemSpec):
    prod = gated(spec, {**ACCURACY, "at_least": 0.99}).resolved_in("prod", {})
    other = {**spec.model.model_dump(), "seed": 9}
    here = changed(gated(spec, ACCURACY), model=other).resolved_in("local", {"prod": prod})
    assert home.run(here).success
    session = RegistrySession(here, home.storage, home.tracking, "ada")
    named = own_report(session, session.version(3)).elsewhere
    assert [(looser.gate, looser.environment) for looser in named] == [("accuracy_at_least", "prod")]
    entry = session.ledger.latest(spec.name, "registered", version=3)
    assert entry and entry.details["looser_than_elsewhere"].startswith("accuracy_at_least: ")


def test_a_report_that_states_no_terms_is_not_registered(session: RegistrySession):
    model = session.storage.records.latest(ModelVersion, session.system)
    assert model
    stated = passed_report(session, model).terms
    assert stated == declared_terms(session.spec)
    require_declared_terms(stated, stated, model)
    with pytest.raises(GateRefused, match=r"of an earlier release.* Remedy: materialise evaluation"):
        require_declared_terms(stated, {}, model)


def test_a_champion_stays_whole_when_a_gate_is_added(home: Platform, spec: SystemSpec):
    from mlops_assets.audit.verification import verify
    from mlops_assets.registry.rollback import roll_back

    added = changed(
        spec, evaluation={"gates": [*spec.evaluation.gates, {"metric": "balanced_accuracy", "at_least": 0.7}]}
    )
    assert home.run(added).success
    session = RegistrySession(added, home.storage, home.tracking, "ada")
    for number in (1, 2, 3):
        assert [finding.message for finding in verify(session, number) if not finding.ok] == []
    assert session.version(3).model_digest == session.version(2).model_digest
    assert roll_back(session, "back to the first", to=1).version == 1


def test_what_asks_for_less_is_named_in_the_report_and_the_ledger(home: Platform, spec: SystemSpec):
    looser = changed(
        spec,
        features={"leakage": {"allow": ["proline"]}},
        model={**spec.model.model_dump(), "seed": 9},
    )
    result = home.run(looser)
    assert checks(result)["bounds_not_loosened"] is False
    session = RegistrySession(looser, home.storage, home.tracking, "ada")
    entry = session.ledger.latest(spec.name, "registered", version=3)
    assert entry
    assert 'features.leakage.allow: [], now ["proline"]' in entry.details["loosened"]


def test_terms_with_an_order_say_whether_less_is_asked():
    pairs = {
        "dataset.columns.x.min": (0.0, None),
        "dataset.columns.x.max": (1.0, 2.0),
        "dataset.columns.x.allowed": (["a"], ["a", "b"]),
        "dataset.columns.x.nullable": (False, True),
        "dataset.volume.min_rows": (30, 1),
        "dataset.freshness.max_age_days": (1.0, None),
        "dataset.duplicates.severity": ("block", "warn"),
        "features.split.group": ("patient", None),
        "features.split.ungrouped": ([], ["patient"]),
        "features.leakage.near_duplicates": (0.01, None),
        "evaluation.protected": (["sex"], []),
    }
    for key, (strict, loose) in pairs.items():
        then, now = nested(key, strict), nested(key, loose)
        assert [change.loosened for change in changed_terms(then, now)] == [True], key
        assert [change.loosened for change in changed_terms(now, then)] == [False], key


def nested(key: str, value: Any) -> dict[str, Any]:
    first, _, rest = key.partition(".")
    return {first: nested(rest, value) if rest else value}
