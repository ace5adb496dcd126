"""A batch: one landed file as chunks of its declared columns, whatever format it is written in."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import polars as pl

from mlops_assets.dataset.reading.bounds import bounded_chunks, bounded_size
from mlops_assets.dataset.reading.delimited import read_delimited
from mlops_assets.dataset.reading.encoding import byte_blocks, open_text
from mlops_assets.dataset.reading.json_lines import read_json_lines
from mlops_assets.dataset.reading.parquet import read_parquet
from mlops_assets.storage.landing_limits import DEFAULT, LandingLimits

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

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


@dataclass(frozen=True)
class BatchRows:
    """The rows of one file, read as they are asked for; iterating may raise BatchRejected."""

    ignored: list[str]
    """Columns of the file that the declaration does not name."""
    chunks: Iterator[pl.DataFrame]
    """The declared columns: text cells from CSV and JSON Lines, stored types from Parquet; empty cells are null."""


def read_batch(
    fs: "AbstractFileSystem", path: str, dataset: "DatasetSpec", limits: LandingLimits = DEFAULT
) -> BatchRows:
    """Open a landed file and check its header.

    Raises:
        BatchRejected: if the file as a whole breaks the contract of its table.
    """
    bounded_size(fs.size(path) or 0, limits)
    ignored, chunks = _opened(fs, path, dataset, limits)
    return BatchRows(ignored, bounded_chunks(chunks, fs.size(path) or 0, limits))


def _opened(
    fs: "AbstractFileSystem", path: str, dataset: "DatasetSpec", limits: LandingLimits
) -> tuple[list[str], Iterator[pl.DataFrame]]:
    kind = format_of(fs, path, dataset, limits)
    if kind == "parquet":
        ignored, chunks = read_parquet(fs, path, dataset, limits)
    else:
        text = open_text(fs, path, dataset.format.encoding, limits)
        if kind == "csv":
            return read_delimited(text, dataset)
        ignored, chunks = read_json_lines(text, dataset)
    return ignored, (_without_null_texts(chunk, dataset.format.null_values) for chunk in chunks)


def format_of(fs: "AbstractFileSystem", path: str, dataset: "DatasetSpec", limits: LandingLimits) -> Format:
    """As declared, else by magic bytes for Parquet, else by the file's name, else by its first character."""
    if dataset.format.type is not None:
        return dataset.format.type
    first = next(iter(byte_blocks(fs, path, limits)), b"")
    if first.startswith(b"PAR1"):
        return "parquet"
    suffixes = re.sub(r"\.(gz|zst|zstd)$", "", path.rpartition("/")[2].lower()).split(".")
    if suffixes[-1] in _SUFFIXES:
        return _SUFFIXES[suffixes[-1]]
    return "jsonl" if first.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else "csv"


def _without_null_texts(chunk: pl.DataFrame, nulls: list[str]) -> pl.DataFrame:
    import polars.selectors as cs

    cells = cs.by_dtype(pl.String)
    return chunk.with_columns(pl.when(~cells.is_in(nulls)).then(cells)) if nulls else chunk
