"""Unit changes: whether a batch holds a column in another unit than all the others do, as grams for kilograms."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.features.degenerate_features import Defect

FACTOR = 30.0
"""How many times larger or smaller a batch's typical size must be; percent for shares is 100, thousands are 1000."""
LOW, HIGH = 0.05, 0.95
"""Quantiles between which sizes are usual: those of the batch and of the others must not touch."""
MIN_ROWS = 10
"""Rows with a value other than 0 that a batch needs to be judged."""


def rescaled(rows: pl.DataFrame, spec: SystemSpec) -> list[Defect]:
    """Numeric columns (features as landed, and the target) that some batch holds in another order of magnitude.

    ``rows`` holds them beside ``_batch``. A column with a declared ``min`` and ``max`` is left to the contract.
    """
    return [Defect(name, message) for name in _judged(rows, spec) for message in _odd_batches(_sizes(rows, name))]


def _judged(rows: pl.DataFrame, spec: SystemSpec) -> list[str]:
    declared = spec.dataset.columns
    return [
        name
        for name in dict.fromkeys([*spec.feature_columns(), spec.dataset.target])
        if rows[name].dtype.is_numeric()
        and declared[name].type in ("float", "integer")
        and name not in spec.features.categorical
        and (declared[name].min is None or declared[name].max is None)
        and not (name == spec.dataset.target and spec.task == "classification")
    ]


def _sizes(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """Rows, and the median and usual range of the absolute values other than 0, of each batch; the smallest first."""
    size = pl.col(name).cast(pl.Float64).abs()
    values = rows.select("_batch", size.alias("size")).filter((pl.col("size") > 0) & pl.col("size").is_finite())
    sizes = values.group_by("_batch").agg(
        pl.len().alias("rows"),
        pl.col("size").median().alias("median"),
        pl.col("size").quantile(LOW).alias("low"),
        pl.col("size").quantile(HIGH).alias("high"),
    )
    return sizes.filter(pl.col("rows") >= MIN_ROWS).sort("median", "_batch")


def _odd_batches(sizes: pl.DataFrame) -> Iterator[str]:
    usual = {name: _typical(sizes, name) for name in ("median", "low", "high")}
    for batch in sizes.iter_rows(named=True):
        ratio = batch["median"] / usual["median"]
        if ratio >= FACTOR and batch["low"] > usual["high"]:
            yield _message(batch, usual["median"], f"{_shown(ratio)} times")
        elif ratio <= 1 / FACTOR and batch["high"] < usual["low"]:
            yield _message(batch, usual["median"], f"1/{_shown(1 / ratio)} of")


def _typical(sizes: pl.DataFrame, name: str) -> float:
    """Median over the batches, each with the weight of its rows: what at most half of the rows contradict."""
    ordered = sizes.sort(name)
    if not ordered.height:
        return float("nan")
    weights = np.cumsum(ordered["rows"].to_numpy())
    return float(ordered[name][int(np.searchsorted(weights, weights[-1] / 2))])


def _message(batch: dict[str, Any], usual: float, times: str) -> str:
    name, about = batch["_batch"][:12], _shown(batch["median"])
    return (
        f"batch {name!r} holds values of about {about} in {batch['rows']:,} rows, {times} the usual {_shown(usual)}, "
        "as if in another unit. Remedy: retract the batch, or declare the column's min and max for the contract to "
        "judge it by"
    )


def _shown(size: float) -> str:
    return f"{size:,.0f}" if 100 <= size < 1e9 else f"{size:.3g}"
