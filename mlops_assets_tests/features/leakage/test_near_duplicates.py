"""Rows of different parts that are the same but for a little noise."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.features.leakage.near_duplicates import no_near_duplicates
from mlops_assets_tests.features.conftest import Declare


def judged(features: dict, parts: list[str] | np.ndarray, tolerance: float = 0.01, batch: list[str] | None = None):
    frame = pd.DataFrame(features)
    rows = pl.DataFrame({"_batch": batch or ["b"] * len(frame), "_row": range(1, len(frame) + 1)})
    return no_near_duplicates(frame, np.array(parts), rows, tolerance)


def by_hand(features: pd.DataFrame, parts: np.ndarray, tolerance: float) -> dict[str, int]:
    """Every pair of rows compared."""
    near = np.all([alike(values.to_numpy(), parts, tolerance) for _, values in features.items()], axis=0)
    earlier = {"validation": parts == "train", "test": np.isin(parts, ["train", "validation"])}
    return {part: int(near[parts == part][:, others].any(axis=1).sum()) for part, others in earlier.items()}


def alike(cells: np.ndarray, parts: np.ndarray, tolerance: float) -> np.ndarray:
    if cells.dtype == object:
        return cells[:, np.newaxis] == cells
    width = tolerance * np.nanstd(cells[parts == "train"]) * (1 + 1e-6)
    empty = np.isnan(cells)
    return (np.abs(cells[:, np.newaxis] - cells) <= width) | (empty[:, np.newaxis] & empty)


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), tolerance=st.sampled_from([0.01, 0.1, 0.5]))
def test_the_tree_finds_what_comparing_every_pair_finds(seed: int, tolerance: float):
    rng = np.random.default_rng(seed)
    rows = 50
    features = pd.DataFrame(
        {
            "x": np.where(rng.uniform(size=rows) < 0.2, np.nan, rng.normal(size=rows).round(1)),
            "z": rng.integers(0, 3, rows) * 1e6,
            "kind": rng.choice(["u", "v"], rows).astype(object),
            "same": 3.0,
        }
    )
    parts = np.array(["train", "validation", "test"])[np.r_[0, 0, rng.integers(0, 3, rows - 2)]]
    verdict = no_near_duplicates(
        features, parts, pl.DataFrame({"_batch": ["b"] * rows, "_row": range(rows)}), tolerance
    )
    assert verdict.details["by_parts"] == by_hand(features, parts, tolerance)


def test_twins_are_counted_once_and_shown_with_batch_and_row():
    x = [0.0, 10.0, 20.0, 30.0, 0.05, 20.05, 0.05]
    parts = ["train"] * 4 + ["validation", "test", "test"]
    verdict = judged({"x": x}, parts, batch=["old"] * 4 + ["new"] * 3)
    assert (verdict.outcome, verdict.value, verdict.bound, verdict.blocks) == ("failed", 3, 0, True)
    assert verdict.details["by_parts"] == {"validation": 1, "test": 2}
    assert verdict.reason.startswith("2 of 2 test rows and 1 of 1 validation rows have a near twin")
    assert verdict.details["examples"][0] == {
        "part": "test",
        "batch": "new",
        "row": 6,
        "twin": {"part": "train", "batch": "old", "row": 3},
    }


@pytest.mark.parametrize(
    ("other", "near"),
    [
        ({"x": 1.0, "kind": "u"}, True),
        ({"x": 1.04, "kind": "u"}, True),
        ({"x": 1.06, "kind": "u"}, False),
        ({"x": 1.0, "kind": "v"}, False),
        ({"x": np.nan, "kind": "u"}, False),
        ({"x": np.inf, "kind": "u"}, False),
    ],
    ids=["copy", "within", "beyond", "another category", "an empty cell", "infinite"],
)
def test_near_is_within_the_tolerance_and_equal_in_all_else(other, near):
    train = {"x": [1.0, 11.0], "kind": ["u", "v"]}  # standard deviation 5
    features = {name: [*values, other[name]] for name, values in train.items()}
    assert judged(features, ["train", "train", "test"]).passed is not near


def test_rows_of_one_part_and_excluded_rows_may_be_alike():
    parts = ["train", "train", "train", "test", "test", "excluded"]
    assert judged({"x": [1.0, 1.0, 9.0, 5.0, 5.0, 1.0]}, parts).passed


def test_a_feature_that_is_constant_in_train_must_be_equal():
    features = {"x": [0.0, 5.0, 5.0], "same": [7.0, 7.0, 7.001]}
    assert judged(features, ["train", "train", "test"]).passed
    assert not judged({**features, "same": [7.0, 7.0, 7.0]}, ["train", "train", "test"]).passed


def test_without_numbers_the_categories_decide():
    assert not judged({"kind": ["u", "v", "u"]}, ["train", "train", "test"]).passed
    assert judged({"kind": ["u", "v", "w"]}, ["train", "train", "test"]).passed


def test_large_offsets_cost_no_precision():
    start = 1.7e9
    moments = [start, start + 1000.0, start + 4.0, start + 6.0]
    assert judged({"at": moments}, ["train", "train", "test", "test"]).details["by_parts"]["test"] == 1


def test_without_train_rows_nothing_is_evaluated():
    verdict = judged({"x": [1.0]}, ["test"])
    assert verdict.outcome == "not evaluated"
    assert verdict.blocks


@pytest.mark.slow
def test_a_hundred_thousand_rows_of_twenty_columns_take_seconds():
    import time

    rng = np.random.default_rng(0)
    table = {f"x{i}": np.floor(rng.exponential(1, 100_000)) if i % 2 else rng.normal(size=100_000) for i in range(20)}
    parts = rng.choice(["train", "validation", "test"], 100_000, p=[0.7, 0.1, 0.2])
    start = time.process_time()
    assert judged(table, parts).passed
    assert time.process_time() - start < 15


@pytest.mark.parametrize("tolerance", [0, -0.1, 0.6])
def test_a_tolerance_is_a_small_share(declare: Declare, tolerance: float):
    with pytest.raises(ValueError, match="near_duplicates"):
        declare(pl.DataFrame({"a": [1.0], "y": [1]}), "y", features={"leakage": {"near_duplicates": tolerance}})
