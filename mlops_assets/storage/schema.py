"""The schema of the platform's database: its tables, and how a database comes to have them."""

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from mlops_assets.errors import StorageError
from mlops_assets.storage.migrations import VERSION_TABLE

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, MetaData, Table

HEAD = "0004"
"""Revision that this release reads and writes: the last one in ``migrations/versions``."""
LOCK = 0x6D6C6F7073
"""Key of the advisory lock under which a PostgreSQL database is changed."""


class Tables(NamedTuple):
    """Every table, and the metadata that holds them."""

    metadata: "MetaData"
    records: "Table"
    ledger: "Table"
    outbox: "Table"
    messages: "Table"


@cache
def tables() -> Tables:
    """The tables as this release reads them."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    records = sa.Table(
        "mlops_records",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("system", sa.String(128), nullable=False),
        sa.Column("stage", sa.String(32), nullable=False),
        sa.Column("digest", sa.String(128), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("entry", sa.Integer),
        sa.Index("mlops_records_latest", "system", "stage", "id"),
        sa.Index("mlops_records_exact", "system", "stage", "digest"),
    )
    ledger = sa.Table(
        "mlops_ledger",
        metadata,
        sa.Column("system", sa.String(128), primary_key=True),
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(256), nullable=False),
        sa.Column("version", sa.Integer),
        sa.Column("previous", sa.Integer),
        sa.Column("generation", sa.Integer),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("model_digest", sa.String(64), nullable=False),
        sa.Column("report_digest", sa.String(64), nullable=False),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("hash_before", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.UniqueConstraint("system", "generation", name="mlops_ledger_one_champion"),
        sa.Index("mlops_ledger_time", "system", "at"),
        sa.Index("mlops_ledger_event", "system", "event", "sequence"),
        sa.Index("mlops_ledger_version", "system", "version", "sequence"),
    )
    outbox = sa.Table(
        "mlops_outbox",
        metadata,
        sa.Column("system", sa.String(128), primary_key=True),
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
    )
    messages = sa.Table(
        "mlops_messages",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Double),
        sa.Column("error", sa.Text, nullable=False),
        sa.Index("mlops_messages_due", "due_at"),
    )
    return Tables(metadata, records, ledger, outbox, messages)


def prepare(engine: "Engine") -> None:
    """Give the database the tables of this release: made where it is empty, migrated where it is older.

    Of a SQLite file that is migrated a copy stays beside it: ``platform.0003.db`` of ``platform.db``.

    Raises:
        StorageError: if a newer release has migrated the database.
    """
    if _revision(engine) == HEAD:
        return
    with engine.connect() as connection:
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        sqlite = engine.dialect.name == "sqlite"
        # SQLite takes one writer at a time from here on; PostgreSQL lets one process past the lock.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if sqlite else "BEGIN")
        try:
            if not sqlite:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
            _bring_to_head(connection)
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise
        connection.exec_driver_sql("COMMIT")


def _bring_to_head(connection: "Connection") -> None:
    import sqlalchemy as sa

    revision = _revision(connection)
    if revision == HEAD:
        return
    if revision is not None and revision > HEAD:
        raise StorageError(
            f"The database {connection.engine.url!r} has schema {revision}, this release knows {HEAD}. "
            "Remedy: run the newer release, or restore a copy from before its migration"
        )
    if revision is None and not sa.inspect(connection).has_table("mlops_records"):
        _make(connection)
    else:
        _keep_copy(connection, revision)
        _migrate(connection, revision)


def _keep_copy(connection: "Connection", revision: str | None) -> None:
    """The SQLite file as it is, beside it under the name of its revision: what an earlier release can go back to."""
    import sqlite3
    from contextlib import closing
    from pathlib import Path

    file = connection.engine.url.database
    if connection.dialect.name != "sqlite" or not file:
        return
    copy = Path(file).with_suffix(f".{revision or '0001'}{Path(file).suffix}")
    unfinished = copy.with_name(f"{copy.name}.part")
    unfinished.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(unfinished)) as target:
        source.backup(target)  # nobody writes meanwhile: the connection that migrates is the one writer
        target.execute("PRAGMA journal_mode=DELETE")
    unfinished.replace(copy)


def _make(connection: "Connection") -> None:
    import sqlalchemy as sa

    tables().metadata.create_all(connection, checkfirst=False)
    version = sa.Table(VERSION_TABLE, sa.MetaData(), sa.Column("version_num", sa.String(32), primary_key=True))
    version.create(connection, checkfirst=False)
    connection.execute(version.insert().values(version_num=HEAD))


def _migrate(connection: "Connection", revision: str | None) -> None:
    from alembic import command

    from mlops_assets.storage.migrations import configuration

    configured = configuration(connection)
    if revision is None:
        command.stamp(configured, "0001")  # made by a release from before there were migrations
    command.upgrade(configured, HEAD)


def _revision(bind: "Engine | Connection") -> str | None:
    """The revision that the database says it has; None for one without."""
    import sqlalchemy as sa

    if not sa.inspect(bind).has_table(VERSION_TABLE):
        return None
    query = sa.text(f"SELECT version_num FROM {VERSION_TABLE}")
    if isinstance(bind, sa.Connection):
        return bind.execute(query).scalar()
    with bind.connect() as connection:
        return connection.execute(query).scalar()
