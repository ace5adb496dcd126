import gzip
import json
from pathlib import Path

import fsspec
import polars as pl
import pytest
import zstandard

from mlops_assets.dataset.reading.batch import read_batch
from mlops_assets.dataset.spec import DatasetSpec
from mlops_assets.errors import BatchRejected
from mlops_assets_tests.dataset.declaring import system

FILES = fsspec.filesystem("file")
TEXT = 'x,note,y\n1.5,"naïve, ""so""",a\n2,,b\n'
ROWS = {"x": ["1.5", "2"], "note": ['naïve, "so"', None], "y": ["a", "b"]}
COMPRESSIONS = {
    "": lambda content: content,
    ".gz": gzip.compress,
    ".zst": lambda content: zstandard.ZstdCompressor().compress(content),
}


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "detected"])
def test_csv_dialects(tmp_path: Path, compression: str, ending: str, encoding: str, delimiter: str, declared: bool):
    text = _dialect(delimiter, ending)
    how = {"delimiter": delimiter, "encoding": encoding.removesuffix("-sig"), "type": "csv"} if declared else {}
    path = _write(tmp_path / f"rows.csv{compression}", COMPRESSIONS[compression](text.encode(encoding)))
    assert _rows(path, system(format=how).dataset) == ROWS


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_json_lines(tmp_path: Path, compression: str, ending: str, encoding: str):
    records = [{"x": 1.5, "note": 'naïve, "so"', "y": "a", "more": [1]}, {"y": "b", "x": 2}]
    text = ending.join(["", *(json.dumps(record, ensure_ascii=False) for record in records), ""])
    path = _write(tmp_path / f"rows.jsonl{compression}", COMPRESSIONS[compression](text.encode(encoding)))
    batch = read_batch(FILES, str(path), system().dataset)
    assert pl.concat(batch.chunks).to_dict(as_series=False) == ROWS
    assert batch.ignored == ["more"]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_parquet_keeps_its_types(tmp_path: Path, compression: str):
    frame = pl.DataFrame({"y": ["a", "b"], "more": [0, 0], "note": ["NA", "n"], "x": [1.5, 2.0]})
    frame.write_parquet(tmp_path / "rows.parquet")
    content = COMPRESSIONS[compression]((tmp_path / "rows.parquet").read_bytes())
    path = _write(tmp_path / f"without-suffix{compression}", content)
    batch = read_batch(FILES, str(path), system().dataset)
    assert pl.concat(batch.chunks).to_dict(as_series=False) == {"x": [1.5, 2.0], "note": [None, "n"], "y": ["a", "b"]}
    assert batch.ignored == ["more"]


def test_another_filesystem(tmp_path: Path):
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/batch/rows.csv", TEXT.encode())
    pl.DataFrame(ROWS).write_parquet(tmp_path / "rows.parquet")
    memory.pipe_file("/batch/rows.parquet", (tmp_path / "rows.parquet").read_bytes())
    for name in ("rows.csv", "rows.parquet"):
        batch = read_batch(memory, f"/batch/{name}", system().dataset)
        assert pl.concat(batch.chunks).to_dict(as_series=False) == ROWS


def test_blank_lines_and_padded_names_are_tolerated(tmp_path: Path):
    path = _write(tmp_path / "rows.csv", b'\n  \r\n x ,note,y\n1.5,"na\xc3\xafve, ""so""",a\n\n2,,b\n\n')
    assert _rows(path) == ROWS


def test_a_quoted_cell_may_hold_line_ends(tmp_path: Path):
    path = _write(tmp_path / "rows.csv", b'x,note,y\n1,"two\nlines",a\n2,5" pipe,b')
    assert _rows(path) == {"x": ["1", "2"], "note": ["two\nlines", '5" pipe'], "y": ["a", "b"]}


def test_declared_null_texts_are_empty_cells(tmp_path: Path):
    path = _write(tmp_path / "rows.csv", b"x,note,y\n?,?,?\nNA,NA,a\n")
    assert _rows(path, system(format={"null_values": ["?"]}).dataset) == {
        "x": [None, "NA"],
        "note": [None, "NA"],
        "y": [None, "a"],
    }


def test_undeclared_columns_are_reported_unnamed_ones_by_position(tmp_path: Path):
    path = _write(tmp_path / "rows.csv", b",x,note,y,z\n0,1,,a,9\n")
    assert read_batch(FILES, str(path), system().dataset).ignored == ["unnamed column 1", "z"]


def test_many_chunks_keep_order(tmp_path: Path):
    rows = 300_000
    frame = pl.DataFrame({"x": range(rows), "note": "", "y": "a"})
    frame.write_csv(tmp_path / "rows.csv")
    frame.write_ndjson(tmp_path / "rows.jsonl")
    for name in ("rows.csv", "rows.jsonl"):
        chunks = list(read_batch(FILES, str(tmp_path / name), system().dataset).chunks)
        assert len(chunks) > 1 or name == "rows.jsonl"
        assert pl.concat(chunks)["x"].cast(pl.Int64).to_list() == list(range(rows))


