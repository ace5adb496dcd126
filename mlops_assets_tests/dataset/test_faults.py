"""Kill -9 in the middle of an append, and two ingestions of one system at once."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from mlops_assets.dataset.ingestion import ingest
from mlops_assets.dataset.landing import land
from mlops_assets.dataset.quarantine import read_quarantine
from mlops_assets.dataset.table import read_dataset
from mlops_assets.dataset.version import BatchOutcome, DatasetVersion
from mlops_assets.storage.storage import Storage
from mlops_assets_tests.dataset.declaring import system

ROWS = 400_000
KILLS = 10
"""Kills in a row of one write."""
SPEC = system({"k": {"type": "integer"}, "x": {"type": "float", "min": 0}, "y": {"type": "string"}}, key=["k"])
INGESTING = """
import sys
from mlops_assets.dataset.ingestion import ingest
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.storage.storage import Storage

ingest(Storage.local(sys.argv[1]), SystemSpec.model_validate_json(sys.argv[2]))
"""


def _first_rows_staged(tables: Path) -> bool:
    return any(tables.glob("dataset/part-*.parquet"))


def _files_complete(tables: Path) -> bool:
    return any(tables.glob("quarantine/_delta_log/*1.json"))


def _hashes_stored(tables: Path) -> bool:
    return any(tables.glob("seen/*.u64"))


def _committed(tables: Path) -> bool:
    return any(tables.glob("dataset/_delta_log/*1.json"))


@pytest.mark.parametrize("moment", [_first_rows_staged, _files_complete, _hashes_stored, _committed])
def test_a_killed_append_is_neither_lost_nor_doubled_nor_half(
    storage: Storage, tmp_path: Path, moment: Callable[[Path], bool]
):
    landed = land(storage, "s", _rows(tmp_path / "rows.parquet"))
    tables = Path(storage.table("s", "dataset")).parent
    _kill_when(_start(tmp_path), lambda: moment(tables))
    if moment is not _committed:  # from then on the killed process may have got as far as its records
        assert storage.records.history(DatasetVersion, "s") == []
    ingest(storage, SPEC)
    _assert_whole(storage, landed.batch)


def test_a_killed_append_leaves_the_last_good_version_readable(storage: Storage, tmp_path: Path):
    (tmp_path / "small.csv").write_text("k,x,y\n-1,1,a\n")
    land(storage, "s", tmp_path / "small.csv")
    before = ingest(storage, SPEC).version
    assert before is not None
    land(storage, "s", _rows(tmp_path / "rows.parquet"))
    files = Path(storage.table("s", "dataset"))
    _kill_when(_start(tmp_path), lambda: len(list(files.glob("part-*.parquet"))) > 1)
    assert storage.records.latest(DatasetVersion, "s") == before
    assert read_dataset(storage, before)["k"].to_list() == [-1]


@pytest.mark.soak("kills")  # the moments above are killed in the ordinary run too
@pytest.mark.parametrize("chain", range(20))
def test_a_write_killed_at_any_offset_is_never_read_and_in_the_end_there_once(
    storage: Storage, tmp_path: Path, chain: int, record_property: Callable[[str, object], None]
):
    (tmp_path / "small.csv").write_text("k,x,y\n-1,1,a\n")
    land(storage, "s", tmp_path / "small.csv")
    before = ingest(storage, SPEC).version
    assert before is not None
    batch = land(storage, "s", _rows(tmp_path / "rows.parquet")).batch
    record_property("kills", _kill_at_offsets(storage, tmp_path, before, random.Random(chain)))
    assert read_dataset(storage, before)["k"].to_list() == [-1]
    version = ingest(storage, SPEC).version
    assert version is not None
    assert sorted(read_dataset(storage, version)["k"]) == [-1, *range(1, ROWS)]
    assert [outcome.outcome for outcome in storage.records.history(BatchOutcome, "s") if outcome.digest == batch] == [
        "accepted"
    ]


def _kill_at_offsets(storage: Storage, folder: Path, before: DatasetVersion, chance: random.Random) -> int:
    """How many writes were killed: the chain ends where one had been committed."""
    tables, whole = Path(storage.table("s", "dataset")).parent, _bytes_of_a_whole_write(folder)
    for kill in range(KILLS):
        there, offset = _files(tables), chance.randrange(whole)
        _kill_when(_start(folder), lambda there=there, offset=offset: _written(tables, there) > offset)
        if any(tables.glob("dataset/_delta_log/*2.json")):
            return kill + 1
        assert storage.records.latest(DatasetVersion, "s") == before
        assert read_dataset(storage, before)["k"].to_list() == [-1]
    return KILLS


def test_two_ingestions_at_once_bring_in_every_batch_once(storage: Storage, tmp_path: Path):
    for index in range(8):
        path = tmp_path / f"{index}.csv"
        path.write_text("k,x,y\n" + "".join(f"{index * 100 + row},{row},a\n" for row in range(100)))
        land(storage, "s", path)
    workers = [_start(tmp_path) for _ in range(2)]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    version = storage.records.latest(DatasetVersion, "s")
    assert version is not None
    assert (version.rows, version.batches, version.duplicates, version.table_version) == (800, 8, 0, 8)
    assert sorted(read_dataset(storage, version)["k"]) == list(range(800))
    outcomes = {outcome.digest: outcome for outcome in storage.records.history(BatchOutcome, "s")}
    assert [outcome.accepted for outcome in outcomes.values()] == [100] * 8


def _rows(path: Path) -> Path:
    """Rows of which exactly one is quarantined."""
    frame = pl.DataFrame({"k": range(ROWS), "x": pl.int_range(ROWS, eager=True) - 1, "y": "a"})
    frame.write_parquet(path)
    return path


def _bytes_of_a_whole_write(folder: Path) -> int:
    other = Storage.local(folder / "whole")
    land(other, "s", folder / "rows.parquet")
    ingest(other, SPEC)
    return _written(Path(other.table("s", "dataset")).parent, set())


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def _written(folder: Path, before: set[Path]) -> int:
    sizes = []
    for path in _files(folder) - before:
        with contextlib.suppress(FileNotFoundError):  # renamed meanwhile
            sizes.append(path.stat().st_size)
    return sum(sizes)


def _start(folder: Path) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", INGESTING, str(folder), SPEC.model_dump_json()])


def _kill_when(worker: subprocess.Popen, reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not reached():
        assert worker.poll() is None, "the ingestion ended before the moment came"
        assert time.monotonic() < deadline
        time.sleep(0.0005)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()


def _assert_whole(storage: Storage, batch: str) -> None:
    outcome = storage.records.find(BatchOutcome, "s", batch)
    assert outcome is not None
    assert (outcome.outcome, outcome.accepted, outcome.quarantined) == ("accepted", ROWS - 1, 1)
    version = storage.records.latest(DatasetVersion, "s")
    assert version is not None
    assert (version.rows, version.batches, version.quarantined, version.duplicates) == (ROWS - 1, 1, 1, 0)
    rows = read_dataset(storage, version)
    assert rows["k"].to_list() == list(range(1, ROWS))
    assert rows["_row"].to_list() == list(range(2, ROWS + 1))
    assert read_quarantine(storage, "s").height == 1
