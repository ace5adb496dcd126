"""Files made to do harm: bombs, nests and odd types, each small on disk."""

import gzip
import io
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

GOOD = b"x,note,y\n" + b"".join(b"%d,n,a\n" % row for row in range(50))


def parquet(table: pa.Table, **options: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def _zipped(block: bytes, times: int) -> bytes:
    """A gzip stream of ``times`` members."""
    return gzip.compress(block) * times


def _rows(x: pa.Array, **columns: pa.Array) -> pa.Table:
    return pa.table({"x": x, "note": pa.nulls(len(x), pa.string()), "y": pa.array(["a"] * len(x)), **columns})


def _long_text_once(rows: int, size: int) -> bytes:
    """One long text in the dictionary of a page, which every row points at."""
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["n" * size]))
    table = pa.table({"x": pa.array([1.0] * rows), "note": texts, "y": pa.array(["a"] * rows)})
    return parquet(table, compression="zstd", dictionary_pagesize_limit=1 << 30)


def _many_rows(rows: int) -> bytes:
    """Runs of one value: a row takes next to nothing."""
    schema = pa.schema([("x", pa.float64()), ("note", pa.string()), ("y", pa.string())])
    part = pa.table({"x": [1.0], "note": ["n"], "y": ["a"]}, schema).take(pa.array([0] * 1_000_000))
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, schema, compression="zstd") as writer:
        for _ in range(rows // 1_000_000):
            writer.write_table(part)
    return buffer.getvalue()


def _deep_struct(depth: int) -> bytes:
    kind: pa.DataType = pa.int64()
    for _ in range(depth):
        kind = pa.struct([("a", kind)])
    return parquet(_rows(pa.array([1.0, 2.0]), deep=pa.nulls(2, kind)))


BOMBS: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "2,000 brackets": ("r.jsonl", lambda: b'{"x": ' + b"[" * 2000 + b"]" * 2000 + b"}\n", "too_deep"),
    "a million brackets": ("r.jsonl", lambda: b'{"x": ' + b"[" * 1_000_000, "too_deep"),
    "2,000 objects": ("r.jsonl", lambda: b'{"x": ' + b'{"a":' * 2000 + b"1" + b"}" * 2001, "too_deep"),
    "brackets after many rows": (
        "r.jsonl",
        lambda: b'{"x": 1, "y": "a"}\n' * 100_000 + b'{"x": ' + b"[" * 3000 + b"]" * 3000 + b"}\n",
        "too_deep",
    ),
    "nine megabytes in one line": ("r.jsonl", lambda: b'{"x": "' + b"1" * 9_000_000, "unreadable_file"),
    "a line without end in gzip": ("r.jsonl.gz", lambda: _zipped(b"{" * (1 << 24), 16), ""),
    "nothing but empty objects": ("r.jsonl", lambda: b"{}\n" * 3_300_000, "missing_column"),
    "objects of one key": ("r.jsonl", lambda: b'{"x":1,"y":"a"}\n' + b"{}\n" * 3_300_000, "too_many_quarantined"),
    "zeros in gzip": ("r.csv.gz", lambda: _zipped(b"\0" * (1 << 24), 600), ""),
    "rows in gzip": ("r.csv.gz", lambda: gzip.compress(b"x,note,y\n") + _zipped(b"1,n,a\n" * 2_000_000, 500), ""),
    "zeros in zstd": ("r.csv.zst", lambda: zstandard.ZstdCompressor().compress(b"\0" * (1 << 26)) * 300, ""),
    "spaces in zstd": (
        "r.jsonl.zst",
        lambda: zstandard.ZstdCompressor().compress(b" " * (1 << 26)) * 200,
        "decompression_bomb",
    ),
    "frames of nothing in zstd": (
        "r.csv.zst",
        lambda: zstandard.ZstdCompressor().compress(b"x,y\n") + zstandard.ZstdCompressor().compress(b"") * 1_000_000,
        "",
    ),
    "gzip in gzip": ("r.csv.gz", lambda: gzip.compress(_zipped(b"\0" * (1 << 24), 100)), ""),
    "five million columns": ("r.csv", lambda: b"," * 5_000_000 + b"\n1\n", "too_many_columns"),
    "thirty thousand columns": (
        "r.csv",
        lambda: b",".join(b"%d" % i for i in range(30_000)) + b"\n1\n",
        "too_many_columns",
    ),
    "an open quote": ("r.csv", lambda: GOOD + b'1,"' + b"n,a\n" * 2_000_000, ""),
    "a long cell": ("r.csv", lambda: GOOD + b"1," + b"n" * 3_000_000 + b",a\n", ""),
    "sixty million rows": ("r.parquet", lambda: _many_rows(60_000_000), "decompression_bomb"),
    "one text for every row": ("r.parquet", lambda: _long_text_once(200_000, 900_000), ""),
    "one long text for a few rows": ("r.parquet", lambda: _long_text_once(50, 2_000_000), "long_cell"),
    "parquet in gzip": ("r.parquet.gz", lambda: _zipped(b"PAR1" + b"\0" * (1 << 24), 500), "decompression_bomb"),
    "a deep struct": ("r.parquet", lambda: _deep_struct(300), ""),
}
"""File name, content, and the rule by which it is rejected; any rule where it is empty."""


