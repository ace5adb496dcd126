"""Messages to the outside that wait until somebody has taken them: an outbox in the platform's database."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_assets.storage.records import RecordStore

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

FIRST_WAIT, LONGEST_WAIT = 60.0, 3600.0
MOST_ATTEMPTS = 30
"""Attempts at one message, over about a day, before it rests until the receiver takes another one."""


@dataclass(frozen=True)
class Message:
    """One message as it was written down."""

    id: int
    body: str
    attempts: int


@dataclass(frozen=True)
class Waiting:
    """How full the outbox is."""

    waiting: int
    resting: int
    """Of them, those that are not tried any more by themselves."""
    error: str
    """Why the last attempt failed; empty where none did."""


class Outbox:
    """Messages in the order in which they are due; each is sent at least once.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from mlops_assets.storage.storage import Storage
        >>> with TemporaryDirectory() as folder:
        ...     outbox = Outbox(Storage.local(folder).records)
        ...     outbox.put('{"event": "run_failed"}')
        ...     message = outbox.claim()
        ...     again = outbox.claim()
        ...     outbox.delivered(message)
        ...     message.body, again, outbox.waiting().waiting
        ('{"event": "run_failed"}', None, 0)
    """

    def __init__(self, records: RecordStore) -> None:
        self._records = records

    def put(self, body: str) -> None:
        """Write a message down; it is due at once."""
        row = {"body": body, "attempts": 0, "due_at": time.time(), "error": ""}
        with self._records.engine.begin() as connection:
            connection.execute(self._table.insert().values(**row))

    def claim(self) -> Message | None:
        """The message that is due first, for this caller alone, or None.

        It counts as tried, and is due again after a while: a process that dies with it loses nothing.
        """
        while True:
            with self._records.engine.begin() as connection:
                message = self._first_due(connection)
                if message is None or self._is_ours(connection, message):
                    return message

    def delivered(self, message: Message) -> None:
        """Take the message out. Those that rest are due again: there is somebody who takes them."""
        table = self._table
        with self._records.engine.begin() as connection:
            connection.execute(table.delete().where(table.c.id == message.id))
            rested = table.update().where(table.c.due_at.is_(None))
            connection.execute(rested.values(due_at=time.time(), attempts=0))

    def failed(self, message: Message, error: str) -> None:
        """Note why the message was not taken."""
        table = self._table
        with self._records.engine.begin() as connection:
            connection.execute(table.update().where(table.c.id == message.id).values(error=error))

    def waiting(self) -> Waiting:
        """How many messages wait, and why."""
        table = self._table
        with self._records.engine.connect() as connection:
            rows = connection.execute(table.select().order_by(table.c.id)).all()
        errors = [row.error for row in rows if row.error]
        return Waiting(len(rows), sum(row.due_at is None for row in rows), errors[-1] if errors else "")

    def _first_due(self, connection: "Connection") -> Message | None:
        table = self._table
        due = table.select().where(table.c.due_at <= time.time()).order_by(table.c.due_at, table.c.id).limit(1)
        row = connection.execute(due).first()
        return Message(row.id, row.body, row.attempts) if row else None

    def _is_ours(self, connection: "Connection", message: Message) -> bool:
        """Whether nobody else has claimed it since it was read."""
        table, attempts = self._table, message.attempts + 1
        wait = min(FIRST_WAIT * 2**message.attempts, LONGEST_WAIT)
        due = time.time() + wait if attempts < MOST_ATTEMPTS else None
        same = table.update().where(table.c.id == message.id, table.c.attempts == message.attempts)
        return connection.execute(same.values(attempts=attempts, due_at=due)).rowcount == 1

    @property
    def _table(self) -> "Table":
        from mlops_assets.storage.schema import tables

        return tables().messages
