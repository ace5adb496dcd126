"""The ledger: an append-only SQL table of every registration and every champion decision."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from mlops_assets.errors import StorageError
from mlops_assets.records import RecordStore, create

if TYPE_CHECKING:
    from sqlalchemy import Table

Event = Literal["registered", "promoted", "kept"]


@dataclass(frozen=True)
class Entry:
    """One event in the life of a system's versions."""

    system: str
    event: Event
    version: int
    reason: str
    model_digest: str
    report_digest: str
    run_id: str
    previous: int | None = None
    """Champion before the event."""
    generation: int | None = None
    """Number of the promotion; each number is given once."""
    at: datetime | None = None


class Ledger:
    """Who became champion, when and why; lives in the database of the records."""

    def __init__(self, records: RecordStore) -> None:
        self._records = records

    def append(self, entry: Entry) -> None:
        """Write ``entry``.

        Raises:
            StorageError: if another promotion took this generation first.
        """
        from sqlalchemy.exc import IntegrityError

        values = {name: value for name, value in vars(entry).items() if name != "at"}
        try:
            with self._records.engine.begin() as connection:
                connection.execute(self._table.insert().values(**values))
        except IntegrityError as error:
            raise StorageError(
                f"{entry.system}: generation {entry.generation} of the champion was decided by another run meanwhile. "
                "Remedy: materialise champion again; it compares with the new one."
            ) from error

    def append_once(self, entry: Entry) -> None:
        """Write ``entry`` unless this event of this version and report is there already."""
        import sqlalchemy as sa

        table = self._table
        values = {name: value for name, value in vars(entry).items() if name != "at"}
        same = [table.c[name] == values[name] for name in ("system", "event", "version", "report_digest")]
        row = sa.select(*(sa.literal(value, table.c[name].type) for name, value in values.items()))
        unless_there = row.where(~sa.exists().where(*same))
        with self._records.engine.begin() as connection:
            connection.execute(table.insert().from_select(list(values), unless_there))

    def champion(self, system: str) -> Entry | None:
        """The promotion that is in force, or None."""
        return next((entry for entry in reversed(self.entries(system)) if entry.event == "promoted"), None)

    def entries(self, system: str) -> list[Entry]:
        """Every entry of ``system``, oldest first."""
        table = self._table
        query = table.select().where(table.c.system == system).order_by(table.c.id)
        with self._records.engine.connect() as connection:
            rows = connection.execute(query).mappings()
            return [Entry(**{name: row[name] for name in Entry.__dataclass_fields__}) for row in rows]

    @cached_property
    def _table(self) -> "Table":
        import sqlalchemy as sa

        table = sa.Table(
            "mlops_ledger",
            sa.MetaData(),
            sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
            sa.Column("system", sa.String(128), nullable=False, index=True),
            sa.Column("event", sa.String(16), nullable=False),
            sa.Column("version", sa.Integer, nullable=False),
            sa.Column("previous", sa.Integer),
            sa.Column("generation", sa.Integer),
            sa.Column("reason", sa.Text, nullable=False),
            sa.Column("model_digest", sa.String(64), nullable=False),
            sa.Column("report_digest", sa.String(64), nullable=False),
            sa.Column("run_id", sa.String(64), nullable=False),
            sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
            sa.UniqueConstraint("system", "generation", name="mlops_ledger_one_promotion"),
        )
        create(self._records.engine, table)
        return table
