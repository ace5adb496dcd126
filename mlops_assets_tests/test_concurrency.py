"""Two runs of one system at once: nothing is doubled, one promotion wins, and the alias follows the ledger."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from mlops_assets.features.table import write_features
from mlops_assets.registry.aliases import settle
from mlops_assets.registry.promotion import _judgement
from mlops_assets.resources.model_registry import REPORT_TAG, LoggedModel, Registry
from mlops_assets.storage.ledger import Ledger
from mlops_assets.storage.ledger_entry import Entry
from mlops_assets.storage.records import RecordStore
from mlops_assets.storage.storage import Storage
from mlops_assets_tests.crash import CONTEXT, Child, Moment
from mlops_assets_tests.platform import Platform
from mlops_assets_tests.wine import ROWS, WINE, Ran, State, land_sample, platform, run, spec, state

AT_ONCE = 4


def test_two_runs_at_once_over_a_champion_make_one_version_and_one_promotion(folder: Path, tmp_path: Path):
    ends = two_runs(folder, tmp_path)
    assert_ended(ends)
    after = Child(state, folder, log=tmp_path / "log").result()
    assert_nothing_doubled(after, batches=2)
    assert [entry for entry in after.events if entry[0] == "promoted"] == [("promoted", 1, 1), ("promoted", 2, 2)]


def test_two_first_runs_at_once_on_empty_stores(tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir()
    Child(land_sample, home, log=tmp_path / "log").result()
    assert_ended(two_runs(home, tmp_path))
    after = Child(state, home, log=tmp_path / "log").result()
    assert_nothing_doubled(after, batches=1)
    assert [entry for entry in after.events if entry[0] == "promoted"] == [("promoted", 1, 1)]


def test_a_challenger_compared_with_a_champion_that_fell_meanwhile_is_refused(folder: Path, tmp_path: Path):
    judged = Moment("leaving", _judgement)
    ran = Child(run, folder, moment=judged, act=partial(promote, folder, 1, 2), log=tmp_path / "log").result()
    assert not ran.success
    assert "generation 2 of the champion was decided by another run" in ran.failures["champion"]
    after = Child(state, folder, log=tmp_path / "log").result()
    assert after.champion == after.promoted == 1


def test_the_alias_follows_the_ledger_when_another_promotion_overtakes_it(folder: Path, tmp_path: Path):
    moving = Moment("entering", Registry.point, call=2)
    ran = Child(run, folder, moment=moving, act=partial(promote, folder, 1, 3), log=tmp_path / "log").result()
    assert ran.success
    after = Child(state, folder, log=tmp_path / "log").result()
    assert after.champion == after.promoted == 1
    assert after.events[-2:] == [("promoted", 2, 2), ("promoted", 1, 3)]


def test_many_that_register_and_promote_the_same_report_at_once_leave_one_version_and_the_alias_on_it(tmp_path: Path):
    client = Platform(tmp_path).tracking.client
    model = client.create_logged_model("0")
    client.finalize_logged_model(model.model_id, "READY")
    together = threading.Barrier(AT_ONCE)

    def promote_report(system: str) -> int:
        registry = Registry(client, system)
        together.wait()
        version = registry.register(LoggedModel(f"models:/{model.model_id}", "", {REPORT_TAG: "r" * 64}))
        together.wait()
        registry.point("champion", version)
        return version

    for system in map("system_{}".format, range(10)):
        with ThreadPoolExecutor(AT_ONCE) as pool:
            promoted = set(pool.map(promote_report, [system] * AT_ONCE))
        found = client.search_model_versions(f"name = '{system}'")
        assert {int(version.version) for version in found} == promoted == {Registry(client, system).champion()}


@pytest.mark.parametrize("digests", [["a"] * AT_ONCE, list("abcd")], ids=["one version", "several versions"])
@pytest.mark.parametrize("exists", [False, True], ids=["first", "later"])
def test_features_written_at_once_hold_their_own_rows_only(storage: Storage, digests: list[str], exists: bool):
    places = {"_identity": range(100), "_part": "train", "_batch": "b", "_row": range(100)}
    rows = {digest: pl.DataFrame({"x": range(100), "y": digest, **places}) for digest in digests}
    if exists:
        write_features(storage, "s", rows["a"], "before")
    together = threading.Barrier(AT_ONCE)

    def write(digest: str) -> tuple[str, int]:
        together.wait()
        return digest, write_features(storage, "s", rows[digest], digest)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        written = set(pool.map(write, digests))
    assert len(written) == len(rows)
    for digest, version in written:
        stored = pl.read_delta(storage.table("s", "features"), version=version)
        assert stored.sort("x").equals(rows[digest]), version


def test_records_wait_for_another_process_that_makes_the_same_fresh_database(tmp_path: Path):
    other = sqlite3.connect(tmp_path / "records.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, other.rollback)
    release.start()
    assert Ledger(RecordStore(f"sqlite:///{tmp_path / 'records.db'}")).entries("s") == []
    release.join()


def two_runs(folder: Path, logs: Path) -> list[Ran]:
    together = CONTEXT.Barrier(2)
    children = [Child(run, folder, together=together, log=logs / f"{number}.log") for number in range(2)]
    return [child.result() for child in children]


def promote(folder: Path, version: int, generation: int) -> None:
    """What another run does meanwhile: its promotion, and its move of the alias."""
    here = platform(folder)
    ledger, registry = Ledger(here.storage.records), here.registry(spec())
    ledger.append(Entry(WINE, "promoted", "meanwhile", "another", version, generation=generation))
    settle(registry, ledger)


def assert_ended(ends: list[Ran]) -> None:
    """At least one succeeded; whoever did not was told that the other one promoted first."""
    assert any(end.success for end in ends), [end.failures for end in ends]
    for end in ends:
        assert set(end.failures) <= {"champion"}, end.failures
        assert end.success or "was decided by another run meanwhile" in end.failures["champion"]


def assert_nothing_doubled(after: State, batches: int) -> None:
    assert after.rows == after.features_rows == ROWS * batches
    assert len(after.batches) == batches
    assert {outcome for outcomes in after.batches.values() for outcome in outcomes} == {"accepted"}
    assert after.commits == {"dataset": batches + 1, "features": batches}
    assert len(after.reports) == len(set(after.reports)) == batches
    assert sorted(entry for entry in after.events if entry[0] == "registered") == [
        ("registered", version, None) for version in range(1, batches + 1)
    ]
    assert after.champion == after.promoted == batches
