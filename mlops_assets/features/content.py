"""Content: a digest of every cell of a features version, part by part, so that a changed table is never read.

SHA-256 over the exact values: null and NaN, 0.0 and -0.0, "" and a missing text are each something else.
"""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute

from mlops_assets.features.version import EXCLUDED, PARTS, Part

pc: Any = compute
"""Its functions are made while it is imported, which no type says."""
MANY = 50_000
"""Rows from which the columns are hashed at once: casting and hashing let go of the interpreter."""


def contents(table: pa.Table) -> dict[Part, str]:
    """The digest of each part of a features table, whatever the order of its rows and columns."""
    return {part: content_of(rows) for part, rows in split_up(in_order(table)).items()}


def content_of(rows: pa.Table) -> str:
    """SHA-256 of the ordered rows of one part: names, kinds and every cell."""
    names = sorted(rows.column_names)
    columns = [rows[name] for name in names]
    if rows.num_rows < MANY:
        digests = list(map(_column_digest, names, columns))
    else:
        with ThreadPoolExecutor() as pool:
            digests = list(pool.map(_column_digest, names, columns))
    return hashlib.sha256(str(rows.num_rows).encode() + b"".join(digests)).hexdigest()


def split_up(table: pa.Table) -> dict[Part, pa.Table]:
    """The rows of every part, in their order; what is of no part counts as excluded, so that no row is left out."""
    codes = _codes(table)
    grouped = table.take(np.argsort(codes, kind="stable"))
    ends = np.cumsum(np.bincount(codes, minlength=len(PARTS))).tolist()
    starts = [0, *ends]
    return {part: grouped.slice(starts[at], ends[at] - starts[at]) for at, part in enumerate(PARTS)}


def rows_of(table: pa.Table, part: Part) -> pa.Table:
    """The rows of one part, as ``split_up`` gives them."""
    return table.filter(pa.array(_codes(table) == PARTS.index(part)))


def _codes(table: pa.Table) -> np.ndarray:
    places = pc.index_in(table["_part"], value_set=pa.array(PARTS[:EXCLUDED], table["_part"].type))
    return places.fill_null(EXCLUDED).to_numpy()


def in_order(table: pa.Table) -> pa.Table:
    """The rows by ``_batch`` and ``_row``, which most tables are stored by: looking is cheaper than sorting."""
    batch, row = table["_batch"].combine_chunks(), table["_row"].combine_chunks()
    earlier, later = slice(None, -1), slice(1, None)
    follows = pc.or_(
        pc.greater(batch[later], batch[earlier]),
        pc.and_(pc.equal(batch[later], batch[earlier]), pc.greater(row[later], row[earlier])),
    )
    if not follows.null_count and pc.all(follows, min_count=0).as_py():
        return table
    return table.sort_by([("_batch", "ascending"), ("_row", "ascending")])


def _column_digest(name: str, column: pa.ChunkedArray) -> bytes:
    kind, cells = _exact(column)
    digest = hashlib.sha256(json.dumps([name, kind]).encode())
    for buffer in cells:
        digest.update(buffer)
    return digest.digest()


def _exact(column: pa.ChunkedArray) -> tuple[str, Iterator[Any]]:
    """A column's kind and the bytes of its cells, the same however the table was stored.

    Raises:
        TypeError: if the column holds what no features table does.
    """
    stored = column.type
    if pa.types.is_floating(stored):
        return "number", _fixed(column.cast(pa.float64()), 0.0)
    if pa.types.is_integer(stored):
        return "integer", _fixed(column.cast(pa.int64()), 0)
    if pa.types.is_boolean(stored):
        return "truth", _fixed(column.cast(pa.uint8()), 0)
    if pa.types.is_temporal(stored) and not pa.types.is_duration(stored):
        zone = getattr(stored, "tz", None)
        return "moment", _fixed(column.cast(pa.timestamp("us", tz=zone)).cast(pa.int64()), 0)
    return "text", _text(column.cast(pa.large_string()))


def _fixed(column: pa.ChunkedArray, empty: float) -> Iterator[Any]:
    yield _present(column)
    yield np.ascontiguousarray(column.fill_null(empty).to_numpy())


def _text(column: pa.ChunkedArray) -> Iterator[Any]:
    yield _present(column)
    yield np.ascontiguousarray(pc.binary_length(column).fill_null(0).to_numpy())
    for chunk in column.fill_null("").chunks:
        if len(chunk):
            offsets = np.frombuffer(chunk.buffers()[1], dtype=np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
            if offsets[-1] > offsets[0]:
                yield chunk.buffers()[2][int(offsets[0]) : int(offsets[-1])]


def _present(column: pa.ChunkedArray) -> np.ndarray:
    """One bit for each cell that is not null; nothing where none is."""
    if not column.null_count:
        return np.empty(0, dtype=np.uint8)
    return np.packbits(column.is_valid().to_numpy())
