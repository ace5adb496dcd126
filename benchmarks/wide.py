"""A wide dataset: 20 columns (14 float, 6 categorical), each with a rule, in any number of rows."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from mlops_assets.declaration.spec import SystemSpec

FLOATS = [f"measure_{number:02}" for number in range(14)]
LEVELS = {f"category_{number}": [f"level_{level:02}" for level in range(3 + 3 * number)] for number in range(6)}
TARGET = "category_0"
CHUNK = 500_000


def wide_system(name: str = "wide") -> SystemSpec:
    """A system whose contract bounds every float and lists the values of every category."""
    floats = {column: {"type": "float", "min": -10, "max": 10} for column in FLOATS}
    categories = {column: {"type": "string", "allowed": levels} for column, levels in LEVELS.items()}
    dataset = {"target": TARGET, "columns": {**floats, **categories}}
    return SystemSpec.model_validate({"name": name, "task": "classification", "dataset": dataset})


def wide_rows(count: int, seed: int) -> pl.DataFrame:
    """Rows that keep the contract; another seed gives other rows."""
    rng = np.random.default_rng(seed)
    floats = {column: rng.standard_normal(count) for column in FLOATS}
    categories = {column: pl.Series(levels)[rng.integers(0, len(levels), count)] for column, levels in LEVELS.items()}
    return pl.DataFrame({**floats, **categories})


def write_wide(path: Path, rows: int, seed: int = 0) -> Path:
    """A file of ``rows`` rows, CSV or Parquet by its suffix; made chunk by chunk."""
    write = _write_csv if path.suffix == ".csv" else _write_parquet
    write(path, _chunks(rows, seed))
    return path


def _chunks(rows: int, seed: int) -> Iterator[pl.DataFrame]:
    for start in range(0, rows, CHUNK):
        yield wide_rows(min(CHUNK, rows - start), seed=seed * 1_000_003 + start)


def _write_csv(path: Path, chunks: Iterator[pl.DataFrame]) -> None:
    with path.open("wb") as file:
        for number, chunk in enumerate(chunks):
            chunk.write_csv(file, include_header=number == 0)


def _write_parquet(path: Path, chunks: Iterator[pl.DataFrame]) -> None:
    import pyarrow.parquet as pq

    first = next(chunks).to_arrow()
    with pq.ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        for chunk in chunks:
            writer.write_table(chunk.to_arrow())
