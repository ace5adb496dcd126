"""PostgreSQL under Dagster, MLflow, records and ledger: the same lifecycle, and the same promises."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from mlops_assets.resources.tracking import MlflowTracking
from mlops_assets.storage.ledger import Ledger
from mlops_assets.storage.ledger_entry import Entry, Event
from mlops_assets.storage.records import RecordStore
from mlops_assets_tests.crash import Child, command
from mlops_assets_tests.platform import Platform
from mlops_assets_tests.postgres import Postgres
from mlops_assets_tests.seaweed import ObjectStore
from mlops_assets_tests.storage.test_ledger import race
from mlops_assets_tests.storage.test_records import publish_at_once
from mlops_assets_tests.wine import ROWS, WINE, spec

AT_ONCE = 8


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with Postgres.running() as server:
        yield server


@pytest.mark.soak("environments")
def test_the_lifecycle_runs_with_everything_on_postgresql_and_s3_without_a_server_of_mlflow(
    postgres: Postgres, tmp_path: Path
):
    with ObjectStore.running(tmp_path) as store:
        store.make_bucket("mlops")
        run_everywhere_else(postgres, store, tmp_path / "home")


def run_everywhere_else(postgres: Postgres, store: ObjectStore, home: Path) -> None:
    """The line by databases, and buckets that the variables of AWS lead to: nothing but logs lies at home."""
    databases = {
        "MLOPS_DAGSTER_POSTGRES_URL": postgres.database("dagster"),
        "MLFLOW_TRACKING_URI": postgres.database("mlflow"),
        "MLOPS_DATABASE_URL": postgres.database("platform"),
    }
    buckets = {"MLOPS_STORAGE": "s3://mlops/lake", "MLFLOW_ARTIFACT_ROOT": "s3://mlops/mlflow", **store.environment}
    environment = {
        **databases,
        **buckets,
        "DAGSTER_HOME": str(home),
        "MLOPS_ENV": "staging",
        "MLOPS_EXECUTOR": "in_process",
    }

    def mlops(*words: str) -> dict:
        done = command(environment, "mlops_assets", *words, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    mlops("instance")  # doctor writes nothing
    healthy = {finding["subject"]: finding for finding in mlops("doctor")["findings"]}
    assert "PostgresRunStorage" in healthy["dagster"]["message"]
    assert all(healthy[subject]["message"].startswith("postgresql+psycopg2://") for subject in ("mlflow", "records"))

    assert mlops("land", WINE)["batches"][0]["new"] is True
    ran = mlops("run", WINE)
    assert (ran["exit_code"], ran["refusals"]) == (0, [])
    story = mlops("report", WINE)
    assert story["dataset"]["rows"] == ROWS
    assert (story["registered_version"]["version"], story["champion"]["champion"]) == (1, 1)
    assert mlops("run", WINE)["ran"] is False

    assert list(home.rglob("*.db")) == []
    stored = store.filesystem().find("mlops")
    assert [name for name in stored if name.startswith("mlops/mlflow/") and name.endswith("model.skops")]
    assert [name for name in stored if name.startswith(f"mlops/lake/tables/{WINE}/dataset/_delta_log/")]
    assert rows(databases["MLOPS_DAGSTER_POSTGRES_URL"], "SELECT status FROM runs") == [("SUCCESS",)]
    assert rows(databases["MLFLOW_TRACKING_URI"], "SELECT alias, version FROM registered_model_aliases") == [
        ("champion", 1)
    ]
    assert rows(
        databases["MLOPS_DATABASE_URL"],
        "SELECT event, generation FROM mlops_ledger WHERE event <> 'recorded' ORDER BY sequence",
    ) == [
        ("registered", None),
        ("verdict", None),
        ("promoted", 1),
    ]


def test_of_many_promoters_at_once_exactly_one_wins(postgres: Postgres):
    race(postgres.database("promoters"))


def test_records_of_many_writers_at_once_are_all_sealed(postgres: Postgres):
    publish_at_once(postgres.database("records_at_once"))


def test_tables_are_made_by_many_at_once(postgres: Postgres):
    url = postgres.database("fresh")
    together = threading.Barrier(AT_ONCE)

    def read(_: int) -> list[Entry]:
        together.wait()
        return Ledger(RecordStore(url)).entries(WINE)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert list(pool.map(read, range(AT_ONCE))) == [[]] * AT_ONCE


def test_an_event_of_a_version_is_written_once(postgres: Postgres):
    ledger = Ledger(RecordStore(postgres.database("events")))
    for version in (1, 1, 2):
        ledger.append_once(entry("registered", version))
    ledger.append(entry("verdict", 2))
    assert [(e.event, e.version) for e in ledger.entries(WINE)] == [
        ("registered", 1),
        ("registered", 2),
        ("verdict", 2),
    ]


@pytest.mark.slow
def test_a_fresh_mlflow_database_is_prepared_by_two_processes_at_once_and_carries_the_line(
    postgres: Postgres, tmp_path: Path
):
    uri = postgres.database("mlflow_fresh")
    children = [Child(prepare, uri, log=tmp_path / f"{number}.log") for number in range(2)]
    assert [child.result() for child in children] == [None, None]

    here = Platform(tmp_path)
    here.tracking = MlflowTracking(tracking_uri=uri, artifact_root=str(tmp_path / "artifacts"))
    here.storage = replace(here.storage, database_url=postgres.database("line"))
    here.land(spec())
    assert here.run(spec()).success
    assert here.registry(spec()).champion() == 1
    assert [(e.event, e.version, e.generation) for e in Ledger(here.storage.records).entries(WINE)] == [
        ("registered", 1, None),
        ("verdict", 1, None),
        ("promoted", 1, 1),
    ]
    assert not (tmp_path / "platform.db").exists()


def prepare(uri: str) -> None:
    MlflowTracking(tracking_uri=uri).ping()


def entry(event: Event, version: int, generation: int | None = None) -> Entry:
    return Entry(WINE, event, "reason", "ada", version, generation=generation)


def rows(url: str, query: str) -> list[tuple]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(sa.text(query))]
    engine.dispose()
    return found
