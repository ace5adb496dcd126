"""The reader: a process that reads batches for another, so that no file can bring that one down.

A request is a line of JSON on its standard input. The answers on its standard output are framed: a letter, the length
in eight bytes, and the content. ``S`` comes once, at the start. ``H`` names the undeclared columns, each ``C`` holds a
chunk as an Arrow stream, and ``E`` is the end; ``R`` is a rejection, and so is ``F``, which also ends the process.
"""

import json
import os
import resource
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO

import fsspec
import polars as pl
from pydantic import BaseModel

from mlops_assets.dataset.reading.batch import read_batch
from mlops_assets.dataset.spec import ColumnSpec, DatasetSpec, FormatSpec
from mlops_assets.errors import BatchRejected
from mlops_assets.storage.landing_limits import MIB, LandingLimits, set_limit

FRAME = 9
"""Bytes before the content of a frame."""
THREADS = 4
"""Threads of each library: a stack for every core of a large machine would eat up the memory that is allowed."""


class ReadRequest(BaseModel):
    """What of a declaration the reading of a local file needs."""

    path: str
    columns: dict[str, bool]
    """The declared columns, and whether a cell may be empty."""
    format: FormatSpec
    limits: LandingLimits

    @property
    def dataset(self) -> DatasetSpec:
        columns = {name: ColumnSpec(type="string", nullable=nullable) for name, nullable in self.columns.items()}
        return DatasetSpec.model_construct(target="", columns=columns, format=self.format)


def main() -> None:
    """Answer requests until the input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is not taken for an answer
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    _warm_up()
    _send(answers, b"S", b"")
    for line in sys.stdin.buffer:
        _answer(ReadRequest.model_validate_json(line), answers)


def _answer(request: ReadRequest, answers: BinaryIO) -> None:
    _limit_memory(request.limits.memory(len(request.columns)))
    try:
        batch = read_batch(fsspec.filesystem("file"), request.path, request.dataset, request.limits)
        _send(answers, b"H", json.dumps(batch.ignored).encode())
        for chunk in batch.chunks:
            _send(answers, b"C", _as_stream(chunk))
        _send(answers, b"E", b"")
    except BatchRejected as rejection:
        _send(answers, b"R", json.dumps([rejection.rule, rejection.reason]).encode())
    except BrokenPipeError:
        raise
    except BaseException as error:  # Rust panics are no Exceptions; after any of these the process may be half broken
        _send(answers, b"F", json.dumps(_fault(error, request)).encode())
        os._exit(0)


def _fault(error: BaseException, request: ReadRequest) -> tuple[str, str]:
    if isinstance(error, MemoryError):
        return out_of_memory(request.limits, len(request.columns))
    return "unreadable_file", f"{type(error).__name__}: {str(error)[:300]}. Remedy: write the file anew"


def out_of_memory(limits: LandingLimits, columns: int) -> tuple[str, str]:
    """Rule and reason of a rejection for the memory that the reading took."""
    remedy = set_limit("memory_mib", 2 * limits.memory_mib)
    return "too_much_memory", f"reading it takes more than {limits.memory(columns) // MIB:,} MiB. {remedy}"


def _as_stream(chunk: pl.DataFrame) -> memoryview:
    from io import BytesIO

    buffer = BytesIO()
    chunk.write_ipc_stream(buffer, compat_level=pl.CompatLevel.newest())
    return buffer.getbuffer()


def _send(answers: BinaryIO, kind: bytes, content: bytes | memoryview) -> None:
    answers.write(kind + len(content).to_bytes(8, "little"))
    answers.write(content)
    answers.flush()


def _limit_memory(size: int) -> None:
    """Let allocations fail that go ``size`` beyond what this process holds now."""
    status = Path("/proc/self/status")
    if status.exists():  # elsewhere than on Linux nothing tells how much that is
        held = next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmData:"))
        resource.setrlimit(resource.RLIMIT_DATA, (held * 1024 + size, resource.RLIM_INFINITY))


def _warm_up() -> None:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    pa.set_cpu_count(min(THREADS, os.cpu_count() or 1))


def _end_with(parent: int) -> None:
    """End when the parent has: its end of the pipe may live on in another of its children."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    main()
