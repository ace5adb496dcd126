"""Writing to the chain: the next entry of a system's ledger, one writer at a time."""

import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from mlops_assets.storage.ledger_entry import Entry, canonical, now
from mlops_assets.storage.schema import tables

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.exc import IntegrityError

PATIENCE = 60.0
"""Seconds for which a writer tries to come after the others."""
END = "SELECT sequence, at, hash FROM mlops_ledger WHERE system = :system ORDER BY sequence DESC LIMIT 1"
End = tuple[int, str, str]
"""Sequence, time and hash of a chain's newest entry."""
T = TypeVar("T")


def in_turn(
    engine: "Engine", write: "Callable[[Connection], T]", lost: "Callable[[IntegrityError, bool], object]"
) -> T:
    """What ``write`` makes of a transaction, begun anew whenever another writer was first.

    ``lost`` is called then, with whether that went on for too long: it raises where there is nothing to try again.
    """
    from sqlalchemy.exc import IntegrityError

    last = time.monotonic() + PATIENCE
    while True:
        try:
            with engine.begin() as connection:
                return write(connection)
        except IntegrityError as error:
            lost(error, time.monotonic() > last)
            time.sleep(random.uniform(0, 0.02))


def end_of(connection: "Connection", system: str) -> End:
    """Where the chain of ``system`` ends; (0, "", "") before its first entry."""
    import sqlalchemy as sa

    row = connection.execute(sa.text(END), {"system": system}).first()
    return (row[0], row[1], row[2]) if row else (0, "", "")


def write_next(connection: "Connection", draft: Entry, end: End | None = None) -> Entry:
    """The draft, sealed and written after the ``end`` of its chain: that of now, or the one that it was made for."""
    sequence, at, head = end or end_of(connection, draft.system)
    # A clock that was set back must not reorder what happened.
    entry = replace(draft, sequence=sequence + 1, at=max(now(), at), hash_before=head)
    entry = replace(entry, hash=entry.sealed())
    connection.execute(tables().ledger.insert().values(**{**vars(entry), "details": canonical(entry.details)}))
    return entry
