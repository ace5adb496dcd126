"""What is no file, or has a time or name that no file should have: refused or handled by name, nothing waits for it."""

import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlops_assets.dataset.ingestion import ingest
from mlops_assets.dataset.landing import adopt, land, pending, pending_names, refused
from mlops_assets.errors import LandingError
from mlops_assets.storage.landing_limits import LandingLimits
from mlops_assets.storage.storage import Storage
from mlops_assets_tests.dataset.declaring import system

SPEC = system()
ROWS = b"x,note,y\n1,,a\n"
CONTENT_NAME = f"{'0' * 64}.csv"


@pytest.fixture
def zone(storage: Storage) -> Path:
    zone = Path(storage.landing("s"))
    zone.mkdir(parents=True)
    return zone


def dropped(path: Path, age: float = 10) -> Path:
    path.write_bytes(ROWS)
    os.utime(path, (time.time() - age, time.time() - age))
    return path


@pytest.mark.parametrize("name", ["export.csv", CONTENT_NAME])
def test_no_ingestion_waits_for_what_is_no_file(
    storage: Storage, zone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    os.mkfifo(zone / name)
    (zone / f"link-{name}").symlink_to(dropped(tmp_path / "elsewhere.csv"))
    (zone / f"zero-{name}").symlink_to("/dev/zero")
    (zone / f"folder-{name}").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(zone)  # the path of a socket must be short
        server.bind("s.csv")
    dropped(zone / "good.csv")
    [outcome] = ingest(storage, SPEC).outcomes
    assert (outcome.original, outcome.outcome) == ("good.csv", "accepted")
    what = {entry: reason.removesuffix(", not a file") for entry, reason in refused(storage, "s").items()}
    links = dict.fromkeys((f"link-{name}", f"zero-{name}"), "a symbolic link")
    assert what == {name: "a FIFO", f"folder-{name}": "a folder", "s.csv": "a socket", **links}
    assert (tmp_path / "elsewhere.csv").read_bytes() == ROWS


@pytest.mark.parametrize(
    ("source", "what"), [("/dev/zero", "a character device"), ("fifo", "a FIFO"), (".", "a folder")]
)
def test_landing_what_is_no_file_is_refused_at_once(storage: Storage, tmp_path: Path, source: str, what: str):
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(LandingError, match=f"cannot be read: it is {what}"):
        land(storage, "s", tmp_path / source)


def test_a_link_to_a_file_is_landed_as_that_file(storage: Storage, tmp_path: Path):
    (tmp_path / "link.csv").symlink_to(dropped(tmp_path / "rows.csv"))
    landed = land(storage, "s", tmp_path / "link.csv")
    assert not (Path(storage.landing("s")) / landed.file).is_symlink()


def test_a_file_larger_than_the_limit_is_refused_while_it_is_copied(storage: Storage, tmp_path: Path):
    small = Storage(storage.root, storage.database_url, limits=LandingLimits(bytes=10))
    with pytest.raises(LandingError, match=r"more than 10 bytes.*MLOPS_LANDING_LIMITS"):
        land(small, "s", dropped(tmp_path / "rows.csv"))
    assert pending(storage, "s") == []


def test_a_time_to_come_neither_waits_nor_makes_data_fresh_for_ever(storage: Storage, zone: Path):
    path = dropped(zone / "future.csv", age=-10 * 365 * 86_400)
    assert pending_names(storage, "s") == []
    time.sleep(2.1)
    assert pending_names(storage, "s") == [path.name]
    version = ingest(storage, SPEC).version
    assert version is not None
    assert version.newest_landed_at <= datetime.now(UTC)


@pytest.mark.parametrize("name", [b"\xff\xfe.csv", b"a\nb.csv", "\u202egnp.csv".encode(), b"$(id).csv"])
def test_no_name_of_a_file_stops_ingestion(storage: Storage, zone: Path, name: bytes):
    dropped(Path(os.fsdecode(os.fsencode(zone) + b"/" + name)))
    assert "\n".join(pending_names(storage, "s")).encode(errors="surrogateescape")
    [outcome] = ingest(storage, SPEC).outcomes
    assert outcome.outcome == "accepted"
    assert outcome.original.encode()


@pytest.mark.parametrize("receipt", [b"", b"{", b"[]", b"{}", b'{"file": 1}', b"\xff"])
def test_a_damaged_receipt_stops_nothing(storage: Storage, tmp_path: Path, receipt: bytes):
    landed = land(storage, "s", dropped(tmp_path / "rows.csv"))
    (Path(storage.landing("s")) / "_receipts" / f"{landed.batch}.json").write_bytes(receipt)
    adopt(storage, "s")
    [outcome] = ingest(storage, SPEC).outcomes
    assert (outcome.digest, outcome.outcome) == (landed.batch, "accepted")
