from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.dataset.row_hash import row_hash

GOLDEN = pl.DataFrame(
    {
        "a": [1, 2, None],
        "b": [0.5, -0.0, float("nan")],
        "c": ["x", None, "é"],
        "d": [True, False, None],
        "e": [date(2014, 10, 13)] * 3,
    }
)


def test_hashes_are_pinned():
    assert [hex(value) for value in row_hash(GOLDEN, GOLDEN.columns)] == [
        "0xa7cb8dc6ab49db73",
        "0xd3ab5a31a1c68e1d",
        "0x1c1d62b4633fc845",
    ]


def test_storage_type_and_column_order_do_not_matter():
    other = GOLDEN.with_columns(
        pl.col("a").cast(pl.Float64),
        pl.col("b").fill_nan(None) + 0.0,
        pl.col("c").cast(pl.Categorical),
        pl.col("d").cast(pl.Int8),
        pl.col("e").cast(pl.Datetime("ns", "UTC")),
    )
    np.testing.assert_array_equal(row_hash(other, other.columns[::-1]), row_hash(GOLDEN, GOLDEN.columns))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([7], [7.0]),
        ([0.0], [-0.0]),
        ([True], [1]),
        ([float("nan")], [None]),
        ([2**53], [2.0**53]),
        ([-(2**63)], [-(2.0**63)]),
        ([datetime(2014, 10, 13, tzinfo=UTC)], [date(2014, 10, 13)]),
    ],
)
def test_equal_values_hash_equal(left: list, right: list):
    assert _hash(left) == _hash(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([7], [8]),
        (["7"], [7]),
        ([""], [None]),
        ([2**53 + 1], [2**53]),
        ([2**63 - 1], [2**63 - 2]),
        ([0], [None]),
        ([False], [None]),
    ],
)
def test_different_values_hash_differently(left: list, right: list):
    assert _hash(left) != _hash(right)


def test_swapped_cells_are_another_row():
    rows = pl.DataFrame({"a": [1, 2], "b": [2, 1]})
    assert len(set(row_hash(rows, ["a", "b"]))) == 2


def test_a_column_added_later_leaves_rows_without_it_as_they_were():
    wider = GOLDEN.with_columns(later=pl.lit(None, pl.String))
    np.testing.assert_array_equal(row_hash(wider, wider.columns), row_hash(GOLDEN, GOLDEN.columns))


def test_an_empty_frame_has_no_hashes():
    assert row_hash(GOLDEN.clear(), GOLDEN.columns).shape == (0,)


def test_nested_values_are_refused():
    with pytest.raises(TypeError, match="'a' holds List"):
        row_hash(pl.DataFrame({"a": [[1]]}), ["a"])


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.text(max_size=3)), unique=True, max_size=200))
def test_distinct_rows_do_not_collide(rows: list[tuple[int, str]]):
    frame = pl.DataFrame(rows, schema={"a": pl.Int64, "b": pl.String}, orient="row")
    assert len(set(row_hash(frame, ["a", "b"]))) == len(rows)


@given(st.lists(st.floats(), max_size=50), st.integers(0, 50))
def test_a_row_hashes_the_same_wherever_it_stands(values: list[float], cut: int):
    frame = pl.DataFrame({"a": values}, schema={"a": pl.Float64})
    parts = [row_hash(frame[:cut], ["a"]), row_hash(frame[cut:], ["a"])]
    np.testing.assert_array_equal(np.concatenate(parts), row_hash(frame, ["a"]))


def _hash(values: list) -> int:
    return int(row_hash(pl.DataFrame({"a": values}, strict=False), ["a"])[0])
