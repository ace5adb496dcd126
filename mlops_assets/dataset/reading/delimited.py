"""Delimited text: CSV in its many dialects, read in chunks as text cells."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.dataset.reading.bounds import bounded_columns
from mlops_assets.dataset.reading.encoding import TextFile
from mlops_assets.dataset.reading.header import require_columns
from mlops_assets.errors import BatchRejected

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_assets.dataset.spec import DatasetSpec

_DELIMITERS = (",", ";", "\t", "|")
_BLOCK = 4 << 20
_HEAD = 1 << 18
_CHUNK_ROWS, _CHUNK_BYTES = 131_072, 24 << 20


def read_delimited(text: TextFile, dataset: "DatasetSpec") -> tuple[list[str], Iterator[pl.DataFrame]]:
    """Undeclared columns, and chunks of the declared ones as text; empty cells are null.

    Raises:
        BatchRejected: at once for a wrong header; while iterating for rows of another length.
    """
    head = text.head(_HEAD)
    delimiter = dataset.format.delimiter or _delimiter(head, dataset.columns)
    header = [cell.strip() for cell in _rows(head, delimiter, 1)[0]]
    bounded_columns(len(header), text.limits)
    ignored = require_columns(header, dataset.columns)
    positions = {name: str(header.index(name)) for name in dataset.columns}
    return ignored, _chunks(text, delimiter, len(header), positions, dataset.format.null_values)


def _delimiter(head: str, declared: Iterable[str]) -> str:
    """The delimiter that gives most declared names, then most columns of equal number in the first lines."""

    def score(delimiter: str) -> tuple[int, int, int]:
        rows = _rows(head, delimiter, 20)
        names = {cell.strip() for cell in rows[0]}
        width = len(rows[0])
        return len(names & set(declared)), width if width > 1 else 0, sum(len(row) == width for row in rows)

    return max(_DELIMITERS, key=score)


def _rows(head: str, delimiter: str, count: int) -> list[list[str]]:
    csv.field_size_limit(max(csv.field_size_limit(), len(head)))  # by a wrong delimiter all of it is one field
    reader = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
    try:
        return [row for row, _ in zip((row for row in reader if row), range(count), strict=False)]
    except csv.Error as error:
        raise BatchRejected("unreadable_file", f"the first lines are no delimited text: {error}") from error


def _chunks(
    text: TextFile, delimiter: str, width: int, positions: dict[str, str], nulls: Sequence[str]
) -> Iterator[pl.DataFrame]:
    import pyarrow as pa

    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in _record_batches(text, delimiter, width, positions, nulls):
        waiting.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if rows >= _CHUNK_ROWS or size >= _CHUNK_BYTES:
            yield pl.DataFrame(pa.Table.from_batches(waiting))
            waiting, rows, size = [], 0, 0
    if rows:
        last = pl.DataFrame(pa.Table.from_batches(waiting))
        _refuse_open_quote(text, last)
        yield last


def _record_batches(
    text: TextFile, delimiter: str, width: int, positions: dict[str, str], nulls: Sequence[str]
) -> Iterator["pa.RecordBatch"]:
    import pyarrow as pa
    import pyarrow.csv

    places = [str(index) for index in range(width)]
    done = 0
    try:
        batches = pyarrow.csv.open_csv(
            pa.PythonFile(text.stream(), mode="r"),
            read_options=pyarrow.csv.ReadOptions(column_names=places, skip_rows_after_names=1, block_size=_BLOCK),
            parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=text.quotes > 0),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=list(positions.values()),
                column_types=dict.fromkeys(places, pa.string()),
                strings_can_be_null=True,
                null_values=list(nulls),
            ),
        )
        for batch in batches:
            yield batch.rename_columns(list(positions))
            done += batch.num_rows
    except pa.ArrowInvalid as error:
        raise BatchRejected(*_broken(str(error), done)) from error


def _broken(message: str, done: int) -> tuple[str, str]:
    where = f"after row {done}" if done else "near the beginning"
    rule = "ragged_rows" if "columns, got" in message else "unreadable_file"
    return rule, f"{message[:300]} ({where}). Remedy: give every row as many cells as the header, and close quotes"


def _refuse_open_quote(text: TextFile, last: pl.DataFrame) -> None:
    """An odd number of quotes and a line end in the very last cell: the quote was never closed."""
    cells = (cell for cell in last.row(-1) if isinstance(cell, str))
    if text.quotes % 2 and any("\n" in cell or "\r" in cell for cell in cells):
        raise BatchRejected(
            "ragged_rows", "a quoted cell is never closed. Remedy: close the quote, or transfer the file again"
        )
