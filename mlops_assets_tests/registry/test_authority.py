"""Who may approve, decline, roll back and archive: a table of actors, actions and doors, asked and tried."""

import asyncio
from collections.abc import Callable
from html import unescape
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from mlops_assets.declaration.reading import SHIPPED, find_system
from mlops_assets.registry.authority import ACTIONS, Action, Actor, Door, may
from mlops_assets.registry.session import RegistrySession
from mlops_assets.resources.model_registry import APPROVAL_REASON_TAG, APPROVED_TAG, REFUSED_TAG
from mlops_assets.settings import Settings
from mlops_assets.webserver.decisions import DecisionDesk
from mlops_assets.webserver.guard import Guard
from mlops_assets.webserver.identity import Doorkeeper
from mlops_assets_tests.automation.test_registry_watch import tick
from mlops_assets_tests.champions import cautious
from mlops_assets_tests.platform import changed, restored
from mlops_assets_tests.shell import Shell
from mlops_assets_tests.wine import WINE

DECLARED = {"approvers": ["ada@example.com", "group:judges"]}
OWNERS = ["olga@example.com", "team:cellar"]
OWNERS_TOO = {"rollback", "archive", "accept"}
ACTORS = {
    "an approver": (Actor("Ada@example.com"), set(ACTIONS)),
    "one of an approving group": (Actor("grace", groups=frozenset({"judges"})), set(ACTIONS)),
    "an owner": (Actor("olga@example.com"), OWNERS_TOO),
    "one of an owning team": (Actor("otto", groups=frozenset({"cellar"})), OWNERS_TOO),
    "a stranger": (Actor("eve", groups=frozenset({"staff"})), set()),
    "one who is called like a group": (Actor("group:judges"), set()),
}
PROVING: set[Door] = {"command", "webserver"}
DOORS: tuple[Door, ...] = ("command", "webserver", "token", "open webserver", "run", "MLflow tag")


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("actor", ACTORS)
def test_who_may_do_what_by_which_door(actor: str, door: Door, action: Action):
    wine = changed(find_system(WINE, [SHIPPED]), owners=OWNERS)
    bound = changed(wine, registry=DECLARED)
    trusting = changed(wine, registry={**DECLARED, "trust_mlflow_tag": True})
    named, actions = ACTORS[actor]
    somebody = Actor(named.name, door, named.groups)
    assert may(somebody, action, wine), "nobody is bound where nothing is declared"
    assert may(somebody, action, bound) == (door in PROVING and action in actions)
    assert may(somebody, action, trusting) == (door in {*PROVING, "MLflow tag"} and action in actions)


Try = Callable[[RegistrySession, str, str], str]
"""Does an action in somebody's name at a door; what is said of it."""


def by_command(session: RegistrySession, name: str, action: str) -> str:
    shell = Shell(Path(session.tracking.artifact_root or "").parent, MLOPS_ACTOR=name)
    number = ["3"] if action in ("approve", "decline") else []
    reason = [] if action == "archive" else ["--reason", "looked at it"]
    ended = shell.mlops(action, WINE, *number, *reason)
    return " ".join(f"{ended.stdout} {ended.stderr}".split())


def by_page(session: RegistrySession, name: str, action: str) -> str:
    version = "3" if action in ("approve", "decline") else ""
    form = {"system": WINE, "action": action, "version": version, "reason": "looked at it"}
    return " ".join(unescape(page_of(session, name)(form)[1]).split())


def by_tag(session: RegistrySession, name: str, action: str) -> str:
    assert action == "approve"
    session.registry.tag(3, APPROVAL_REASON_TAG, "looked at it")
    session.registry.tag(3, APPROVED_TAG, name)
    tick(session, session.spec)
    return session.registry.version(3).tags.get(REFUSED_TAG, "version 3 is champion")


