"""A batch: one landed file as chunks of its declared columns, whatever format it is written in."""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Literal

import polars as pl

from mlops_assets.dataset.files import is_local, open_bytes
from mlops_assets.dataset.reading.delimited import read_delimited
from mlops_assets.dataset.reading.encoding import TextFile, byte_blocks, is_compressed, open_text
from mlops_assets.dataset.reading.header import require_columns
from mlops_assets.errors import BatchRejected

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem
    from pyarrow.parquet import ParquetFile

    from mlops_assets.dataset.spec import DatasetSpec

Format = Literal["csv", "parquet", "jsonl"]

_SUFFIXES: dict[str, Format] = {
    "csv": "csv",
    "tsv": "csv",
    "txt": "csv",
    "parquet": "parquet",
    "pq": "parquet",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "json": "jsonl",
}
_CHUNK_ROWS = 131_072
_JSON_BLOCK = 16 << 20


@dataclass(frozen=True)
class BatchRows:
    """The rows of one file, read as they are asked for; iterating may raise BatchRejected."""

    ignored: list[str]
    """Columns of the file that the declaration does not name."""
    chunks: Iterator[pl.DataFrame]
    """The declared columns: text cells from CSV and JSON Lines, stored types from Parquet; empty cells are null."""


def read_batch(fs: "AbstractFileSystem", path: str, dataset: "DatasetSpec") -> BatchRows:
    """Open a landed file and check its header.

    Raises:
        BatchRejected: if the file as a whole breaks the contract of its table.
    """
    kind = dataset.format.type or _format(fs, path)
    if kind == "parquet":
        return _read_parquet(fs, path, dataset)
    text = open_text(fs, path, dataset.format.encoding)
    if kind == "jsonl":
        return _read_json_lines(text, dataset)
    return BatchRows(*read_delimited(text, dataset))


def _format(fs: "AbstractFileSystem", path: str) -> Format:
    """By magic bytes for Parquet, else by the file's name, else by its first character."""
    first = next(iter(byte_blocks(fs, path)), b"")
    if first.startswith(b"PAR1"):
        return "parquet"
    suffixes = re.sub(r"\.(gz|zst|zstd)$", "", path.rpartition("/")[2].lower()).split(".")
    if suffixes[-1] in _SUFFIXES:
        return _SUFFIXES[suffixes[-1]]
    return "jsonl" if first.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else "csv"


def _read_parquet(fs: "AbstractFileSystem", path: str, dataset: "DatasetSpec") -> BatchRows:
    import pyarrow.parquet as pq

    handle = _seekable(fs, path)
    with _refusing_damage():
        file = pq.ParquetFile(handle, memory_map=True)
    ignored = require_columns(file.schema_arrow.names, dataset.columns)
    if file.metadata.num_rows == 0:
        raise BatchRejected("empty_file", "the file has columns but no rows. Remedy: land a file with rows")
    return BatchRows(ignored, _parquet_chunks(file, dataset))


def _parquet_chunks(file: "ParquetFile", dataset: "DatasetSpec") -> Iterator[pl.DataFrame]:
    import pyarrow as pa

    nulls = dataset.format.null_values
    batches = file.iter_batches(batch_size=_CHUNK_ROWS, columns=list(dataset.columns))
    while True:
        with _refusing_damage():
            batch = next(batches, None)
        if batch is None:
            return
        chunk = pl.DataFrame(pa.Table.from_batches([batch])).select(list(dataset.columns))
        yield _without_null_texts(chunk, nulls)


def _seekable(fs: "AbstractFileSystem", path: str) -> str | IO[bytes]:
    if not is_compressed(fs, path):
        return path if is_local(fs) else open_bytes(fs, path)
    import tempfile

    spool = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the reader is collected
    for block in byte_blocks(fs, path):
        spool.write(block)
    spool.seek(0)
    return spool


class _refusing_damage:
    """Turn Arrow's complaints about a damaged Parquet file into a rejection."""

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        import pyarrow as pa

        if isinstance(error, (pa.ArrowException, OSError)):
            raise BatchRejected(
                "unreadable_file", f"no readable Parquet file: {str(error)[:300]}. Remedy: transfer it again"
            ) from error


def _read_json_lines(text: TextFile, dataset: "DatasetSpec") -> BatchRows:
    keys = _json_keys(text)
    # An absent key is an empty cell: only a column that may never be empty is missed.
    required = [name for name, column in dataset.columns.items() if not column.nullable]
    require_columns(keys, required)
    ignored = [name for name in keys if name not in dataset.columns]
    return BatchRows(ignored, _json_chunks(text, dataset))


def _json_keys(text: TextFile) -> list[str]:
    """Keys of the first thousand records."""
    keys: dict[str, None] = {}
    for line in text.head().splitlines()[:1000]:
        if line.strip():
            keys |= dict.fromkeys(_json_record(line))
    return list(keys)


def _json_record(line: str) -> list[str]:
    try:
        pairs = json.loads(line, object_pairs_hook=lambda pairs: [key for key, _ in pairs])
    except ValueError as error:
        raise BatchRejected(
            "unreadable_file", f"no JSON: {line[:100]!r}: {error}. Remedy: one object per line"
        ) from error
    if not line.lstrip().startswith("{"):
        raise BatchRejected("unreadable_file", f"no JSON object: {line[:100]!r}. Remedy: one object per line")
    if len(set(pairs)) < len(pairs):
        raise BatchRejected("duplicate_header", f"a key stands twice in {line[:100]!r}. Remedy: rename or drop it")
    return pairs


def _json_chunks(text: TextFile, dataset: "DatasetSpec") -> Iterator[pl.DataFrame]:

    schema = dict.fromkeys(dataset.columns, pl.String)
    for lines in _line_blocks(text.blocks()):
        try:
            chunk = pl.read_ndjson(io.BytesIO(lines), schema=schema)
        except pl.exceptions.PolarsError as error:
            raise BatchRejected(
                "unreadable_file", f"a line is no JSON object: {str(error)[:300]}. Remedy: one object per line"
            ) from error
        yield _without_null_texts(chunk, dataset.format.null_values)


def _line_blocks(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Large blocks that end where a line ends; a bare CR also ends a line, as JSON text cannot hold one."""
    rest = b""
    for block in blocks:
        rest += block.replace(b"\r", b"\n")
        if len(rest) >= _JSON_BLOCK and (cut := rest.rfind(b"\n") + 1):
            yield rest[:cut]
            rest = rest[cut:]
    if rest.strip():
        yield rest


def _without_null_texts(chunk: pl.DataFrame, nulls: list[str]) -> pl.DataFrame:
    import polars.selectors as cs

    cells = cs.by_dtype(pl.String)
    return chunk.with_columns(pl.when(~cells.is_in(nulls)).then(cells)) if nulls else chunk
