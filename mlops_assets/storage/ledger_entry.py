"""Entry: one event in the life of a system's versions, and the canonical form that its hash is made of."""

import hashlib
import json
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

Event = Literal[
    "registered",
    "refused",
    "verdict",
    "requested",
    "approved",
    "declined",
    "override",
    "promoted",
    "rolled back",
    "archived",
    "ungated",
    "restored",
    "accepted",
    "recorded",
]
"""``requested``: a person must approve. ``ungated``: an alias was moved by hand; ``restored``: it was moved back.
``accepted``: a person took a ledger that did not match its anchors as it was. ``recorded``: a record was stored."""

RECORDED: Event = "recorded"
"""The entries that seal records: many, and no news to a person."""

CLAIMED, DOOR = "claimed", "door"
"""Keys of an entry's details: whom the tags of the run name, and the door by which a person came, unless a command."""

LOOSENED, LOOSER_THAN_ELSEWHERE = "loosened", "looser_than_elsewhere"
"""Keys of an entry's details: what asked for less than of the champion before, and than in other environments."""


@dataclass(frozen=True)
class Entry:
    """One event; what the ledger itself fills in has a default."""

    system: str
    event: Event
    reason: str
    actor: str
    """Who, as the door knew them: of a run, whoever its process ran as."""
    version: int | None = None
    previous: int | None = None
    """Champion before the event."""
    generation: int | None = None
    """Number of the champion; each number is given once, by a promotion or a rollback."""
    model_digest: str = ""
    report_digest: str = ""
    run_id: str = ""
    """Dagster run."""
    details: dict[str, Any] = field(default_factory=dict)
    """What was seen, such as the comparison: JSON values."""
    sequence: int = 0
    """Position in the system's chain, from 1."""
    at: str = ""
    """UTC, ISO 8601 with microseconds and ``Z``; never before the entry before it."""
    hash_before: str = ""
    hash: str = ""
    """SHA-256 of all other fields as canonical JSON."""

    @property
    def by(self) -> str:
        """The actor in words, with what is only claimed."""
        claimed, door = self.details.get(CLAIMED), self.details.get(DOOR)
        notes = [f"claimed: {', '.join(claimed)}" if claimed else "", f"by {door}" if door else ""]
        beside = "; ".join(filter(None, notes))
        return f"{self.actor} ({beside})" if beside else self.actor

    @property
    def asked_less(self) -> str:
        """What asked for less than of the champion before or in another environment, in words; empty if nothing."""
        before, elsewhere = self.details.get(LOOSENED), self.details.get(LOOSER_THAN_ELSEWHERE)
        return "; ".join(filter(None, [before, f"less is asked than elsewhere: {elsewhere}" if elsewhere else ""]))

    def sealed(self) -> str:
        """The hash that this entry must carry."""
        content = {**vars(self), "details": canonical(self.details)}
        del content["hash"]
        return hashlib.sha256(canonical(content).encode()).hexdigest()


def read_entry(row: "RowMapping") -> Entry:
    """The entry that a row of the table holds."""
    values = {name: row[name] for name in _NAMES}
    return Entry(**{**values, "details": json.loads(values["details"])})


def canonical(value: object) -> str:
    """``value`` as canonical JSON: equal values give equal text."""
    return _ENCODER.encode(value)


def now() -> str:
    """This moment as the ledger writes it."""
    return moment(datetime.now(UTC))


def moment(at: datetime) -> str:
    """``at`` in UTC as the ledger writes it; a time without a zone is taken as UTC."""
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


_NAMES = tuple(each.name for each in fields(Entry))
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
