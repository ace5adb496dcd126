"""Staged files: Parquet files in a table's folder that no commit names yet."""

import json
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable
    from deltalake.transaction import AddAction
    from pyarrow.fs import PyFileSystem
    from pyarrow.parquet import ParquetWriter

_FILE_ROWS = 2_000_000


class StagedFiles:
    """Rows of one batch on their way into a table; a thread writes while the next rows are checked.

    File names sort in the order of the rows. Whoever stages calls :meth:`finish` or :meth:`discard`.
    """

    def __init__(self, table: "DeltaTable", batch: str, schema: "pa.Schema") -> None:
        self.schema, self.batch = schema, batch
        self._fs = _filesystem(table)
        self._stem = f"part-{batch}-{uuid.uuid4().hex[:12]}"
        self._rows: dict[str, int] = {}
        self._writer: ParquetWriter | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="staging")
        self._running: Future[None] | None = None

    def write(self, frame: pl.DataFrame) -> None:
        """Append rows that have the columns of ``schema``."""
        self._wait()
        if frame.height:
            self._running = self._thread.submit(self._write, frame)

    def finish(self) -> "tuple[AddAction, ...]":
        """Complete the files and return the actions that add them."""
        from deltalake.transaction import AddAction

        self._wait()
        self._close()
        self._thread.shutdown()
        now = int(time.time() * 1000)
        return tuple(
            AddAction(name, self._fs.get_file_info(name).size, {}, now, True, json.dumps({"numRecords": rows}))
            for name, rows in self._rows.items()
        )

    def discard(self) -> None:
        """Delete the files: the batch is not committed after all."""
        self._thread.shutdown()
        self._close()
        for name in self._rows:
            self._fs.delete_file(name)
        self._rows = {}

    def _wait(self) -> None:
        if self._running is not None:
            self._running.result()

    def _write(self, frame: pl.DataFrame) -> None:
        self._writer = self._writer or self._open()
        name = next(reversed(self._rows))
        self._writer.write_table(as_arrow(frame, self.schema))
        self._rows[name] += frame.height
        if self._rows[name] >= _FILE_ROWS:
            self._close()

    def _open(self) -> "ParquetWriter":
        import pyarrow as pa
        import pyarrow.parquet as pq

        name = f"{self._stem}-{len(self._rows):05d}.parquet"
        self._rows[name] = 0
        texts = [field.name for field in self.schema if field.type == pa.string()]
        return pq.ParquetWriter(
            name,
            self.schema,
            filesystem=self._fs,
            compression="snappy",
            use_dictionary=texts,  # pyright: ignore[reportArgumentType] a list is documented
            store_schema=False,
        )

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def as_arrow(frame: pl.DataFrame, schema: "pa.Schema") -> "pa.Table":
    """``frame`` with the columns and types of ``schema``."""

    return frame.select(schema.names).to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema)


def _filesystem(table: "DeltaTable") -> "PyFileSystem":
    """The table's folder as deltalake itself reaches it, with the same credentials."""
    from deltalake.fs import DeltaStorageHandler
    from pyarrow.fs import PyFileSystem

    return PyFileSystem(DeltaStorageHandler.from_table(table._table, table._storage_options, {}))
