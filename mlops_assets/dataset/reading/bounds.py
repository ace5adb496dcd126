"""Bounds: what is read of a file is held to the landing limits while it is read, not afterwards."""

import re
from collections.abc import Iterator

import numpy as np
import polars as pl
import polars.selectors as cs

from mlops_assets.errors import BatchRejected
from mlops_assets.storage.landing_limits import FLOOR, LandingLimits, set_limit

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"')
_CELL = 8
"""What a cell takes in memory however well a file packs it."""


def bounded_size(size: int, limits: LandingLimits) -> None:
    """Refuse a file that is larger than a file may be."""
    if size > limits.bytes:
        raise BatchRejected(
            "too_large", f"the file has {size:,} bytes, {limits.bytes:,} may be. {set_limit('bytes', size)}"
        )


def bounded_growth(content: int, size: int, limits: LandingLimits) -> None:
    """Refuse ``content`` bytes that come out of a file of ``size``: a bomb."""
    if content > FLOOR and content > limits.ratio * max(size, 1):
        raise BatchRejected(
            "decompression_bomb",
            f"{size:,} bytes grow to {content:,} or more, {limits.ratio:g} times as many may be. "
            f"{set_limit('ratio', content / max(size, 1))}",
        )


def bounded_columns(count: int, limits: LandingLimits) -> None:
    """Refuse a file that is wider than a file may be."""
    if count > limits.columns:
        raise BatchRejected(
            "too_many_columns",
            f"the file has {count:,} columns, {limits.columns:,} may be. {set_limit('columns', count)}",
        )


def bounded_rows(count: int, limits: LandingLimits) -> None:
    """Refuse a file that is longer than a file may be."""
    if count > limits.rows:
        raise BatchRejected(
            "too_many_rows", f"the file has {count:,} rows or more, {limits.rows:,} may be. {set_limit('rows', count)}"
        )


def bounded_line(length: int, most: int) -> None:
    """Refuse a line that is longer than the memory that lines are read in."""
    if length > most:
        raise BatchRejected("unreadable_file", f"a line is longer than {most:,} bytes. Remedy: one object per line")


def bounded_nesting(lines: bytes, limits: LandingLimits) -> None:
    """Refuse lines of JSON with more brackets inside one another than a parser's stack may hold."""
    text = np.frombuffer(lines, np.uint8)
    openers = np.flatnonzero((text == ord("[")) | (text == ord("{")))
    per_line = np.bincount(np.searchsorted(np.flatnonzero(text == ord("\n")), openers))
    if not len(openers) or per_line.max() <= limits.nesting:
        return
    suspects = lines.split(b"\n")
    for number in np.flatnonzero(per_line > limits.nesting):
        depth = _depth(suspects[number])
        if depth > limits.nesting:
            raise BatchRejected(
                "too_deep",
                f"{depth:,} brackets inside one another in {suspects[number][:40]!r}…, {limits.nesting:,} may be. "
                "Remedy: flatten the cell before landing",
            )


def _depth(line: bytes) -> int:
    text = np.frombuffer(_STRINGS.sub(b"", line), np.uint8)
    opened = np.isin(text, list(b"[{")).astype(np.int64) - np.isin(text, list(b"]}"))
    return int(opened.cumsum().max(initial=0))


def bounded_chunks(chunks: Iterator[pl.DataFrame], size: int, limits: LandingLimits) -> Iterator[pl.DataFrame]:
    """``chunks`` of a file of ``size``, as long as rows, cells and all that is read keep to the limits."""
    rows = content = 0
    for chunk in chunks:
        lengths = _lengths(chunk)
        content += _CELL * chunk.height * chunk.width + sum(int(column.sum()) for column in lengths)
        bounded_growth(content, size, limits)
        _refuse_long_cells(lengths, limits, rows)
        rows += chunk.height
        bounded_rows(rows, limits)
        yield chunk


def _lengths(chunk: pl.DataFrame) -> pl.DataFrame:
    """Bytes in every cell of text: in memory equal texts may be one."""
    return chunk.select(cs.string().str.len_bytes(), cs.binary().bin.size())


def _refuse_long_cells(lengths: pl.DataFrame, limits: LandingLimits, before: int) -> None:
    for column in lengths:
        longest = column.max()
        if isinstance(longest, int) and longest > limits.cell:
            row = before + 1 + int(column.arg_max() or 0)
            held = f"{column.name!r} of row {row} holds {longest:,} bytes, {limits.cell:,} may be"
            raise BatchRejected("long_cell", f"{held}. {set_limit('cell', longest)}")
