"""JSON Lines: one object per line, read in chunks as text cells."""

import io
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from mlops_assets.dataset.reading.bounds import bounded_columns, bounded_line, bounded_nesting
from mlops_assets.dataset.reading.encoding import TextFile
from mlops_assets.dataset.reading.header import require_columns
from mlops_assets.errors import BatchRejected

if TYPE_CHECKING:
    from mlops_assets.dataset.spec import DatasetSpec

_CHUNK_ROWS, _CHUNK_CELLS = 131_072, 4_000_000
_BLOCK = 16 << 20


def read_json_lines(text: TextFile, dataset: "DatasetSpec") -> tuple[list[str], Iterator[pl.DataFrame]]:
    """Undeclared keys, and chunks of the declared ones as text; absent ones are null.

    Raises:
        BatchRejected: at once for wrong keys; while iterating for lines that are no objects.
    """
    keys = _keys(text)
    bounded_columns(len(keys), text.limits)
    # An absent key is an empty cell: only a column that may never be empty is missed.
    required = [name for name, column in dataset.columns.items() if not column.nullable]
    require_columns(keys, required)
    return [name for name in keys if name not in dataset.columns], _chunks(text, dataset)


def _keys(text: TextFile) -> list[str]:
    """Keys of the first thousand records."""
    keys: dict[str, None] = {}
    head = text.head().replace("\r", "\n")
    bounded_nesting(head.encode(), text.limits)
    for line in head.split("\n")[:1000]:
        if line.strip():
            keys |= dict.fromkeys(_record(line))
    return list(keys)


def _record(line: str) -> list[str]:
    try:
        pairs = json.loads(line, object_pairs_hook=lambda pairs: [key for key, _ in pairs])
    except (ValueError, RecursionError) as error:
        raise BatchRejected(
            "unreadable_file", f"no JSON: {line[:100]!r}: {error}. Remedy: one object per line"
        ) from error
    if not line.lstrip().startswith("{"):
        raise BatchRejected("unreadable_file", f"no JSON object: {line[:100]!r}. Remedy: one object per line")
    if len(set(pairs)) < len(pairs):
        raise BatchRejected("duplicate_header", f"a key stands twice in {line[:100]!r}. Remedy: rename or drop it")
    return pairs


def _chunks(text: TextFile, dataset: "DatasetSpec") -> Iterator[pl.DataFrame]:
    schema = dict.fromkeys(dataset.columns, pl.String)
    most = max(1, min(_CHUNK_ROWS, _CHUNK_CELLS // max(len(schema), 1)))
    for lines in _line_blocks(text.blocks()):
        bounded_nesting(lines, text.limits)
        for part in _parts(lines, most):
            try:
                yield pl.read_ndjson(io.BytesIO(part), schema=schema)
            except pl.exceptions.PolarsError as error:
                raise BatchRejected(
                    "unreadable_file", f"a line is no JSON object: {str(error)[:300]}. Remedy: one object per line"
                ) from error


def _line_blocks(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Large blocks of whole lines; a bare CR also ends a line, as JSON text cannot hold one."""
    lines: list[bytes] = []
    begun: list[bytes] = []
    for block in blocks:
        before, end, after = block.replace(b"\r", b"\n").rpartition(b"\n")
        if end:
            lines += [*begun, before, end]
            begun = []
        begun.append(after)
        bounded_line(sum(map(len, begun)), _BLOCK)
        if sum(map(len, lines)) >= _BLOCK:
            yield b"".join(lines)
            lines = []
    if (last := b"".join(lines + begun)).strip():
        yield last


def _parts(lines: bytes, most: int) -> Iterator[bytes]:
    """``lines`` in parts of at most so many lines."""
    ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == ord("\n")) + 1
    cuts = [0, *ends[most - 1 :: most].tolist()]
    for start, end in zip(cuts, [*cuts[1:], len(lines)], strict=True):
        if lines[start:end].strip():
            yield lines[start:end]
