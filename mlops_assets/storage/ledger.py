"""The ledger: an append-only SQL table of every event in the life of a system's versions, chained by hashes."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mlops_assets.errors import StorageError
from mlops_assets.storage.chain_writing import in_turn, write_next
from mlops_assets.storage.ledger_entry import RECORDED, Entry, Event, read_entry
from mlops_assets.storage.records import RecordStore
from mlops_assets.storage.schema import tables

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Table
    from sqlalchemy.exc import IntegrityError

MOVES: tuple[Event, ...] = ("registered", "requested", "declined", "promoted", "rolled back", "archived")
"""Events after which an alias may have to move."""
SUCCESSIONS: tuple[Event, ...] = ("promoted", "rolled back")
"""Events that begin a generation."""


class Ledger:
    """Who became champion, when, why and on what evidence; lives in the database of the records.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from mlops_assets.storage.storage import Storage
        >>> with TemporaryDirectory() as folder:
        ...     ledger = Ledger(Storage.local(folder).records)
        ...     _ = ledger.append(Entry("wine", "promoted", "the first version", "ada", version=1, generation=1))
        ...     _ = ledger.append(Entry("wine", "promoted", "superior", "ada", version=2, previous=1, generation=2))
        ...     champion = ledger.champion("wine")
        >>> champion.version, champion.generation, champion.hash == champion.sealed()
        (2, 2, True)
    """

    def __init__(self, records: RecordStore) -> None:
        self._records = records

    def append(self, *drafts: Entry) -> list[Entry]:
        """Write entries of one system, all or none, each sealed with the hash of the one before.

        Raises:
            StorageError: if another run took a generation first, or the database stays busy.
        """
        return self._append(drafts, once=False)

    def append_once(self, draft: Entry) -> list[Entry]:
        """``append``, unless this event of this version and report is there already."""
        return self._append([draft], once=True)

    def champion(self, system: str, before: int | None = None) -> Entry | None:
        """The promotion or rollback in force: now, or before an entry."""
        # One event at a time: for each there is an index that leads to its newest entry.
        begun = [self.latest(system, event, before=before) for event in SUCCESSIONS]
        return max(filter(None, begun), key=lambda entry: entry.sequence, default=None)

    def latest(
        self, system: str, *events: Event, version: int | None = None, before: int | None = None
    ) -> Entry | None:
        """The newest entry of these events, of one version or of any, in the whole chain or before an entry."""
        table = self._table
        own = [] if version is None else [table.c.version == version]
        return self._newest(system, before, table.c.event.in_(events), *own)

    def generation(self, system: str, number: int) -> Entry | None:
        """The promotion or rollback that began generation ``number``."""
        return self._newest(system, None, self._table.c.generation == number)

    def sequence_at(self, system: str, at: str) -> int:
        """Sequence of the newest entry at a moment (UTC, as in ``Entry.at``); 0 before the first."""
        import sqlalchemy as sa

        table = self._table
        query = sa.select(table.c.sequence).where(table.c.system == system, table.c.at <= at)
        query = query.order_by(table.c.at.desc(), table.c.sequence.desc()).limit(1)
        with self._records.engine.connect() as connection:
            return connection.execute(query).scalar() or 0

    def entries(self, system: str, *events: Event) -> list[Entry]:
        """Entries of ``system``, of these events or of all but those that seal records, oldest first."""
        table = self._table
        query = table.select().where(table.c.system == system).order_by(table.c.sequence)
        query = query.where(table.c.event.in_(events) if events else table.c.event != RECORDED)
        with self._records.engine.connect() as connection:
            return [read_entry(row) for row in connection.execute(query).mappings()]

    def chain(self, system: str) -> Iterator[Entry]:
        """Every entry of ``system`` in order, those that seal records too, streamed."""
        table = self._table
        query = table.select().where(table.c.system == system).order_by(table.c.sequence)
        with self._records.engine.connect() as connection:
            for row in connection.execution_options(yield_per=5000).execute(query).mappings():
                yield read_entry(row)

    def head(self, system: str) -> tuple[int, str]:
        """Sequence and hash of the newest entry; (0, "") before the first."""
        entry = self._newest(system, None)
        return (entry.sequence, entry.hash) if entry else (0, "")

    def systems(self) -> list[str]:
        """Every system with an entry or a record, sorted."""
        import sqlalchemy as sa

        names = sa.union(*(sa.select(table.c.system) for table in (self._table, tables().records)))
        with self._records.engine.connect() as connection:
            return sorted(connection.execute(names).scalars())

    def undelivered(self, system: str) -> tuple[int, int] | None:
        """Sequences of the oldest and newest entry whose aliases were not yet seen in the registry, or None."""
        import sqlalchemy as sa

        outbox = tables().outbox
        ends = sa.select(sa.func.min(outbox.c.sequence), sa.func.max(outbox.c.sequence))
        ends = ends.where(outbox.c.system == system).group_by(outbox.c.system)
        with self._records.engine.connect() as connection:
            row = connection.execute(ends).first()
        return None if row is None else (row[0], row[1])

    def deliver(self, system: str, sequence: int) -> None:
        """Note that the registry's aliases have been seen to follow every entry up to ``sequence``."""
        outbox = tables().outbox
        with self._records.engine.begin() as connection:
            connection.execute(outbox.delete().where(outbox.c.system == system).where(outbox.c.sequence <= sequence))

    def _append(self, drafts: Sequence[Entry], once: bool) -> list[Entry]:
        def lost(error: "IntegrityError", too_long: bool) -> None:
            # Another writer took the place in the chain, or the generation: which one shows when looking again.
            self._require_free(drafts, error)
            if too_long:
                raise StorageError(f"{drafts[0].system}: the ledger stayed busy. Remedy: try again") from error

        return in_turn(self._records.engine, lambda connection: self._write(connection, drafts, once), lost)

    def _write(self, connection: "Connection", drafts: Sequence[Entry], once: bool) -> list[Entry]:
        written = []
        for draft in drafts:
            if once and self._is_there(connection, draft):
                continue
            entry = write_next(connection, draft)
            if entry.event in MOVES:
                self._await_delivery(connection, entry)
            written.append(entry)
        return written

    def _await_delivery(self, connection: "Connection", entry: Entry) -> None:
        outbox = tables().outbox
        # What a chain that somebody cut short has left here must not stop the next writer.
        connection.execute(outbox.delete().where(outbox.c.system == entry.system, outbox.c.sequence == entry.sequence))
        connection.execute(outbox.insert().values(system=entry.system, sequence=entry.sequence))

    def _is_there(self, connection: "Connection", draft: Entry) -> bool:
        table = self._table
        same = [table.c[name] == getattr(draft, name) for name in ("system", "event", "version", "report_digest")]
        return connection.execute(table.select().where(*same).limit(1)).first() is not None

    def _require_free(self, drafts: Sequence[Entry], error: Exception) -> None:
        for draft in drafts:
            champion = self.champion(draft.system) if draft.generation else None
            if champion and draft.generation and (champion.generation or 0) >= draft.generation:
                raise StorageError(
                    f"{draft.system}: generation {draft.generation} of the champion was decided by another run "
                    "meanwhile. Remedy: materialise champion again; it compares with the new one."
                ) from error

    def _newest(self, system: str, before: int | None, *conditions: "ColumnElement[bool]") -> Entry | None:
        table = self._table
        query = table.select().where(table.c.system == system, *conditions)
        query = query if before is None else query.where(table.c.sequence < before)
        query = query.order_by(table.c.sequence.desc()).limit(1)
        with self._records.engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        return read_entry(row) if row else None

    @property
    def _table(self) -> "Table":
        return tables().ledger
