"""Parquet: a file's columns in their stored types, in chunks whose size does not depend on how the file is packed."""

from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

import polars as pl

from mlops_assets.dataset.files import is_local, open_bytes
from mlops_assets.dataset.reading.bounds import bounded_columns, bounded_growth, bounded_rows
from mlops_assets.dataset.reading.encoding import byte_blocks, is_compressed
from mlops_assets.dataset.reading.header import require_columns
from mlops_assets.errors import BatchRejected

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem
    from pyarrow.parquet import ParquetFile

    from mlops_assets.dataset.spec import DatasetSpec
    from mlops_assets.storage.landing_limits import LandingLimits

_CHUNK_ROWS, _CHUNK_CELLS, _CHUNK_BYTES = 131_072, 4_000_000, 32 << 20
_CELL_BYTES = 8
"""What a cell takes in memory however well a file packs it."""


def read_parquet(
    fs: "AbstractFileSystem", path: str, dataset: "DatasetSpec", limits: "LandingLimits"
) -> tuple[list[str], Iterator[pl.DataFrame]]:
    """Undeclared columns, and chunks of the declared ones in their stored types.

    Raises:
        BatchRejected: at once for a wrong schema or a damaged end; while iterating for damaged pages.
    """
    import pyarrow.parquet as pq

    handle = _seekable(fs, path, limits)
    with _refusing_damage():
        file = pq.ParquetFile(handle, memory_map=True)
        names = file.schema_arrow.names
    bounded_columns(len(names), limits)
    ignored = require_columns(names, dataset.columns)
    _refuse_nested(file, dataset)
    rows = file.metadata.num_rows
    if rows == 0:
        raise BatchRejected("empty_file", "the file has columns but no rows. Remedy: land a file with rows")
    bounded_rows(rows, limits)
    bounded_growth(rows * len(dataset.columns) * _CELL_BYTES, fs.size(path) or 0, limits)
    return ignored, _chunks(file, dataset)


def _refuse_nested(file: "ParquetFile", dataset: "DatasetSpec") -> None:
    import pyarrow as pa

    for name in dataset.columns:
        kind = file.schema_arrow.field(name).type
        if pa.types.is_nested(kind):
            raise BatchRejected("nested_column", f"{name!r} holds {str(kind)[:80]}. Remedy: flatten it before landing")


def _chunks(file: "ParquetFile", dataset: "DatasetSpec") -> Iterator[pl.DataFrame]:
    import pyarrow as pa

    batches = file.iter_batches(batch_size=_chunk_rows(file, dataset), columns=list(dataset.columns))
    while True:
        with _refusing_damage():
            batch = next(batches, None)
        if batch is None:
            return
        yield _plain(pl.DataFrame(pa.Table.from_batches([batch])).select(list(dataset.columns)))


def _plain(chunk: pl.DataFrame) -> pl.DataFrame:
    """``chunk`` with every text written out: what few texts for many rows grow to must be seen here."""
    coded = [name for name, kind in chunk.schema.items() if kind in (pl.Categorical, pl.Enum)]
    return chunk.with_columns(pl.col(coded).cast(pl.String, strict=False))


def _chunk_rows(file: "ParquetFile", dataset: "DatasetSpec") -> int:
    """Rows whose cells, as large as the file says they are, fit into a chunk."""
    groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
    sizes = [group.total_byte_size / group.num_rows for group in groups if group.num_rows]
    fitting = int(_CHUNK_BYTES / max(sizes, default=1)) if max(sizes, default=0) > 0 else _CHUNK_ROWS
    return max(1, min(_CHUNK_ROWS, _CHUNK_CELLS // max(len(dataset.columns), 1), fitting))


def _seekable(fs: "AbstractFileSystem", path: str, limits: "LandingLimits") -> str | IO[bytes]:
    if not is_compressed(fs, path):
        return path if is_local(fs) else open_bytes(fs, path)
    import tempfile

    spool = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the reader is collected
    for block in byte_blocks(fs, path, limits):
        spool.write(block)
    spool.seek(0)
    return spool


class _refusing_damage:
    """Turn Arrow's complaints about a damaged Parquet file into a rejection."""

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        import pyarrow as pa

        if isinstance(error, (pa.ArrowException, OSError)) and not isinstance(error, MemoryError):
            raise BatchRejected(
                "unreadable_file", f"no readable Parquet file: {str(error)[:300]}. Remedy: transfer it again"
            ) from error
