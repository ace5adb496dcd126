"""Batches in another unit, and batches that merely differ."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from mlops_assets.features.unit_change import rescaled
from mlops_assets_tests.features.conftest import Declare

Draw = Callable[[np.random.Generator, int], np.ndarray]


def odd(declare: Declare, batches: dict[str, np.ndarray], **column: float) -> list[str]:
    frame = pl.concat(
        pl.DataFrame({"x": values.astype(float), "y": np.arange(len(values)) % 2, "_batch": name})
        for name, values in batches.items()
    )
    defects = rescaled(frame, declare(frame, "y", columns={"x": column}))
    return [defect.reason.split("'")[1] for defect in defects]


DRAWS: dict[str, Draw] = {
    "normal": lambda rng, rows: rng.normal(70, 12, rows),
    "lognormal": lambda rng, rows: rng.lognormal(3, 0.9, rows),
    "zero-inflated": lambda rng, rows: np.where(rng.uniform(size=rows) < 0.8, 0, rng.lognormal(5, 0.8, rows)),
    "both signs": lambda rng, rows: rng.choice([-1, 1], rows) * rng.uniform(5, 20, rows),
}


@pytest.mark.parametrize("factor", [1000, 100, 0.01, 0.001])
@pytest.mark.parametrize("draw", DRAWS)
def test_another_unit_is_found_whatever_the_distribution(declare, draw, factor):
    rng = np.random.default_rng(0)
    batches = {name: DRAWS[draw](rng, 300) for name in ("one", "two", "three")}
    assert odd(declare, {**batches, "new": factor * DRAWS[draw](rng, 100)}) == ["new"]


@pytest.mark.parametrize(
    "later",
    [
        lambda rng: rng.normal(140, 12, 100),
        lambda rng: rng.lognormal(5, 2, 100),
        lambda rng: np.zeros(100),
        lambda rng: np.full(100, np.nan),
        lambda rng: rng.normal(70_000, 12, 5),
        lambda rng: np.where(np.arange(100) < 6, 70_000.0, rng.normal(70, 12, 100)),
    ],
    ids=["doubled", "wide", "zeros", "empty", "few rows", "a few faulty cells"],
)
def test_a_batch_that_differs_is_no_other_unit(declare, later):
    rng = np.random.default_rng(1)
    assert odd(declare, {"one": rng.normal(70, 12, 300), "new": later(rng)}) == []


def test_a_single_batch_is_its_own_measure(declare):
    assert odd(declare, {"one": np.random.default_rng(0).lognormal(0, 5, 300)}) == []
    assert odd(declare, {"one": np.zeros(300)}) == []


def test_the_larger_part_of_the_rows_is_usual(declare):
    rng = np.random.default_rng(2)
    assert odd(declare, {"one": rng.normal(70, 12, 100), "new": rng.normal(70_000, 9, 300)}) == ["one"]


def test_a_column_with_a_declared_range_is_left_to_the_contract(declare):
    rng = np.random.default_rng(3)
    batches = {"one": rng.normal(70, 12, 300), "new": rng.normal(70_000, 9, 100)}
    assert odd(declare, batches, min=0) == ["new"]
    assert odd(declare, batches, min=0, max=1e6) == []


def test_the_target_is_judged_too(declare):
    values = np.random.default_rng(4).normal(70, 12, 400)
    frame = pl.DataFrame({"x": values[::-1], "y": values, "_batch": ["one"] * 300 + ["new"] * 100})
    frame = frame.with_columns(pl.when(pl.col("_batch") == "new").then(pl.col("y") * 1000).otherwise(pl.col("y")))
    [defect] = rescaled(frame, declare(frame, "y", "regression"))
    assert defect.feature == "y"
    assert defect.reason.startswith("batch 'new' holds values of about 68,436 in 100 rows, 967 times the usual 70.8")
