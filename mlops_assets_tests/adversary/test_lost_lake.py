"""A lake that is lost, older or damaged: noticed before anything is read, mended only on the record."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_assets.dataset.ingestion import ingest, retract
from mlops_assets.dataset.landing import land
from mlops_assets.dataset.reingestion import reopen
from mlops_assets.dataset.table import read_dataset
from mlops_assets.dataset.version import BatchOutcome, DatasetVersion, LakeLoss
from mlops_assets.errors import StorageError
from mlops_assets.storage.storage import Storage
from mlops_assets_tests.dataset.declaring import system

SPEC = system()


def brought_in(storage: Storage, folder: Path, *numbers: int, anew: bool = False) -> list[str]:
    """Batches of one row each, each ingested by itself."""
    batches = []
    for number in numbers:
        (folder / f"{number}.csv").write_text(f"x,note,y\n{number},,a\n")
        batches.append(land(storage, "s", folder / f"{number}.csv", anew=anew).batch)
        if not anew:
            ingest(storage, SPEC)
    return batches


def table(storage: Storage) -> Path:
    return Path(storage.table("s", "dataset"))


def cells(storage: Storage) -> list[float]:
    version = ingest(storage, SPEC).version
    assert version is not None
    return sorted(read_dataset(storage, version)["x"])


def gone(storage: Storage) -> None:
    shutil.rmtree(table(storage))


def older(storage: Storage) -> None:
    log = table(storage) / "_delta_log"
    for commit in sorted(log.iterdir())[2:]:
        shutil.rmtree(commit) if commit.is_dir() else commit.unlink()


def another(storage: Storage) -> None:
    other = Storage.local(Path(storage.root).parent / "other")
    brought_in(other, Path(storage.root).parent, 7, 8, 9)
    shutil.rmtree(table(storage))
    shutil.copytree(table(other), table(storage))


def without_a_file(storage: Storage) -> None:
    next(table(storage).glob("*.parquet")).unlink()


def with_a_file_cut_off(storage: Storage) -> None:
    file = next(table(storage).glob("*.parquet"))
    file.write_bytes(file.read_bytes()[:-10])


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (gone, "there is no table, recorded are 3 rows of 3 batches"),
        (older, "it ends with commit 1, recorded are 3 rows"),
        (another, "it holds 3 rows of 3 batches"),
        (without_a_file, "1 of its files are missing or cut off"),
        (with_a_file_cut_off, "1 of its files are missing or cut off"),
    ],
)
def test_no_ingestion_succeeds_on_a_lake_that_lost_rows(
    storage: Storage, tmp_path: Path, harm: Callable[[Storage], None], said: str
):
    first, *_ = brought_in(storage, tmp_path, 1, 2, 3)
    harm(storage)
    for _ in range(2):
        with pytest.raises(StorageError, match=said) as refusal:
            ingest(storage, SPEC)
        assert "Remedy: restore" in str(refusal.value) and "mlops land s --reingest" in str(refusal.value)
    with pytest.raises(StorageError, match=said):
        retract(storage, SPEC, first, "why")


def test_files_landed_again_after_a_lost_lake_are_read_again_and_the_loss_is_on_record(
    storage: Storage, tmp_path: Path
):
    batches = brought_in(storage, tmp_path, 1, 2, 3)
    shutil.rmtree(storage.root)
    assert brought_in(storage, tmp_path, 1, 2, anew=True) == batches[:2]
    done = reopen(storage, "s", "ann", batches[:2])
    assert [outcome.digest for outcome in done.reopened] == batches[:2]
    assert [outcome.digest for outcome in done.still_lost] == batches[2:]
    assert cells(storage) == [1.0, 2.0]
    loss = storage.records.latest(LakeLoss, "s")
    assert loss is not None
    assert (loss.actor, loss.table_version, loss.lost) == ("ann", None, batches)
    fates = [outcome.outcome for outcome in storage.records.history(BatchOutcome, "s") if outcome.digest == batches[0]]
    assert fates == ["accepted", "reopened", "accepted"]
    brought_in(storage, tmp_path, 4)
    assert cells(storage) == [1.0, 2.0, 4.0]
    gone(storage)
    with pytest.raises(StorageError, match="there is no table, recorded are 3 rows"):
        ingest(storage, SPEC)


def test_a_table_without_its_files_is_not_gone_on_with(storage: Storage, tmp_path: Path):
    brought_in(storage, tmp_path, 1, 2)
    without_a_file(storage)
    with pytest.raises(StorageError, match="cannot be added to: 1 of its files are missing"):
        reopen(storage, "s", "ann")
    gone(storage)
    reopen(storage, "s", "ann")
    assert cells(storage) == [1.0, 2.0]


def test_an_older_lake_takes_back_what_still_lies_in_the_landing_zone(storage: Storage, tmp_path: Path):
    batches = brought_in(storage, tmp_path, 1, 2, 3)
    older(storage)
    assert [outcome.digest for outcome in reopen(storage, "s", "ann").reopened] == batches[1:]
    assert cells(storage) == [1.0, 2.0, 3.0]


def test_a_whole_lake_doubles_nothing_when_files_are_offered_again(storage: Storage, tmp_path: Path):
    batches = brought_in(storage, tmp_path, 1, 2)
    assert reopen(storage, "s", "ann", batches).reopened == []
    assert cells(storage) == [1.0, 2.0]
    assert storage.records.latest(LakeLoss, "s") is None


def test_a_retracted_batch_stays_out_and_a_rejected_one_is_read_again(storage: Storage, tmp_path: Path):
    kept, out = brought_in(storage, tmp_path, 1, 2)
    retract(storage, SPEC, out, "wrong")
    zone = Path(storage.landing("s"))
    (rejected,) = brought_in(storage, tmp_path, 3, anew=True)
    (zone / f"{rejected}.csv").write_text("changed")
    ingest(storage, SPEC)
    (again,) = brought_in(storage, tmp_path, 3, anew=True)
    assert [outcome.digest for outcome in reopen(storage, "s", "ann", [kept, out, again]).reopened] == [rejected]
    assert cells(storage) == [1.0, 3.0]


def test_lost_records_are_made_again_from_the_log_of_the_table(storage: Storage, tmp_path: Path):
    brought_in(storage, tmp_path, 1, 2, 3)
    fresh = Storage(storage.root, f"sqlite:///{tmp_path / 'fresh.db'}")
    assert cells(fresh) == [1.0, 2.0, 3.0]
    assert fresh.records.latest(DatasetVersion, "s") == storage.records.latest(DatasetVersion, "s")
    assert [o.outcome for o in fresh.records.history(BatchOutcome, "s")] == ["accepted"] * 3
