"""Names that anybody may write: tags of a run and of MLflow let nobody approve what they may not."""

from typing import Any

import dagster as dg
import pytest

from mlops_assets.errors import GateRefused
from mlops_assets.registry.approval import approve
from mlops_assets.registry.authority import Door
from mlops_assets.registry.listing import listing
from mlops_assets.registry.session import RegistrySession
from mlops_assets.resources.model_registry import APPROVAL_REASON_TAG, APPROVED_TAG, REFUSED_TAG
from mlops_assets.settings import Settings
from mlops_assets.system import build_system
from mlops_assets_tests.automation.test_registry_watch import tick
from mlops_assets_tests.champions import cautious
from mlops_assets_tests.platform import Platform, changed

FORGED = {
    "user": "grace",
    "mlops/actor": "hopper\n2026-01-01 promoted by boss",
    "dagster/schedule_name": "nightly",
    "dagster/sensor_name": "x" * 999,
}


def differing(session: RegistrySession, actor: str, door: Door = "command", **registry: Any) -> RegistrySession:
    declared = {**session.spec.registry.model_dump(), "approver_differs": True, **registry}
    spec = changed(session.spec, registry=declared)
    return RegistrySession(spec, session.storage, session.tracking, actor, door=door)


def test_no_run_under_a_forged_tag_lets_its_author_approve_what_it_made(
    home: Platform, monkeypatch: pytest.MonkeyPatch
):
    """The run is Ada's; its tags name Grace, a schedule and a sensor."""
    monkeypatch.setenv("MLOPS_ACTOR", "ada")
    spec = cautious()
    assets = [asset for asset in build_system(spec).assets or [] if isinstance(asset, dg.AssetsDefinition)]
    made = [dg.AssetKey([spec.name, stage]) for stage in ("model", "evaluation", "registered_version", "champion")]
    assert dg.materialize(assets, resources=home.resources, instance=home.instance, selection=made, tags=FORGED).success
    session = RegistrySession(spec, home.storage, home.tracking, "")
    (registered,) = session.ledger.entries(spec.name, "registered")[2:]
    assert (registered.version, registered.actor) == (3, "ada")
    claimed = ["schedule nightly", f"sensor {'x' * 193}", "hopper2026-01-01 promoted by boss", "grace"]
    assert registered.details["claimed"] == claimed, "recorded as claims, each on one line and no longer than 200"
    assert listing(session)[-1].registered_by.startswith("ada (claimed: schedule nightly, ")
    for author in ("ada", "ADA ", "grace"):
        with pytest.raises(GateRefused, match="registered version 3 and may not approve it"):
            approve(differing(session, author), 3, "mine")
    refused = session.ledger.entries(spec.name)[-1]
    assert (refused.event, refused.actor) == ("refused", "grace")
    assert approve(differing(session, "lin"), 3, "looked at it").version == 3


@pytest.mark.parametrize("door", ["token", "open webserver", "run", "MLflow tag"])
def test_no_door_that_does_not_know_who_comes_shows_that_the_approver_differs(waiting: RegistrySession, door: Door):
    with pytest.raises(GateRefused, match=r"whether grace is another person .* is not shown"):
        approve(differing(waiting, "grace", door), 3, "looked at it")
    assert waiting.registry.champion() == 2


def test_no_name_on_a_tag_in_mlflow_is_believed_where_it_matters_unless_the_declaration_says_so(
    waiting: RegistrySession,
):
    def tagged(session: RegistrySession, name: str) -> str:
        session.registry.tag(3, APPROVAL_REASON_TAG, "looked at it")
        session.registry.tag(3, APPROVED_TAG, name)
        tick(session, session.spec)
        return session.registry.version(3).tags.get(REFUSED_TAG, "")

    author = waiting.ledger.latest(waiting.system, "registered", version=3)
    assert author and author.actor == Settings().who
    bound = differing(waiting, "", approvers=["grace"])
    assert "MLflow does not say who wrote a tag" in tagged(bound, "grace")
    trusting = differing(waiting, "", approvers=["grace", author.actor], trust_mlflow_tag=True)
    assert "may not approve" in tagged(trusting, "eve")
    assert "may not approve it (registry.approver_differs)" in tagged(trusting, author.actor)
    assert waiting.registry.champion() == 2
    assert tagged(trusting, "grace") == ""
    entry = waiting.ledger.champion(waiting.system)
    assert entry and (entry.version, entry.by) == (3, "grace (by MLflow tag)")
