"""Nested, bombed, odd, flipped and truncated files: each is a named rejection, soon, and the next batch is read."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from mlops_assets.dataset.ingestion import ingest, retract
from mlops_assets.dataset.landing import land
from mlops_assets.dataset.reading import separate
from mlops_assets.dataset.version import BatchOutcome
from mlops_assets.errors import StorageError
from mlops_assets.storage.landing_limits import LandingLimits
from mlops_assets.storage.storage import Storage
from mlops_assets_tests.dataset.declaring import COLUMNS, system
from mlops_assets_tests.dataset.hostile_files import BOMBS, FORMS, GOOD, KINDS, every_format, holding

SPEC = system()
SECONDS, MEMORY = 10, 1 << 30
QUICK = (
    "2,000 brackets",
    "brackets after many rows",
    "spaces in zstd",
    "one text for every row",
    "five million columns",
)


def rejected(storage: Storage, name: str, content: bytes, folder: Path) -> BatchOutcome:
    """The fate of a file; a good one that lands after it is accepted whatever that was."""
    (folder / name).write_bytes(content)
    hostile = land(storage, "s", folder / name).batch
    number = len(list(folder.glob("good-*")))
    (folder / f"good-{number}.csv").write_bytes(GOOD + b"%d,n,b\n" % (1000 + number))
    land(storage, "s", folder / f"good-{number}.csv")
    fates = {outcome.digest: outcome for outcome in ingest(storage, SPEC).outcomes}
    outcome = fates.pop(hostile)
    assert [fate.outcome for fate in fates.values()] == ["accepted"]
    return outcome


@dataclass
class Watch:
    """Seconds and bytes that something took, readers in their own processes included."""

    seconds: float = 0.0
    bytes: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Watch":
        self._begun, self._before = time.process_time(), _resident()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        started = time.monotonic()
        while not self._over.wait(0.01):
            self.bytes = max(self.bytes, _resident() - self._before)
        self.seconds = time.monotonic() - started


def _resident() -> int:
    us = psutil.Process()
    sizes = []
    for process in [us, *us.children(recursive=True)]:
        try:
            sizes.append(process.memory_info().rss)
        except psutil.NoSuchProcess:
            continue
    return sum(sizes)


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.soak("attacks")) for name in BOMBS]
)
def test_a_bomb_ends_as_a_rejection_within_seconds_and_a_gibibyte(
    storage: Storage, tmp_path: Path, name: str, record_property: Callable[[str, object], None]
):
    file, make, rule = BOMBS[name]
    content = make()
    assert len(content) <= 10_000_000
    with Watch() as watch:
        outcome = rejected(storage, file, content, tmp_path)
    record_property("seconds", f"{watch.seconds:.1f}")
    record_property("MiB", watch.bytes >> 20)
    assert outcome.outcome == "rejected"
    assert outcome.reason.startswith(rule)
    assert "Remedy: " in outcome.reason
    assert watch.bytes < MEMORY
    assert watch.seconds < SECONDS


@pytest.mark.parametrize(
    ("kind", "step"),
    [("string", 5), *(pytest.param(kind, 1, marks=pytest.mark.soak("attacks")) for kind in KINDS)],
)
def test_no_form_of_parquet_stops_ingestion(storage: Storage, tmp_path: Path, kind: str, step: int):
    spec = system({**COLUMNS, "x": {"type": kind, "nullable": True}}, max_quarantined=1)
    names = {}
    for number, (name, form) in enumerate(list(FORMS.items())[::step]):
        (tmp_path / f"{number}.parquet").write_bytes(holding(form))
        names[land(storage, "s", tmp_path / f"{number}.parquet").batch] = name
    (tmp_path / "good.csv").write_bytes(GOOD.replace(b"x,note,y", b"z,note,y,x").replace(b",a\n", b",a,\n"))
    last = land(storage, "s", tmp_path / "good.csv").batch
    fates = {outcome.digest: outcome for outcome in ingest(storage, spec).outcomes}
    assert fates.pop(last).outcome == "accepted"
    assert fates.keys() == names.keys()
    assert all("Remedy: " in fate.reason for fate in fates.values() if fate.outcome == "rejected")


@pytest.mark.parametrize(
    ("formats", "times"),
    [(("r.csv.gz", "r.jsonl", "r-snappy.parquet"), 4), pytest.param(None, 60, marks=pytest.mark.soak("attacks"))],
)
def test_flipped_and_truncated_files_never_stop_ingestion(
    storage: Storage, tmp_path: Path, formats: tuple[str, ...] | None, times: int
):
    chance, expected = random.Random(10), set()
    for name, content in every_format().items():
        for number in range(times if formats is None or name in formats else 0):
            damaged = bytearray(content[: chance.randrange(len(content))] if number % 2 else content)
            for _ in range(chance.randrange(1, 9) if damaged else 0):
                damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
            (tmp_path / f"{number}-{name}").write_bytes(damaged)
            expected.add(land(storage, "s", tmp_path / f"{number}-{name}").batch)
    (tmp_path / "good.csv").write_bytes(GOOD)
    last = land(storage, "s", tmp_path / "good.csv").batch
    fates = {outcome.digest: outcome for outcome in ingest(storage, SPEC).outcomes}
    assert fates.pop(last).outcome == "accepted"
    assert fates.keys() == expected
    assert all("Remedy: " in fate.reason for fate in fates.values() if fate.outcome == "rejected")


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_a_reader_that_always_dies_is_a_rejection(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
):
    ask = separate.Reader.ask

    def deadly(reader: separate.Reader, request: separate.ReadRequest) -> list[str]:
        reader._require_started()
        os.kill(reader._process.pid, number)
        return ask(reader, request)

    monkeypatch.setattr(separate.Reader, "ask", deadly)
    outcome = rejected(storage, "r.jsonl", b'{"x": 1, "y": "a"}\n', tmp_path)
    assert outcome.outcome == "rejected"
    assert f"its reader ended by {number.name}" in outcome.reason


def test_retract_knows_a_poisoned_batch_and_keeps_it_out_under_every_contract(storage: Storage, tmp_path: Path):
    file, make, _ = BOMBS["2,000 brackets"]
    poisoned = rejected(storage, file, make(), tmp_path)
    other = system({**COLUMNS, "x": {"type": "float", "min": -1}})
    assert poisoned.digest in [outcome.digest for outcome in ingest(storage, other).outcomes]
    version = retract(storage, other, poisoned.digest[:8], "poisoned")
    assert version is not None
    assert version.batches == 1
    assert ingest(storage, SPEC).outcomes == []


def test_a_reader_that_somebody_kills_once_costs_no_batch(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    ask, killed = separate.Reader.ask, []

    def deadly(reader: separate.Reader, request: separate.ReadRequest) -> list[str]:
        if not killed:
            killed.append(reader)
            reader._require_started()
            os.kill(reader._process.pid, signal.SIGKILL)
        return ask(reader, request)

    monkeypatch.setattr(separate.Reader, "ask", deadly)
    (tmp_path / "good.jsonl").write_text('{"x": 1, "y": "a"}\n')
    land(storage, "s", tmp_path / "good.jsonl")
    [outcome] = ingest(storage, SPEC).outcomes
    assert outcome.outcome == "accepted"
    assert killed


def test_a_reader_that_does_not_start_is_no_fault_of_the_file(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(separate, "_idle", [])
    monkeypatch.setattr(separate.sys, "executable", "/bin/false")
    (tmp_path / "good.jsonl").write_text('{"x": 1, "y": "a"}\n')
    batch = land(storage, "s", tmp_path / "good.jsonl").batch
    with pytest.raises(StorageError, match="ended with 1 at its start"):
        ingest(storage, SPEC)
    assert storage.records.find(BatchOutcome, "s", batch) is None


def test_a_full_disk_is_no_fault_of_the_file(storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from mlops_assets.dataset.staging import StagedFiles

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(StagedFiles, "_write", full)
    (tmp_path / "good.csv").write_bytes(GOOD)
    batch = land(storage, "s", tmp_path / "good.csv").batch
    with pytest.raises(OSError, match="No space left"):
        ingest(storage, SPEC)
    assert storage.records.find(BatchOutcome, "s", batch) is None


@pytest.mark.parametrize(
    ("limits", "rule"),
    [
        ({"bytes": 100}, "too_large"),
        ({"rows": 49}, "too_many_rows"),
        ({"columns": 2}, "too_many_columns"),
        ({"cell": 5}, "long_cell"),
    ],
)
def test_every_limit_is_a_setting_that_its_rejection_names(
    storage: Storage, tmp_path: Path, limits: dict[str, float], rule: str
):
    (tmp_path / "good.csv").write_bytes(GOOD.replace(b"n,a", b"longer,a"))
    landed = land(storage, "s", tmp_path / "good.csv")
    narrow = Storage(storage.root, storage.database_url, limits=LandingLimits.model_validate(limits))
    [outcome] = ingest(narrow, SPEC).outcomes
    assert outcome.digest == landed.batch
    assert outcome.reason.startswith(rule)
    assert f'MLOPS_LANDING_LIMITS=\'{{"{next(iter(limits))}"' in outcome.reason
