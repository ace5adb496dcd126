import hashlib
import os
import time
from pathlib import Path

import fsspec
import pandas as pd
import polars as pl
import pytest

from mlops_assets.dataset.ingestion import ingest
from mlops_assets.dataset.landing import adopt, land, land_sample, pending, pending_names
from mlops_assets.dataset.version import BatchOutcome
from mlops_assets.errors import LandingError, SpecError
from mlops_assets.storage.storage import Storage
from mlops_assets_tests.dataset.declaring import system

ROWS = b"x,note,y\n1,,a\n2,,b\n"


def polars_rows() -> pl.DataFrame:
    return pl.DataFrame({"x": [0.1, 2.0], "note": ["é", None], "y": ["a", "b"]})


def pandas_rows() -> pd.DataFrame:
    return polars_rows().to_pandas()


def no_rows() -> list[int]:
    return []


def test_a_landed_file_is_named_by_its_content_and_keeps_its_suffixes(storage: Storage, tmp_path: Path):
    source = _file(tmp_path / "My data.CSV.gz")
    landed = land(storage, "s", source)
    digest = hashlib.sha256(ROWS).hexdigest()
    assert (landed.batch, landed.file, landed.original) == (digest, f"{digest}.csv.gz", "My data.CSV.gz")
    assert landed.new
    assert landed.bytes == len(ROWS)
    assert (Path(storage.landing("s")) / landed.file).read_bytes() == ROWS


def test_the_same_bytes_are_one_batch_under_any_name(storage: Storage, tmp_path: Path):
    first = land(storage, "s", _file(tmp_path / "one.csv"))
    second = land(storage, "s", _file(tmp_path / "two.txt"))
    assert not second.new
    assert (second.batch, second.file, second.original) == (first.batch, first.file, "one.csv")
    assert "landed as 'one.csv'" in second.note
    assert pending_names(storage, "s") == [first.file]


def test_nothing_half_written_is_left_when_the_source_breaks_off(storage: Storage, tmp_path: Path):
    with pytest.raises(RuntimeError, match="cable"):
        land(storage, "s", _file(tmp_path / "one.csv"), on_progress=_pull_the_cable)
    assert pending_names(storage, "s") == []
    assert [path.name for path in Path(storage.landing("s")).iterdir()] == ["_receipts"]


def test_progress_tells_bytes_and_total(storage: Storage, tmp_path: Path):
    told: list[tuple[int, int | None]] = []
    land(storage, "s", _file(tmp_path / "one.csv"), on_progress=lambda done, total: told.append((done, total)))
    assert told == [(len(ROWS), len(ROWS))]


def test_an_fsspec_url_can_be_landed(storage: Storage):
    fsspec.filesystem("memory").pipe_file("/in/rows.csv", ROWS)
    assert land(storage, "s", "memory://in/rows.csv?token=secret".partition("?")[0]).original == "rows.csv"


@pytest.mark.parametrize("source", ["/nowhere/rows.csv", "memory://nowhere/rows.csv", "nonsense://x/rows.csv"])
def test_an_unreadable_source_is_refused(storage: Storage, source: str):
    with pytest.raises(LandingError, match=r"rows\.csv' cannot be read.*Remedy"):
        land(storage, "s", source)


def test_the_zone_works_on_another_filesystem(tmp_path: Path):
    storage = Storage(root="memory://zone-test/lake", database_url=f"sqlite:///{tmp_path / 'records.db'}")
    landed = land(storage, "s", _file(tmp_path / "one.csv"))
    assert pending(storage, "s")[0].original == "one.csv"
    assert not land(storage, "s", tmp_path / "one.csv").new
    assert pending_names(storage, "s") == [landed.file]


@pytest.mark.parametrize("function", ["polars_rows", "pandas_rows"])
def test_the_sample_lands_the_same_bytes_every_time(storage: Storage, function: str):
    spec = system(sample=f"{__name__}:{function}")
    first, second = land_sample(storage, spec), land_sample(storage, spec)
    assert (first.original, first.new, second.new) == ("s_sample.csv", True, False)
    ingestion = ingest(storage, spec)
    assert [outcome.accepted for outcome in ingestion.outcomes] == [2]


def test_a_system_without_a_sample_is_refused(storage: Storage):
    with pytest.raises(SpecError, match=r"'s' declares no dataset\.sample"):
        land_sample(storage, system())


