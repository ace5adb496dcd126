"""Records: the small frozen facts that stages hand on, kept in an append-only SQL table."""

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from mlops_assets.errors import StorageError
from mlops_assets.storage.chain_writing import in_turn
from mlops_assets.storage.record_seals import RecordSeals, fault_of, seal_as_found, write_sealed

if TYPE_CHECKING:
    from sqlalchemy import Engine, Row, Select, Table
    from sqlalchemy.exc import IntegrityError


class Record(BaseModel):
    """What one stage published: which system, and the digest that names the exact version."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    stage: ClassVar[str]

    system: str
    digest: str

    @classmethod
    def upgraded(cls, body: dict[str, Any]) -> dict[str, Any]:
        """The stored ``body``, which an earlier release may have written, as this one writes it."""
        return body


R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Published(Generic[R]):
    """A record with what the store knows of it."""

    record: R
    at: datetime
    """When it was published, UTC."""
    run_id: str
    """Dagster run; empty outside one."""


class RecordStore:
    """Append-only table of records; sqlite by default, any SQLAlchemy URL by setting.

    Inserting a record publishes the version it describes: everything it points at was written before.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from mlops_assets.storage.storage import Storage
        >>> class Tasting(Record):
        ...     stage = "tasting"
        ...     points: int
        >>> with TemporaryDirectory() as folder:
        ...     records = Storage.local(folder).records
        ...     _ = records.append(Tasting(system="wine", digest="a1", points=88))
        ...     _ = records.append(Tasting(system="wine", digest="b2", points=91))
        ...     records.latest(Tasting, "wine").points, records.get(Tasting, "wine", "a1").points
        (91, 88)
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._seals = RecordSeals()

    def append(self, record: Record, run_id: str = "") -> int:
        """Publish ``record``, sealed by an entry of the ledger, and return its number."""
        row = {
            "system": record.system,
            "stage": record.stage,
            "digest": record.digest,
            "body": record.model_dump_json(),
            "run_id": run_id,
            "created_at": datetime.now(UTC),
        }

        def lost(error: "IntegrityError", too_long: bool) -> None:
            if too_long:
                raise StorageError(f"{record.system}: the ledger stayed busy. Remedy: try again") from error

        number, entry = in_turn(self.engine, lambda connection: write_sealed(connection, row), lost)
        self._seals.keep(entry)
        return number

    def latest(self, kind: type[R], system: str) -> R | None:
        """The newest record of ``kind`` for ``system``, or None."""
        return next(self._newest_first(kind, system), None)

    def find(self, kind: type[R], system: str, digest: str, **exact: object) -> R | None:
        """The newest record of exactly this ``digest`` whose fields have the ``exact`` values, or None.

        One digest may have several records: an equal model can come from other features.
        """
        records = self._newest_first(kind, system, digest)
        return next((record for record in records if _has(record, exact)), None)

    def get(self, kind: type[R], system: str, digest: str, **exact: object) -> R:
        """The newest record of exactly this ``digest`` whose fields have the ``exact`` values.

        Raises:
            StorageError: if there is none.
        """
        record = self.find(kind, system, digest, **exact)
        if record is None:
            asked = "".join(f", {name} {str(value)[:12]}" for name, value in exact.items())
            raise StorageError(
                f"{system} has no {kind.stage} record {digest[:12]}{asked}. Remedy: restore the database of the records"
            )
        return record

    def history(self, kind: type[R], system: str) -> list[R]:
        """Every record of ``kind`` for ``system``, oldest first."""
        table = self._table
        query = table.select().where(table.c.system == system, table.c.stage == kind.stage).order_by(table.c.id)
        return [self._load(kind, row.body) for row in self._read(kind, system, query)]

    def published(
        self, kind: type[R], system: str, digest: str | None = None, newest: int | None = None
    ) -> "list[Published[R]]":
        """Records of ``kind`` for ``system``, all or those of one digest, or the newest few, oldest first."""
        table = self._table
        query = table.select().where(table.c.system == system, table.c.stage == kind.stage).order_by(table.c.id.desc())
        query = query if digest is None else query.where(table.c.digest == digest)
        rows = self._read(kind, system, query.limit(newest))
        return [Published(self._load(kind, row.body), _utc(row.created_at), row.run_id) for row in reversed(rows)]

    def position(self, kind: type[Record], system: str) -> int:
        """The sequence number of the newest record of ``kind``; 0 where there is none."""
        import sqlalchemy as sa

        table = self._table
        query = sa.select(sa.func.max(table.c.id)).where(table.c.system == system, table.c.stage == kind.stage)
        with self.engine.connect() as connection:
            self._seals.require(connection, system, kind.stage)
            return connection.execute(query).scalar() or 0

    def digests(self, kind: type[Record], system: str) -> set[str]:
        """The digests of every record of ``kind``: cheap, also for tens of thousands, of which none is missing.

        Whether each is what the ledger sealed shows when it is read.
        """
        import sqlalchemy as sa

        table = self._table
        query = sa.select(table.c.digest).where(table.c.system == system, table.c.stage == kind.stage)
        with self.engine.connect() as connection:
            self._seals.require(connection, system, kind.stage)
            return set(connection.execute(query).scalars())

    def _newest_first(self, kind: type[R], system: str, digest: str | None = None) -> Iterator[R]:
        """Records one by one, each read when it is asked for."""
        table, last = self._table, None
        query = table.select().where(table.c.system == system, table.c.stage == kind.stage)
        query = query if digest is None else query.where(table.c.digest == digest)
        query = query.order_by(table.c.id.desc()).limit(1)
        while True:
            rows = self._read(kind, system, query if last is None else query.where(table.c.id < last))
            if not rows:
                return
            last = rows[0].id
            yield self._load(kind, rows[0].body)

    def _read(self, kind: type[Record], system: str, query: "Select") -> "Sequence[Row]":
        """Rows of ``kind``, each as the ledger sealed it."""
        with self.engine.connect() as connection:
            rows = connection.execute(query).all()
            self._seals.require(connection, system, kind.stage, rows)
        return rows

    def _load(self, kind: type[R], body: str) -> R:
        try:
            return kind.model_validate(kind.upgraded(json.loads(body)))
        except (ValueError, TypeError, KeyError) as error:
            raise StorageError(
                f"A stored {kind.stage!r} record cannot be read by this release: {error}. "
                "Remedy: run the release that wrote it, or materialise the stage again."
            ) from error

    def fault(self, system: str) -> str:
        """The first record of ``system`` that is not what the ledger sealed, or is missing; empty if none is."""
        with self.engine.connect() as connection:
            return fault_of(connection, system)

    def accept(self, system: str, actor: str, reason: str) -> None:
        """Seal the records of ``system`` as they are, in the name of a person who knows why they are so."""
        with self.engine.begin() as connection:
            seal_as_found(connection, system, actor, reason)

    @cached_property
    def engine(self) -> "Engine":
        """The SQLAlchemy engine; the database is made, or migrated, on first use."""
        import sqlalchemy as sa
        from sqlalchemy import event

        from mlops_assets.storage.schema import prepare

        engine = sa.create_engine(self.url, pool_pre_ping=True)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _prepare_sqlite)
        prepare(engine)
        return engine

    @cached_property
    def _table(self) -> "Table":
        from mlops_assets.storage.schema import tables

        return tables().records


def _has(record: Record, exact: dict[str, object]) -> bool:
    return all(getattr(record, name) == value for name, value in exact.items())


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)  # SQLite keeps UTC without saying so


def _prepare_sqlite(connection, _) -> None:
    connection.execute("PRAGMA busy_timeout=30000")
    last = time.monotonic() + 30
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:  # of two that switch a fresh file, SQLite refuses one without waiting
            if time.monotonic() > last:
                raise
            time.sleep(0.01)
