"""Reading in a separate process: whatever a file does to its reader is a rejection of that file.

Parquet and JSON Lines are read so: a few of their bytes can make a parser allocate without end or leave its memory.
Delimited text is read here: its parser sees bounded blocks, and handing over every cell as text would cost half of
the throughput. Starting the process takes about half a second; it then serves one batch after another.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING

import polars as pl

from mlops_assets.dataset.files import BLOCK, is_local, open_bytes
from mlops_assets.dataset.reading.batch import BatchRows, format_of, read_batch
from mlops_assets.dataset.reading.bounds import bounded_size
from mlops_assets.dataset.reading.reader import FRAME, THREADS, ReadRequest, out_of_memory
from mlops_assets.errors import BatchRejected, StorageError
from mlops_assets.storage.landing_limits import LandingLimits, set_limit

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

    from mlops_assets.dataset.spec import DatasetSpec


class ReaderEnded(BatchRejected):
    """The reader was ended by a signal: by the file, or by somebody who ends processes."""


@contextmanager
def guarded_batch(
    fs: "AbstractFileSystem", path: str, dataset: "DatasetSpec", limits: LandingLimits
) -> Iterator[BatchRows]:
    """The rows of a landed file, as :func:`read_batch` gives them; also iterating may raise.

    Raises:
        BatchRejected: if the file breaks the contract of its table, its reader, or a limit.
        StorageError: if the file cannot be brought here.
    """
    bounded_size(fs.size(path) or 0, limits)
    if format_of(fs, path, dataset, limits) == "csv":
        yield read_batch(fs, path, dataset, limits)
        return
    with _local(fs, path) as here, _reader() as reader:
        nullable = {name: column.nullable for name, column in dataset.columns.items()}
        request = ReadRequest(path=here, columns=nullable, format=dataset.format, limits=limits)
        yield BatchRows(reader.ask(request), reader.chunks())


class Reader:
    """A process that reads; :attr:`free` once it has answered."""

    def __init__(self) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "mlops_assets.dataset.reading.reader"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env={**os.environ, **_ENVIRONMENT, "PYTHONPATH": paths},
            start_new_session=True,  # a Ctrl-C is for us; it must not look as if the file had done it
        )
        self.owner = os.getpid()
        self.free = True
        self._late = self._started = False

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, request: ReadRequest) -> list[str]:
        """Begin with a file; the undeclared columns are the first answer."""
        self.free, self._request = False, request
        self._require_started()
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(request.model_dump_json().encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None
        return json.loads(self._next()[1])

    def chunks(self) -> Iterator[pl.DataFrame]:
        """The chunks, as they come."""
        while (frame := self._next())[0] == b"C":
            yield pl.read_ipc_stream(BytesIO(frame[1]))

    def end(self) -> None:
        """Stop, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # of a request that it did not live to read
                    pipe.close()
        self._said.close()

    def _require_started(self) -> None:
        """A reader that does not even start is no fault of the file."""
        if not self._started:
            assert self._process.stdout is not None
            if len(self._process.stdout.read(FRAME)) < FRAME:
                code = self._process.wait()
                raise StorageError(f"The process that reads files ended with {code} at its start: {self._last_words()}")
            self._started = True

    def _last_words(self) -> str:
        self._said.seek(0)
        return self._said.read().decode(errors="replace").strip()[-300:]

    def _next(self) -> tuple[bytes, bytes]:
        kind, content = self._frame()
        self.free = kind in (b"E", b"R")
        if kind in (b"R", b"F"):
            raise BatchRejected(*json.loads(content))
        return kind, content

    def _frame(self) -> tuple[bytes, bytes]:
        pipe = self._process.stdout
        assert pipe is not None
        alarm = threading.Timer(self._request.limits.seconds, self._give_up)
        alarm.start()
        try:
            head = _all(pipe, FRAME)
            content = _all(pipe, int.from_bytes(head[1:], "little"))
        except EOFError:
            raise self._ended() from None
        finally:
            alarm.cancel()
        return head[:1], content

    def _give_up(self) -> None:
        self._late = True
        self._process.kill()

    def _ended(self) -> BatchRejected:
        """Why there is no answer."""
        limits, columns, code = self._request.limits, len(self._request.columns), self._process.wait()
        if self._late:
            remedy = set_limit("seconds", 2 * limits.seconds)
            return BatchRejected("too_slow", f"no rows came in {limits.seconds:g} s. {remedy}")
        last = self._last_words()
        if "memory allocation" in last or "bad_alloc" in last:
            return BatchRejected(*out_of_memory(limits, columns))
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return ReaderEnded("unreadable_file", f"its reader ended by {how} ({last}). Remedy: write the file anew")


_ENVIRONMENT = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # the others reserve a gigabyte at once, which counts as used
    "MALLOC_ARENA_MAX": "2",
    "_RJEM_MALLOC_CONF": "retain:false,muzzy_decay_ms:0",  # what Polars keeps of the last file counts as used, too
    "POLARS_MAX_THREADS": str(min(THREADS, os.cpu_count() or 1)),
    "OMP_NUM_THREADS": "1",
}
_idle: list[Reader] = []
_lock = threading.Lock()


@contextmanager
def _reader() -> Iterator[Reader]:
    """A reader that waits for work, or a new one; it is kept for the next batch if it can be."""
    with _lock:
        mine = [reader for reader in _idle if reader.owner == os.getpid() and reader.alive]
        _idle[:] = mine[1:]
    reader = mine[0] if mine else Reader()
    try:
        yield reader
    finally:
        if reader.free and reader.alive:
            with _lock:
                _idle.append(reader)
        else:
            reader.end()


@atexit.register
def _end_readers() -> None:
    for reader in _idle:
        if reader.owner == os.getpid():
            reader.end()


@contextmanager
def _local(fs: "AbstractFileSystem", path: str) -> Iterator[str]:
    """The file's path on this machine; it is copied here where it lies elsewhere."""
    if is_local(fs):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder, path.rpartition("/")[2])
        try:
            with open_bytes(fs, path) as source, here.open("wb") as copy:
                while block := source.read(BLOCK):
                    copy.write(block)
        except OSError as error:
            raise StorageError(f"{path!r} cannot be read: {error}. Remedy: see to the landing zone") from error
        yield str(here)


def _all(pipe: IO[bytes], size: int) -> bytes:
    content = pipe.read(size)
    if len(content) < size:
        raise EOFError
    return content
