"""Entry: one event in the life of a system's versions, and the canonical form that its hash is made of."""

import hashlib
import json
from dataclasses import dataclass, field, fields
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
]
"""``requested``: a person must approve. ``ungated``: an alias was moved by hand; ``restored``: it was moved back."""


@dataclass(frozen=True)
class Entry:
    """One event; what the ledger itself fills in has a default."""

    system: str
    event: Event
    reason: str
    actor: str
    """Who: a person, or the schedule, sensor or job that ran."""
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


_NAMES = tuple(each.name for each in fields(Entry))
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
