"""Row hash: a 64-bit hash of a row's content that is the same on every platform and library version."""

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence


_GOLDEN = 0x9E3779B97F4A7C15
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB
_EXACT = 2**53
_BLOCK = 32_768
"""Rows mixed at a time, so that every intermediate array stays in the processor's cache."""


def row_hash(frame: pl.DataFrame, columns: "Sequence[str]") -> np.ndarray:
    """Hash of every row's values in ``columns``, shape (n,), uint64; the order of ``columns`` does not matter.

    Equal values hash equal whatever their storage type: 7 and 7.0, true and 1, 0.0 and -0.0, a date and
    its midnight, text and categories. NaN and null are both a missing cell, and a missing cell adds nothing,
    so that a nullable column declared later leaves the hash of earlier rows as it was.
    Numbers are mixed by splitmix64 (Steele, Lea, Flood 2014), text by BLAKE2b; two different rows
    collide with probability 2**-64.
    """
    return hash_of(cell_sums(frame, columns))


def cell_sums(frame: pl.DataFrame, columns: "Sequence[str]") -> np.ndarray:
    """What ``row_hash`` is made of, shape (n,), uint64: the sums of two sets of columns add up to that of both."""
    total = np.zeros(frame.height, dtype=np.uint64)
    for name in columns:
        total += _cell_hash(frame.get_column(name))
    return total


def hash_of(sums: np.ndarray) -> np.ndarray:
    """The row hashes behind ``cell_sums``."""
    return _mixed(sums)


def _cell_hash(column: pl.Series) -> np.ndarray:
    """Hash of every cell mixed with the column's name; 0 where the cell is missing."""

    values, missing = _value_hash(column)
    hashes = _mixed(values + np.uint64(_text_hash(column.name)))
    if missing is not None:
        hashes[missing] = 0
    return hashes


def _value_hash(column: pl.Series) -> tuple[np.ndarray, np.ndarray | None]:
    """Bits that stand for every value, and a mask of missing cells (None when no cell is missing)."""

    if column.dtype.is_nested():
        raise TypeError(f"Column {column.name!r} holds {column.dtype}: only flat values have an identity")
    if column.dtype in (pl.String, pl.Categorical, pl.Enum):
        return _texts(column.cast(pl.String))
    if column.dtype.is_temporal():
        return _integers(column.cast(pl.Datetime("us")) if column.dtype == pl.Date else column)
    if column.dtype.is_integer() or column.dtype == pl.Boolean:
        return _integers(column)
    return _floats(column.cast(pl.Float64))


def _floats(column: pl.Series) -> tuple[np.ndarray, np.ndarray | None]:

    values = column.fill_null(float("nan")).to_numpy() + 0.0  # -0.0 + 0.0 is 0.0
    missing = np.isnan(values)
    return values.view(np.uint64), missing if missing.any() else None


def _integers(column: pl.Series) -> tuple[np.ndarray, np.ndarray | None]:
    """Bits of the nearest float, plus what that float leaves out of an integer beyond 2**53."""

    missing = column.is_null().to_numpy() if column.null_count() else None
    kind = pl.UInt64 if column.dtype == pl.UInt64 else pl.Int64
    exact = _microseconds(column).cast(kind).fill_null(0).to_numpy()
    values = exact.astype(np.float64)
    bits = values.view(np.uint64)
    if len(exact) and max(abs(int(exact.min())), int(exact.max())) > _EXACT:
        bits = bits + _mixed(exact.view(np.uint64) - _whole(values), fixed_point=True)
    return bits, missing


def _microseconds(column: pl.Series) -> pl.Series:

    if isinstance(column.dtype, pl.Datetime):
        return column.dt.epoch("us")
    if isinstance(column.dtype, pl.Duration):
        return column.dt.total_microseconds()
    return column


def _whole(values: np.ndarray) -> np.ndarray:
    """Whole floats as integers modulo 2**64."""

    high = np.floor(values / 2.0**32)
    low = values - high * 2.0**32
    return (high.astype(np.int64).view(np.uint64) << np.uint64(32)) + low.astype(np.uint64)


def _texts(column: pl.Series) -> tuple[np.ndarray, np.ndarray | None]:
    """One BLAKE2b per distinct text."""
    import pyarrow as pa

    encoded = column.to_arrow().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    table = np.fromiter(map(_text_hash, encoded.dictionary.to_pylist()), dtype=np.uint64)
    missing = column.is_null().to_numpy() if column.null_count() else None
    codes = encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)
    return (table[codes] if len(table) else np.zeros(len(column), dtype=np.uint64)), missing


def _text_hash(text: str) -> int:
    from hashlib import blake2b

    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def _mixed(values: np.ndarray, fixed_point: bool = False) -> np.ndarray:
    """splitmix64 of every value; with ``fixed_point`` zero stays zero."""

    mixed = np.empty_like(values)
    for start in range(0, len(values), _BLOCK):
        block = values[start : start + _BLOCK] + np.uint64(0 if fixed_point else _GOLDEN)
        block ^= block >> np.uint64(30)
        block *= np.uint64(_FIRST)
        block ^= block >> np.uint64(27)
        block *= np.uint64(_SECOND)
        block ^= block >> np.uint64(31)
        mixed[start : start + _BLOCK] = block
    return mixed
