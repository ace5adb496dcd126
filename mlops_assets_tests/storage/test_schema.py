"""The platform's database: made fresh, or migrated from what an earlier release left, to the same schema."""

import importlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from mlops_assets.errors import StorageError
from mlops_assets.storage.hash_chain import verify
from mlops_assets.storage.ledger import Ledger
from mlops_assets.storage.ledger_entry import Entry
from mlops_assets.storage.migrations import VERSION_TABLE, configuration
from mlops_assets.storage.records import Record, RecordStore
from mlops_assets.storage.schema import HEAD, tables
from mlops_assets_tests.postgres import Postgres

DIGEST = "d" * 64
Database = Callable[[str], str]


class Old(Record):
    stage = "s"

    @classmethod
    def upgraded(cls, body: dict[str, Any]) -> dict[str, Any]:
        return {"system": "wine", "digest": "d"}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Makes a fresh database of a name and returns its URL."""
    if request.param == "sqlite":
        folder = tmp_path_factory.mktemp("schema")
        yield lambda name: f"sqlite:///{folder / name}.db"
        return
    with Postgres.running() as server:
        yield server.database


def of_the_first_release(url: str, ledger: bool = True) -> str:
    """The database as release 0.1.0 left it: without a schema version, with two events in its ledger."""
    engine = sa.create_engine(url)
    with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        importlib.import_module("mlops_assets.storage.migrations.versions.0001_records_and_ledger").upgrade()
        record = "INSERT INTO mlops_records (system, stage, digest, body, run_id) VALUES ('wine', 's', 'd', '{}', 'r')"
        connection.execute(sa.text(record))
        if not ledger:
            connection.execute(sa.text("DROP TABLE mlops_ledger"))
            return url
        for version, event, generation in ((1, "registered", "NULL"), (1, "promoted", "1"), (2, "kept", "NULL")):
            connection.execute(
                sa.text(
                    "INSERT INTO mlops_ledger (system, event, version, generation, reason, model_digest, "
                    f"report_digest, run_id) VALUES ('wine', '{event}', {version}, {generation}, 'why', '{DIGEST}', "
                    f"'{DIGEST}', 'run')"
                )
            )
    return url


def differences(url: str) -> list:
    """What is in the database but not in the tables as this release reads them, or the other way round."""
    with sa.create_engine(url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        return compare_metadata(context, tables().metadata)


def test_the_last_revision_is_the_one_this_release_reads(tmp_path: Path):
    with sa.create_engine("sqlite://").connect() as connection:
        assert ScriptDirectory.from_config(configuration(connection)).get_heads() == [HEAD]


def test_a_fresh_database_has_the_schema(database: Database):
    url = database("fresh")
    RecordStore(url).engine.dispose()
    assert differences(url) == []


def test_a_database_of_the_first_release_is_migrated_and_its_ledger_chained(database: Database):
    url = of_the_first_release(database("first"))
    ledger = Ledger(RecordStore(url))
    entries = ledger.entries("wine")
    assert [(one.sequence, one.event, one.version) for one in entries] == [
        (1, "registered", 1),
        (2, "promoted", 1),
        (3, "verdict", 2),
    ]
    assert {one.actor for one in entries} == {"unknown"}
    assert all(one.at.endswith("Z") and len(one.at) == 27 for one in entries)
    assert verify("wine", ledger.chain("wine")).ok
    champion = ledger.champion("wine")
    assert champion and (champion.version, champion.generation) == (1, 1)
    assert differences(url) == []

    records = RecordStore(url)
    assert len(records.history(Old, "wine")) == 1
    assert records.fault("wine") == ""
    sealed = ledger.entries("wine", "recorded")
    assert [(one.sequence, one.reason) for one in sealed] == [
        (4, "1 records of an earlier release, sealed as the migration of the database found them")
    ]


def test_a_record_of_an_earlier_release_is_sealed_as_it_was_found(database: Database):
    url = of_the_first_release(database("sealed"))
    with RecordStore(url).engine.begin() as connection:
        connection.execute(sa.text("UPDATE mlops_records SET run_id = 'another'"))
    with pytest.raises(StorageError, match=r"The s record d of wine \(number 1\) is not what entry 4"):
        RecordStore(url).latest(Old, "wine")
    RecordStore(url).accept("wine", "ada", "it was us")
    assert RecordStore(url).latest(Old, "wine")


def test_a_sqlite_file_is_kept_as_it_was_before_its_migration(tmp_path: Path):
    """Copied back, it is the database that the earlier release left."""
    url = of_the_first_release(f"sqlite:///{tmp_path / 'platform.db'}")
    ledger = Ledger(RecordStore(url))
    ledger.append(Entry("wine", "verdict", "after", "ada"))
    assert {path.name for path in tmp_path.glob("*.db*")} >= {"platform.db", "platform.0001.db"}
    with sa.create_engine(f"sqlite:///{tmp_path / 'platform.0001.db'}").connect() as connection:
        assert not sa.inspect(connection).has_table(VERSION_TABLE)
        assert "entry" not in {column["name"] for column in sa.inspect(connection).get_columns("mlops_records")}
        query = "SELECT event, version, generation FROM mlops_ledger ORDER BY id"
        assert connection.execute(sa.text(query)).all() == [
            ("registered", 1, None),
            ("promoted", 1, 1),
            ("kept", 2, None),
        ]


def test_a_first_release_without_a_ledger_yet_is_migrated(database: Database):
    url = of_the_first_release(database("unused"), ledger=False)
    assert Ledger(RecordStore(url)).entries("wine") == []
    assert differences(url) == []


def test_many_that_open_an_old_database_at_once_migrate_it_once(database: Database):
    url = of_the_first_release(database("crowd"))

    def count(_: int) -> int:
        return len(Ledger(RecordStore(url)).entries("wine"))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(count, range(16))) == [3] * 16
    assert differences(url) == []


def test_a_database_of_a_newer_release_is_refused(database: Database):
    url = database("newer")
    engine = RecordStore(url).engine
    with engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(StorageError, match="has schema 9999, this release knows"):
        Ledger(RecordStore(url)).entries("wine")