def _arrays() -> dict[str, pa.Array]:
    """Two cells of every type that Parquet holds."""
    numbers = pa.array([1, 2])
    plain: dict[str, pa.Array] = {
        str(kind): numbers.cast(kind)
        for kind in (
            *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
            *(pa.float32(), pa.float64()),
        )
    }
    plain |= {
        str(kind): pa.array([Decimal(1), Decimal(2)], kind)
        for kind in (pa.decimal128(38, 0), pa.decimal128(5, 2), pa.decimal128(38, 37), pa.decimal256(70, 4))
    }
    plain |= {
        str(kind): numbers.cast(storage).cast(kind)
        for kind, storage in (
            *((pa.date32(), pa.int32()), (pa.date64(), pa.int64()), (pa.time32("s"), pa.int32())),
            *((pa.time32("ms"), pa.int32()), (pa.time64("us"), pa.int64()), (pa.time64("ns"), pa.int64())),
            *((pa.timestamp(unit), pa.int64()) for unit in ("s", "ms", "us", "ns")),
            *((pa.timestamp("us", zone), pa.int64()) for zone in ("UTC", "Europe/Rome", "+05:30", "Nowhere/None")),
            *((pa.duration(unit), pa.int64()) for unit in ("s", "ms", "us", "ns")),
        )
    }
    texts = pa.array(["a", "b"])
    most = 2**63 - 1
    plain |= {
        "string": texts,
        "large_string": texts.cast(pa.large_string()),
        "string_view": texts.cast(pa.string_view()),
        "binary": texts.cast(pa.binary()),
        "large_binary": texts.cast(pa.large_binary()),
        "binary_view": texts.cast(pa.binary_view()),
        "bytes that are no text": pa.array([b"\xff\xfe", b"\x00"]),
        "fixed bytes": pa.array([b"abcd", b"efgh"], pa.binary(4)),
        "float16": pa.array([1.0, 2.0], pa.float32()).cast(pa.float16()),
        "bool": pa.array([True, False]),
        "null": pa.nulls(2),
        "list": pa.array([[1], [2]]),
        "large_list": pa.array([[1], [2]], pa.large_list(pa.int64())),
        "fixed list": pa.array([[1], [2]], pa.list_(pa.int64(), 1)),
        "map": pa.array([[("k", 1)], [("k", 2)]], pa.map_(pa.string(), pa.int64())),
        "struct": pa.array([{"a": 1}, {"a": 2}]),
        "list of struct": pa.array([[{"a": 1}], []]),
        "struct of list": pa.array([{"a": [1]}, {"a": []}]),
        "uuid": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16, b"1" * 16], pa.binary(16))),
        "json": pa.ExtensionArray.from_storage(pa.json_(), pa.array(["1", "[2]"])),
        "bool8": pa.ExtensionArray.from_storage(pa.bool8(), pa.array([0, 1], pa.int8())),
        "opaque": pa.ExtensionArray.from_storage(pa.opaque(pa.string(), "t", "v"), texts),
        "far dates": pa.array([-(2**31), 2**31 - 1], pa.int32()).cast(pa.date32()),
        "far days": pa.array([-most, most]).cast(pa.date64(), safe=False),
        "large": pa.array([2**64 - 1, 0], pa.uint64()),
        "nan": pa.array([float("nan"), float("inf")]),
        "wide decimal": pa.array([Decimal("9" * 76), None], pa.decimal256(76, 0)),
    }
    for unit in ("ms", "us", "ns"):  # Parquet has no seconds
        plain[f"far {unit}"] = pa.array([-most, most]).cast(pa.timestamp(unit), safe=False)
    plain |= {f"far duration {unit}": pa.array([-most, most]).cast(pa.duration(unit)) for unit in ("s", "ns")}
    coded = ("int8", "int64", "double", "string", "bool", "date32[day]", "timestamp[us]", "decimal128(5, 2)", "binary")
    return plain | {f"dictionary of {name}": plain[name].dictionary_encode() for name in coded}


FORMS: dict[str, pa.Array] = _arrays()
KINDS = ("float", "integer", "string", "boolean", "date", "datetime")


def holding(form: pa.Array) -> bytes:
    """A Parquet file whose column ``x`` is ``form``."""
    return parquet(_rows(form))


def every_format() -> dict[str, bytes]:
    """The same rows in every format and compression."""
    rows = pl.DataFrame({"x": [float(row) for row in range(300)], "note": ["n", None, "ö"] * 100, "y": ["a"] * 300})
    csv, lines = rows.write_csv().encode(), rows.write_ndjson().encode()
    column = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
    files = {"r.csv": csv, "r.jsonl": lines, "r.csv.gz": gzip.compress(csv), "r.jsonl.gz": gzip.compress(lines)}
    files |= {"r.csv.zst": zstandard.compress(csv), "r.jsonl.zst": zstandard.compress(lines)}
    return files | {
        f"r-{codec}.parquet": parquet(column, compression=codec, row_group_size=100)
        for codec in ("none", "snappy", "gzip", "zstd", "brotli", "lz4")
    }