def test_a_sample_that_is_no_frame_is_refused(storage: Storage):
    with pytest.raises(SpecError, match="returned list; a pandas or polars frame is needed"):
        land_sample(storage, system(sample=f"{__name__}:no_rows"))


def test_a_dropped_file_is_adopted(storage: Storage):
    dropped = _drop(storage, "export final.csv")
    assert pending_names(storage, "s") == ["export final.csv"]
    [adopted] = adopt(storage, "s")
    assert (adopted.original, adopted.batch) == ("export final.csv", hashlib.sha256(ROWS).hexdigest())
    assert not dropped.exists()
    assert pending_names(storage, "s") == [adopted.file]
    assert pending(storage, "s") == [adopted]
    assert adopt(storage, "s") == []


def test_a_dropped_copy_of_a_landed_file_is_the_same_batch(storage: Storage, tmp_path: Path):
    landed = land(storage, "s", _file(tmp_path / "one.csv"))
    dropped = _drop(storage, "copy.csv")
    adopt(storage, "s")
    assert not dropped.exists()
    assert [batch.original for batch in pending(storage, "s")] == ["one.csv"]
    assert pending_names(storage, "s") == [landed.file]


def test_a_drop_that_bears_a_false_content_name_gets_its_own(storage: Storage):
    _drop(storage, f"{'0' * 64}.csv")
    [adopted] = adopt(storage, "s")
    assert adopted.batch == hashlib.sha256(ROWS).hexdigest()
    assert pending_names(storage, "s") == [adopted.file]


def test_a_drop_still_being_written_is_left_alone(storage: Storage):
    _drop(storage, "growing.csv", age=0)
    assert pending_names(storage, "s") == []
    assert adopt(storage, "s") == []


@pytest.mark.parametrize("name", [".hidden.csv", "_private.csv", "rows.csv.part", "rows.csv.tmp", "rows.csv~"])
def test_hidden_and_temporary_names_are_ignored(storage: Storage, name: str):
    _drop(storage, name)
    assert pending_names(storage, "s") == []


def test_a_folder_in_the_zone_is_ignored(storage: Storage):
    folder = Path(storage.landing("s")) / "old"
    folder.mkdir(parents=True)
    os.utime(folder, (0, 0))
    assert pending_names(storage, "s") == []


def test_batches_wait_oldest_first(storage: Storage, tmp_path: Path):
    for index, name in enumerate(["c.csv", "a.csv", "b.csv"]):
        land(storage, "s", _file(tmp_path / name, ROWS + str(index).encode()))
    assert [batch.original for batch in pending(storage, "s")] == ["c.csv", "a.csv", "b.csv"]


def test_a_lost_receipt_costs_only_the_original_name(storage: Storage, tmp_path: Path):
    landed = land(storage, "s", _file(tmp_path / "one.csv"))
    for receipt in (Path(storage.landing("s")) / "_receipts").iterdir():
        receipt.unlink()
    [found] = pending(storage, "s")
    assert (found.batch, found.original) == (landed.batch, landed.file)
    assert abs((found.landed_at - landed.landed_at).total_seconds()) < 5
    assert not land(storage, "s", tmp_path / "one.csv").new


def test_a_sensor_tick_is_cheap_with_ten_thousand_files(storage: Storage):
    zone = Path(storage.landing("s"))
    zone.mkdir(parents=True)
    names = [f"{index:064x}.csv" for index in range(10_000)]
    for name in names:
        (zone / name).touch()
    landed = {"file": "f", "original": "o", "landed_at": "2026-01-01T00:00:00Z", "outcome": "accepted"}
    decided = BatchOutcome.model_validate({"system": "s", "digest": names[0][:64], **landed})
    storage.records.append(decided)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        assert pending_names(storage, "s") == names[1:]
        seconds.append(time.perf_counter() - start)
    assert min(seconds) <= 0.5


def _file(path: Path, content: bytes = ROWS) -> Path:
    path.write_bytes(content)
    return path


def _drop(storage: Storage, name: str, age: float = 10) -> Path:
    path = Path(storage.landing("s")) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    _file(path)
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def _pull_the_cable(done: int, total: int | None) -> None:
    raise RuntimeError("cable")
