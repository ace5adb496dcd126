"""Decisions over versions from a browser: a page of what waits, and what a person does about it, in their own name."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlops_assets.declaration.reading import SHIPPED, declared_systems, find_system, read_declaration
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import GateRefused, MlopsError, SpecError
from mlops_assets.resources.redaction import redacted
from mlops_assets.settings import Settings
from mlops_assets.webserver.headers import Refused
from mlops_assets.webserver.identity import Person

if TYPE_CHECKING:
    from mlops_assets.registry.session import RegistrySession
    from mlops_assets.storage.ledger_entry import Entry

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Decisions</title>
<body style="font: 16px system-ui; max-width: 50em; margin: 4vh auto"><h1>Decisions</h1>
<p>You are {{ person.name }} ({{ person.role }}).</p>
{% if answer %}<p role="status"><strong>{{ answer }}</strong></p>{% endif %}
{% for system in systems %}<h2>{{ system.name }}</h2>
<p>Champion: {{ system.champion or "none" }}. Waits for approval: {{ system.waiting or "none" }}.</p>
<form method="post"><input type="hidden" name="system" value="{{ system.name }}">
<label>Version <input name="version" type="number" min="1" value="{{ system.waiting or "" }}"></label>
<label>Reason <input name="reason" required size="40"></label>
<label><input type="checkbox" name="override" value="true"> although the comparison speaks against it</label>
{% for action in actions %}<button name="action" value="{{ action }}">{{ action }}</button> {% endfor %}</form>
{% else %}<p>No system is declared.</p>{% endfor %}
</body></html>"""
"""What is shown; its texts are escaped."""


@dataclass(frozen=True)
class SystemOnPage:
    """One system on the page."""

    name: str
    champion: int | None
    waiting: int | None


@dataclass(frozen=True)
class DecisionDesk:
    """Carries out in a person's name what they may, and nothing else."""

    settings: Settings
    turn: threading.Lock = field(default_factory=threading.Lock)
    """One decision at a time: MLflow's client is one for the process."""

    def page(self, person: Person, answer: str = "") -> str:
        """Every system with its champion and the version that waits."""
        from jinja2 import Environment

        template = Environment(autoescape=True).from_string(PAGE)
        return template.render(person=person, answer=answer, systems=list(self._systems()), actions=list(ACTIONS))

    def decide(self, person: Person, form: Mapping[str, str]) -> str:
        """What came of a posted ``form``: system, action, reason and, as the action takes them, version and override.

        Raises:
            Refused: 400 for a form that cannot be meant, 403 where it is not for this person or a gate forbids it, 409
                where evidence or MLflow stands in the way.
        """
        if (act := ACTIONS.get(form.get("action", ""))) is None:
            raise Refused(400, f"{form.get('action', '')!r} is no action. Actions: {', '.join(ACTIONS)}")
        number = form.get("version", "").strip()
        if number and not (number.isdecimal() and number.isascii()):
            raise Refused(400, f"{number!r} is no number of a version")
        try:
            with self.turn:
                spec = find_system(form.get("system", ""), [SHIPPED, *self.settings.systems])
                return act(self, self._session(spec, person), int(number or 0), form)
        except SpecError as error:
            raise Refused(400, str(error)) from error
        except GateRefused as error:
            raise Refused(403, redacted(str(error))) from error
        except MlopsError as error:
            raise Refused(409, redacted(str(error))) from error

    def approve(self, session: "RegistrySession", number: int, form: Mapping[str, str]) -> str:
        from mlops_assets.registry.approval import approve

        return self._champion(session, approve(session, number, form.get("reason", ""), form.get("override") == "true"))

    def decline(self, session: "RegistrySession", number: int, form: Mapping[str, str]) -> str:
        from mlops_assets.registry.approval import decline

        entry = decline(session, number, form.get("reason", ""))
        return f"{entry.system} version {entry.version} is declined by {entry.actor}."

    def roll_back(self, session: "RegistrySession", number: int, form: Mapping[str, str]) -> str:
        from mlops_assets.registry.rollback import roll_back

        return self._champion(session, roll_back(session, form.get("reason", ""), number or None))

    def archive(self, session: "RegistrySession", _: int, __: Mapping[str, str]) -> str:
        from mlops_assets.registry.archive import archive

        chosen = archive(session, session.spec.registry.keep)
        return f"Archived versions of {session.system}: {', '.join(str(each.version) for each in chosen) or 'none'}."

    def _champion(self, session: "RegistrySession", entry: "Entry") -> str:
        from mlops_assets.automation.announcement import announce

        missed = announce(self.settings, session.spec, entry)
        return f"{entry.system} version {entry.version} is champion: {entry.reason}. {missed}".strip()

    def _session(self, spec: SystemSpec, person: Person) -> "RegistrySession":
        from mlops_assets.registry.session import RegistrySession
        from mlops_assets.resources.tracking import MlflowTracking

        settings = self.settings
        tracking = MlflowTracking(tracking_uri=settings.mlflow_uri, artifact_root=settings.mlflow_artifacts)
        tracking.ping()
        who = {"door": person.door, "groups": person.groups}
        return RegistrySession(spec, settings.open_storage(), tracking, person.name, **who)

    def _systems(self) -> Iterator[SystemOnPage]:
        from mlops_assets.registry.aliases import due
        from mlops_assets.storage.ledger import Ledger

        ledger = Ledger(self.settings.open_storage().records)
        for path in declared_systems([SHIPPED, *self.settings.systems]):
            try:
                name = read_declaration(path).name
            except SpecError:  # the UI shows it as a failing asset
                continue
            aliases = due(ledger, name)
            yield SystemOnPage(name, aliases.champion, aliases.staging)


Act = Callable[[DecisionDesk, "RegistrySession", int, Mapping[str, str]], str]
ACTIONS: dict[str, Act] = {
    "approve": DecisionDesk.approve,
    "decline": DecisionDesk.decline,
    "rollback": DecisionDesk.roll_back,
    "archive": DecisionDesk.archive,
}