def page_of(session: RegistrySession, name: str) -> Callable[..., tuple[int, str]]:
    """The page as a person sees it whom the proxy names: look, or post a form; status and text."""
    settings = Settings(home=Path(session.tracking.artifact_root or "").parent)
    proxied = {"ui_proxies": ["127.0.0.1"], "ui_roles": {"viewer": ["*"], "promoter": PROMOTERS}}
    guard = Guard(nowhere, Doorkeeper.of(Settings(**proxied), "127.0.0.1"), (), DecisionDesk(settings))

    def ask(form: dict[str, str] | None = None, method: str = "", **headers: str) -> tuple[int, str]:
        sent, body = [], urlencode(form or {}).encode()
        named = {"host": "localhost", "x-forwarded-email": name, **headers}
        scope = {
            "type": "http",
            "method": method or ("GET" if form is None else "POST"),
            "path": "/mlops-decisions",
            "headers": [(key.encode(), value.encode()) for key, value in named.items()],
            "client": ("127.0.0.1", 1),
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(guard(scope, receive, send))
        return sent[0]["status"], sent[1]["body"].decode()

    return ask


PROMOTERS = ["ada@example.com", "olga@example.com", "eve"]


async def nowhere(*_: object) -> None:
    raise AssertionError("nothing of this is Dagster's")


DOORS_TRIED: dict[str, Try] = {"command": by_command, "webserver": by_page, "MLflow tag": by_tag}
REFUSED = [
    (door, action, name)
    for door in DOORS_TRIED
    for action in (["approve"] if door == "MLflow tag" else ["approve", "decline", "rollback", "archive"])
    for name in (["eve"] if action in OWNERS_TOO else ["eve", "olga@example.com"])
]


def bound(session: RegistrySession, monkeypatch: pytest.MonkeyPatch, **registry: object) -> RegistrySession:
    """The same under a declaration that says who may, which command and page read."""
    declared = {**cautious().registry.model_dump(), **DECLARED, **registry}
    spec = changed(session.spec, registry=declared, owners=OWNERS)
    for module in ("cli.app", "webserver.decisions"):
        monkeypatch.setattr(import_module(f"mlops_assets.{module}"), "find_system", lambda *_: spec)
    return RegistrySession(spec, session.storage, session.tracking, "sensor")


@pytest.fixture(scope="module")
def undecided(prepared_waiting: Path) -> RegistrySession:
    """Version 3 waits, and goes on to: what is refused changes nothing."""
    home = restored(prepared_waiting)
    (home.folder / "lake").mkdir(exist_ok=True)
    return RegistrySession(cautious(), home.storage, home.tracking, "sensor")


@pytest.mark.parametrize(("door", "action", "name"), REFUSED)
def test_whoever_may_not_is_refused_at_every_door(
    undecided: RegistrySession, monkeypatch: pytest.MonkeyPatch, door: str, action: str, name: str
):
    session = bound(undecided, monkeypatch)
    before = session.registry.aliases()
    answer = DOORS_TRIED[door](session, name, action)
    assert f"{name} may not {action}" in answer and "registry.approvers" in answer
    assert session.registry.aliases() == before
    refused = session.ledger.entries(WINE)[-1]
    assert (refused.event, refused.actor, refused.details.get("door", "command")) == ("refused", name, door)


@pytest.mark.parametrize(
    ("door", "action", "name", "champion", "events"),
    [
        ("command", "approve", "ada@example.com", 3, ["approved", "promoted"]),
        ("webserver", "approve", "ada@example.com", 3, ["approved", "promoted"]),
        ("MLflow tag", "approve", "ada@example.com", 3, ["approved", "promoted"]),
        ("webserver", "decline", "ada@example.com", 2, ["declined"]),
        ("webserver", "rollback", "olga@example.com", 1, ["rolled back"]),
        ("webserver", "archive", "olga@example.com", 2, []),
    ],
)
def test_whoever_may_does_it_in_their_own_name(
    waiting: RegistrySession, monkeypatch: pytest.MonkeyPatch, door: str, action: str, name: str, champion: int, events
):
    Path(waiting.storage.root).mkdir(exist_ok=True)
    session = bound(waiting, monkeypatch, trust_mlflow_tag=True)
    before = len(session.ledger.entries(WINE))
    DOORS_TRIED[door](session, name, action)
    added = session.ledger.entries(WINE)[before:]
    assert [entry.event for entry in added] == events
    assert {(entry.actor, entry.details.get("door", "command")) for entry in added} <= {(name, door)}
    assert session.registry.champion() == champion


def test_the_page_shows_what_waits_to_everybody_and_lets_viewers_look_only(
    undecided: RegistrySession, monkeypatch: pytest.MonkeyPatch
):
    session = bound(undecided, monkeypatch)
    page = page_of(session, "<b>vic</b>")
    shown = page()[1]
    assert "Champion: 2. Waits for approval: 3." in shown
    assert "<b>vic" not in shown and "&lt;b&gt;vic" in shown
    status, answer = page({"system": WINE, "action": "approve", "version": "3", "reason": "please"})
    assert (status, "is for the role promoter" in answer) == (403, True)
    page = page_of(session, "ada@example.com")
    assert page({"system": WINE, "action": "steal"})[0] == 400
    assert page({"system": WINE, "action": "approve", "version": "x"})[0] == 400
    assert page({"system": WINE, "action": "approve", "version": "7", "reason": "please"})[0] == 409
    assert page({"action": "approve"}, origin="http://evil")[0] == 403
    assert page({}, method="PUT")[0] == 405
    assert session.registry.champion() == 2
