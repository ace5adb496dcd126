"""Landing, contract check and append of many rows."""

import shutil
from pathlib import Path
from typing import Any

from benchmarks.figure import RUNS, Benchmark, Figure
from benchmarks.process import run
from benchmarks.wide import wide_rows, write_wide

ROWS, MANY = 1_000_000, 10_000_000
GIB = 2**30


def measure(folder: Path) -> list[Figure]:
    """A million rows from Parquet and CSV, ten million from Parquet."""
    frame = wide_rows(ROWS, seed=0).estimated_size()
    small = write_wide(folder / "small.parquet", 1_000, seed=9)
    parquet = _ingested(folder, write_wide(folder / "rows.parquet", ROWS), small, ROWS, RUNS)
    csv = _ingested(folder, write_wide(folder / "rows.csv", ROWS), small, ROWS, RUNS)
    many = _ingested(folder, write_wide(folder / "many.parquet", MANY), small, MANY, 1)
    return [
        Figure("1,000,000 rows from Parquet", _speeds(parquet), "rows/s", at_least=500_000),
        Figure("1,000,000 rows from CSV", _speeds(csv), "rows/s", at_least=150_000),
        Figure("Peak memory, Parquet", _peaks(parquet, frame), f"× the frame ({_mib(frame)})", at_most=6),
        Figure("Peak memory, CSV", _peaks(csv, frame), f"× the frame ({_mib(frame)})", at_most=6),
        Figure("10,000,000 rows from Parquet", _speeds(many), "rows/s"),
        Figure("Peak memory, 10,000,000 rows", _peaks(many, GIB), "GiB", at_most=8),
    ]


def _ingested(folder: Path, file: Path, small: Path, rows: int, runs: int) -> list[dict[str, Any]]:
    answers = []
    for number in range(runs):
        home = folder / f"{file.name}-{number}"
        answers.append(run(["-m", "benchmarks.ingest_once", str(home), str(file), str(small)], home=home).answer)
        shutil.rmtree(home)
        if answers[-1]["rows"] != rows:
            raise RuntimeError(f"{answers[-1]['rows']} rows of {file.name} were accepted instead of {rows}")
    file.unlink()
    return answers


def _speeds(answers: list[dict[str, Any]]) -> tuple[float, ...]:
    return tuple(answer["rows"] / answer["seconds"] for answer in answers)


def _peaks(answers: list[dict[str, Any]], unit: float) -> tuple[float, ...]:
    return tuple(answer["peak_bytes"] / unit for answer in answers)


def _mib(size: float) -> str:
    return f"{size / 2**20:.0f} MiB"


BENCHMARK = Benchmark(
    title="Ingesting many rows",
    how="`land` and `ingest` of one file of 20 columns (14 float with bounds, 6 categorical with allowed values; "
    "floats in CSV have up to 17 digits), from the copy into the landing zone to the published version. Each run "
    "is a fresh process whose libraries are warmed up by 1,000 rows. Memory is the peak of resident memory of the "
    "whole process, interpreter, libraries and mapped files included; the frame is what Polars needs for the same "
    "rows. Ten million rows are one run.",
    measure=measure,
)