@pytest.mark.parametrize(
    ("name", "content", "rule", "reason"),
    [
        ("rows.csv", b"", "empty_file", "holds no text"),
        ("rows.csv", b"\xef\xbb\xbf \r\n\n", "empty_file", "holds no text"),
        ("rows.csv", b"x,note\n1,a\n", "missing_column", "'y'"),
        ("rows.csv", b"X,note,y\n1,,a\n", "missing_column", "'x' .is it 'X'?"),
        ("rows.csv", b"x,note,y,x\n1,,a,2\n", "duplicate_header", "'x'"),
        ("rows.csv", b"1.5,,a\n2,,b\n", "no_header", "first line is data"),
        ("rows.csv", b"1,1,1\n2,,b\n", "no_header", "first line is data"),
        ("rows.csv", b"x,note,y\n1,,a\n2,b\n", "ragged_rows", "Expected 3 columns, got 2"),
        ("rows.csv", b"x,note,y\n1,,a,9\n", "ragged_rows", "Expected 3 columns, got 4"),
        ("rows.csv", b'x,note,y\n1,,a\n2,,"b\n', "ragged_rows", "never closed"),
        ("rows.csv", b"x,note,y\n1,\x93,a\n", "undecodable_bytes", "neither UTF-8"),
        ("rows.csv", "x,note,y\n1,,a\n".encode("utf-16"), "undecodable_bytes", "is UTF-16"),
        ("rows.csv", b"x,note,y\n1,\x00,a\n", "undecodable_bytes", "zero bytes"),
        ("rows.csv.gz", gzip.compress(TEXT.encode() * 500)[:-20], "truncated_file", "ends in the middle"),
        ("rows.csv.zst", COMPRESSIONS[".zst"](TEXT.encode() * 500)[:-20], "truncated_file", "ends in the middle"),
        ("rows.csv.gz", b"\x1f\x8b\x08\x00" + b"garbage" * 9, "unreadable_file", "damaged"),
        ("rows.parquet", b"PAR1 no parquet PAR1", "unreadable_file", "no readable Parquet"),
        ("rows.parquet", b"", "unreadable_file", "no readable Parquet"),
        ("rows.jsonl", b'{"x": 1, "y": "a"}\n{"x":\n', "unreadable_file", "no JSON"),
        ("rows.jsonl", b"[1, 2]\n", "unreadable_file", "no JSON object"),
        ("rows.jsonl", b'{"x": 1, "x": 2, "y": "a"}\n', "duplicate_header", "twice"),
        ("rows.jsonl", b'{"x": 1}\n', "missing_column", "'y'"),
    ],
)
def test_a_file_that_breaks_the_table_is_rejected(tmp_path: Path, name: str, content: bytes, rule: str, reason: str):
    with pytest.raises(BatchRejected, match=reason) as rejection:
        _rows(_write(tmp_path / name, content))
    assert rejection.value.rule == rule
    assert "Remedy" in rejection.value.reason


def test_bytes_that_are_not_the_declared_encoding_are_rejected(tmp_path: Path):
    path = _write(tmp_path / "rows.csv", TEXT.encode("latin-1"))
    with pytest.raises(BatchRejected, match="declared UTF-8, but byte"):
        _rows(path, system(format={"encoding": "utf-8"}).dataset)


def test_a_late_foreign_byte_is_found(tmp_path: Path):
    path = _write(tmp_path / "rows.csv", b"x,note,y\n" + b"1,,a\n" * 400_000 + b"1,\xe9,a\n")
    chunks = list(read_batch(FILES, str(path), system().dataset).chunks)
    assert chunks[-1]["note"][-1] == "é"


@pytest.mark.parametrize("cut", [4, 200, 600])
def test_a_truncated_parquet_file_is_rejected(tmp_path: Path, cut: int):
    pl.DataFrame(ROWS).write_parquet(tmp_path / "rows.parquet")
    content = (tmp_path / "rows.parquet").read_bytes()
    with pytest.raises(BatchRejected, match="unreadable_file"):
        _rows(_write(tmp_path / "cut.parquet", content[:-cut]))


def _dialect(delimiter: str, ending: str) -> str:
    lines = [["x", "note", "y"], ["1.5", '"naïve, ""so"""', "a"], ["2", "", "b"]]
    return "".join(delimiter.join(line) + ending for line in lines)


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _rows(path: Path, dataset: DatasetSpec | None = None) -> dict[str, list]:
    chunks = read_batch(FILES, str(path), dataset or system().dataset).chunks
    return pl.concat(chunks).to_dict(as_series=False)
