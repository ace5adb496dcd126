"""Declarations and dataset rows of small systems."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from mlops_assets.declaration.spec import SystemSpec

TYPES = {
    pl.Float64: "float",
    pl.Int64: "integer",
    pl.String: "string",
    pl.Boolean: "boolean",
    pl.Date: "date",
    pl.Datetime: "datetime",
}
Declare = Callable[..., SystemSpec]


def declared(frame: pl.DataFrame, target: str, task: str = "classification", **parts: Any) -> SystemSpec:
    """Declaration of a frame: every column nullable, of the frame's own type."""
    columns = {
        name: {"type": TYPES[type(dtype) if isinstance(dtype, pl.Datetime) else dtype], "nullable": True}
        for name, dtype in frame.schema.items()
        if not name.startswith("_")
    }
    for name, changes in parts.pop("columns", {}).items():
        columns[name] |= changes
    system = {"name": "sys", "task": task, "dataset": {"target": target, "columns": columns}, **parts}
    return SystemSpec.model_validate(system)


@pytest.fixture(scope="session")
def declare() -> Declare:
    """Builds the declaration of a frame: every column nullable, of the frame's own type."""
    return declared


@pytest.fixture(scope="session")
def as_rows() -> Callable[..., pl.DataFrame]:
    """Gives a frame the row columns that the dataset has."""
    return lambda frame, batch="b1": frame.with_columns(
        pl.lit(batch).alias("_batch"), pl.int_range(frame.height, dtype=pl.Int64).alias("_row")
    )
