"""The watch over the registry: an alias moved by hand is told and marked, an approval by tag is carried out."""

from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import dagster as dg
import pytest

from mlops_assets.automation.announcement import materialization
from mlops_assets.automation.registry_watch import registry_watch
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.registry.rollback import roll_back
from mlops_assets.registry.session import RegistrySession
from mlops_assets.resources.model_registry import APPROVAL_REASON_TAG, APPROVED_TAG, REFUSED_TAG
from mlops_assets.resources.notification import Notification
from mlops_assets.resources.storage import StorageResource
from mlops_assets_tests.platform import Platform, changed, checks


@pytest.fixture
def mailbox():
    """A webhook's receiver: its address, and what it was sent."""
    received: list[str] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()


def instance_that_shows(session: RegistrySession) -> dg.DagsterInstance:
    """A Dagster instance that has seen the promotion in force."""
    instance, entry = dg.DagsterInstance.ephemeral(), session.ledger.champion(session.system)
    assert entry is not None
    instance.report_runless_asset_event(materialization(session.spec, entry))
    return instance


def tick(
    session: RegistrySession,
    spec: SystemSpec,
    url: str = "",
    cursor: str | None = None,
    instance: dg.DagsterInstance | None = None,
) -> Any:
    resources = {
        "storage": StorageResource(root=session.storage.root, database_url=session.storage.database_url),
        "tracking": session.tracking,
        "notification": Notification(webhook_url=url, private=True),
    }
    context = dg.build_sensor_context(
        instance=instance or instance_that_shows(session), resources=resources, cursor=cursor
    )
    return registry_watch(spec)(context)


def evaluation(answer: Any) -> dg.AssetCheckEvaluation:
    (event,) = [event for event in answer.asset_events if isinstance(event, dg.AssetCheckEvaluation)]
    return event


def champion(answer: Any) -> list[Any]:
    """What the tick lets Dagster show as champion."""
    shown = [event for event in answer.asset_events if isinstance(event, dg.AssetMaterialization)]
    return [event.metadata["champion"].value for event in shown]


def test_no_page_of_dagster_shows_an_old_champion(session: RegistrySession, spec: SystemSpec):
    stale = instance_that_shows(session)
    rollback = roll_back(session, "by a program, not by the command")
    answer = tick(session, spec, instance=stale)
    assert champion(answer) == [1]
    stale.report_runless_asset_event(materialization(spec, rollback))
    assert champion(tick(session, spec, instance=stale)) == []


def test_an_alias_moved_by_hand_is_marked_told_once_and_stays(session: RegistrySession, spec: SystemSpec, mailbox):
    url, received = mailbox
    quiet = tick(session, spec, url)
    assert evaluation(quiet).passed
    assert isinstance(tick(session, spec, url, quiet.cursor), dg.SkipReason)
    session.tracking.client.set_registered_model_alias(spec.name, "champion", "1")
    answer = tick(session, spec, url, quiet.cursor)
    assert not evaluation(answer).passed
    told = evaluation(answer).description or ""
    assert "alias 'champion' is on version 1, the ledger says version 2" in told
    assert f"mlops aliases {spec.name} --restore" in told
    assert isinstance(tick(session, spec, url, answer.cursor), dg.SkipReason)
    assert len(received) == 1 and '"alias_moved_by_hand"' in received[0]
    assert [e.event for e in session.ledger.entries(spec.name)].count("ungated") == 1
    assert session.registry.champion() == 1, "marked, not moved back"


def test_an_alias_that_an_earlier_release_wrote_down_is_not_written_down_again(
    session: RegistrySession, spec: SystemSpec
):
    session.tracking.client.set_registered_model_alias(spec.name, "champion", "1")
    details = {"alias": "champion", "found": 1, "due": 2}
    session.ledger.append(session.entry("ungated", "it was moved without a gate", details=details))
    assert not evaluation(tick(session, spec)).passed
    (entry,) = session.ledger.entries(spec.name, "ungated")
    assert (entry.details, entry.hash) == (details, entry.sealed()), "the ledger keeps what was written"


def test_by_declaration_it_is_moved_back(session: RegistrySession, spec: SystemSpec, mailbox):
    url, received = mailbox
    strict = changed(spec, registry={**spec.registry.model_dump(), "moved_alias": "restore"})
    session.tracking.client.set_registered_model_alias(spec.name, "champion", "1")
    session.tracking.client.delete_registered_model_alias(spec.name, "previous")
    assert evaluation(tick(session, strict, url)).passed
    assert session.registry.aliases() == {"champion": 2, "previous": 1}
    assert [e.event for e in session.ledger.entries(spec.name)][-3:] == ["ungated", "ungated", "restored"]
    assert len(received) == 1


def test_materialising_the_champion_marks_a_moved_alias_too(session: RegistrySession, home: Platform, spec: SystemSpec):
    home.tracking.client.set_registered_model_alias(spec.name, "champion", "1")
    result = home.run(spec, "champion")
    assert result.success
    assert checks(result) == {"aliases_follow_ledger": False}
    assert session.ledger.entries(spec.name)[-1].event == "ungated"


def test_an_alias_of_the_users_own_is_none_of_its_business(session: RegistrySession, spec: SystemSpec):
    session.tracking.client.set_registered_model_alias(spec.name, "cellar", "1")
    assert evaluation(tick(session, spec)).passed


def test_an_approval_by_tag_is_carried_out_in_that_persons_name(waiting: RegistrySession):
    waiting.registry.tag(3, APPROVAL_REASON_TAG, "looked at it in MLflow")
    waiting.registry.tag(3, APPROVED_TAG, "grace")
    assert evaluation(tick(waiting, waiting.spec)).passed
    assert waiting.registry.aliases() == {"champion": 3, "previous": 2}
    entry = waiting.ledger.champion(waiting.system)
    assert entry and (entry.version, entry.actor) == (3, "grace")
    assert "looked at it in MLflow" in entry.reason
    assert APPROVED_TAG not in waiting.registry.version(3).tags


def test_an_approval_by_tag_that_may_not_be_is_refused_where_it_was_asked_for(waiting: RegistrySession):
    waiting.registry.tag(1, APPROVED_TAG, "grace")
    waiting.registry.tag(1, APPROVAL_REASON_TAG, "I like it")
    tick(waiting, waiting.spec)
    assert waiting.registry.champion() == 2
    tags = waiting.registry.version(1).tags
    assert "judged by other terms than are declared: model.seed was 42, is 7" in tags[REFUSED_TAG]
    assert APPROVED_TAG not in tags
    assert waiting.ledger.entries(waiting.system)[-1].event == "refused"
