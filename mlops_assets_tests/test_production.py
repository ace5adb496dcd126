"""The page "PostgreSQL + S3", command by command, from the installed wheel; and what of it must never be seen."""

import base64
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import pytest
import requests
import sqlalchemy as sa

from mlops_assets.resources.redaction import without_login
from mlops_assets_tests.processes import Server
from mlops_assets_tests.production import BUCKET, SECRETS, Production, blocks, names
from mlops_assets_tests.wheel import Installed

pytestmark = pytest.mark.slow
SECONDS = 60
"""A run whose MLflow is gone has ended by then, on a busy machine too."""


@dataclass(frozen=True)
class Life:
    """What came of the page, and what a killed MLflow left in the middle of it."""

    production: Production
    failed: int
    """Exit code of the run whose MLflow was killed."""
    told: str
    seconds: float
    left: tuple[list[int], list[str]]
    """Versions and ledger after that run."""


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory, wheel: Installed) -> Iterator[Production]:
    with Production.running(tmp_path_factory.mktemp("production"), wheel.env / "bin") as servers:
        yield servers


@pytest.fixture(scope="module")
def life(production: Production) -> Life:
    """Champion, a run whose MLflow is killed before it registers, the run after it, approval, rollback, proof."""
    _, doctor = blocks("The machines of the platform")
    begin, declare, renew = blocks("From a file to a champion")
    for commands in blocks("Databases and bucket"):
        production.run(commands)
    with production.mlflow() as server:
        for commands in (doctor, begin, declare):
            production.run(commands)
        cut_off = run_and_kill(production, renew, server)
        left = (versions(production), events(production))
    with production.mlflow():
        for commands in (renew, *blocks("Approval, rollback, proof")):
            production.run(commands)
    return Life(production, *cut_off, left)


def test_the_page_names_every_variable_that_the_machines_were_given(production: Production):
    server, machine = blocks("The MLflow server")[0], blocks("The machines of the platform")[0]
    assert set(names(server)) <= set(production.server_settings)
    assert names(machine) == list(production.settings)


def test_the_page_leads_from_a_file_to_champion_approval_rollback_verify_and_card(life: Life):
    assert events(life.production) == [
        *("registered 1", "verdict 1", "promoted 1"),
        *("registered 2", "verdict 2", "requested 2"),
        *("approved 2", "promoted 2", "rolled back 1"),
    ]
    assert versions(life.production) == [1, 2]
    aliases = rows(life.production, "mlflow", "SELECT alias, version FROM registered_model_aliases ORDER BY alias")
    assert dict(aliases)["champion"] == 1
    assert "✓ round_trip" in life.production.printed[-1]
    assert "cultivar" in (life.production.folder / "work" / "card.html").read_text(encoding="utf-8")


def test_an_mlflow_that_dies_in_the_middle_fails_the_run_by_name_and_registers_nothing_by_half(life: Life):
    assert life.failed == 1, life.told
    assert re.search(r"TrackingError: MLflow at 'http://ada:\*\*\*@127\.0\.0\.1:\d+' is out of reach", life.told)
    assert life.left == ([1], ["registered 1", "verdict 1", "promoted 1"])
    assert life.seconds < SECONDS


def test_nothing_lies_beside_the_servers(life: Life):
    stored = set(life.production.objects())
    for place in ("lake/landing/wine/", "lake/tables/wine/dataset/_delta_log/", "mlflow/"):
        assert [name for name in stored if name.startswith(f"{BUCKET}/{place}")], place
    home = life.production.folder / "home"
    assert [path.name for path in home.rglob("*") if path.suffix in (".db", ".parquet", ".skops")] == []


def test_who_does_not_log_in_reaches_nothing(life: Life):
    address, _, _ = without_login(life.production.mlflow_uri)
    assert requests.get(f"{address}/health", timeout=10).status_code == 401


def test_no_secret_is_in_anything_that_runs_leave_behind(life: Life):
    """Event log, compute logs, run logs, records, ledger, MLflow, tables, reports, card and what commands print."""
    left = everything(life)
    assert {place for place, text in left.items() if b"wine" in text} >= {"records", "dagster", "mlflow", "printed"}
    forms = [form.encode() for secret in SECRETS.values() for form in spelled(secret)]
    assert [f"{place}: {form.decode()}" for place, text in left.items() for form in forms if form in text] == []


def run_and_kill(production: Production, commands: str, server: Server) -> tuple[int, str, float]:
    """Kill MLflow once the run has evaluated its model; how the run ends, what it tells, and seconds from then on."""
    process, told, killed = production.start(commands), [], 0.0
    assert process.stdout is not None
    for line in process.stdout:
        told.append(line)
        if "✓ evaluation" in line:
            server.kill()
            killed = time.monotonic()
    assert killed, "".join(told)
    return process.wait(), "".join(told), time.monotonic() - killed


def versions(production: Production) -> list[int]:
    return [version for (version,) in rows(production, "mlflow", "SELECT version FROM model_versions ORDER BY version")]


def events(production: Production) -> list[str]:
    entries = rows(
        production, "records", "SELECT event, version FROM mlops_ledger WHERE event <> 'recorded' ORDER BY sequence"
    )
    return [f"{event} {version}" for event, version in entries]


def rows(production: Production, database: str, query: str) -> list[tuple]:
    engine = sa.create_engine(production.database(database))
    with engine.connect() as connection:
        read = [tuple(row) for row in connection.execute(sa.text(query))]
    engine.dispose()
    return read


def everything(life: Life) -> dict[str, bytes]:
    """The bytes of every store, file and answer, by where they lie."""
    production = life.production
    folders = [production.folder / name for name in ("home", "work")]
    files = {str(path): path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}
    dumps = {name: production.postgres.dump(name).encode() for name in ("records", "dagster", "mlflow")}
    return {**files, **dumps, **production.objects(), "printed": "".join([*production.printed, life.told]).encode()}


def spelled(secret: str) -> list[str]:
    """A secret as it is, as a URL holds it, and as a login header does."""
    return [secret, quote(secret, safe=""), base64.b64encode(f"ada:{secret}".encode()).decode()]
