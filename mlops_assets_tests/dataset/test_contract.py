from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.dataset.contract import Checked, Contract
from mlops_assets.dataset.seen_hashes import Seen
from mlops_assets.errors import BatchRejected, SpecError
from mlops_assets_tests.dataset.declaring import system

MIDNIGHT = datetime(2014, 10, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "7", 7),
        ("integer", "7.0", 7),
        ("integer", " +7 ", 7),
        ("integer", "1e3", 1000),
        ("integer", "9223372036854775807", 2**63 - 1),
        ("float", "7", 7.0),
        ("float", ".28", 0.28),
        ("float", "-1.5E-3", -0.0015),
        ("string", " 7 ", " 7 "),
        *[("boolean", text, True) for text in ("true", "TRUE", "yes", "1")],
        *[("boolean", text, False) for text in ("false", "No", "0")],
        *[("date", text, MIDNIGHT.date()) for text in ("2014-10-13", "20141013", "20141013T000000")],
        *[
            ("datetime", text, MIDNIGHT.replace(hour=5))
            for text in ("2014-10-13T05:00:00", "2014-10-13 05:00", "20141013T050000", "2014-10-13T07:00:00+02:00")
        ],
        ("datetime", "2014-10-13T00:00:00Z", MIDNIGHT),
        ("datetime", "2014-10-13", MIDNIGHT),
        ("datetime", "2014-10-13 00:00:00.250", MIDNIGHT.replace(microsecond=250_000)),
    ],
)
def test_text_becomes_the_declared_type(kind: str, text: str, value: Any):
    checked = _check({"x": {"type": kind}}, {"x": [text]})
    assert checked.accepted["x"].to_list() == [value]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", "7.5"),
        ("integer", "seven"),
        ("integer", "9223372036854775808"),
        ("integer", "1e30"),
        ("integer", "inf"),
        ("float", "1,5"),
        ("float", "inf"),
        ("float", "-Infinity"),
        ("boolean", "2"),
        ("boolean", "ja"),
        ("date", "2014-13-01"),
        ("date", "2014113"),
        ("date", "13.10.2014"),
        ("date", "20141013T010000"),
        ("datetime", "yesterday"),
    ],
)
def test_text_of_another_type_breaks_only_its_row(kind: str, text: str):
    checked = _check({"x": {"type": kind}, "z": {"type": "string"}}, {"x": [text], "z": ["kept"]}, nullable=False)
    assert checked.violations.rows() == [(1, "x", "type", text)]
    assert checked.accepted.height == 0
    assert checked.quarantined.rows() == [(1, text, "kept")]


@pytest.mark.parametrize(
    ("kind", "cells", "accepted"),
    [
        ("float", [1, None, 3], [1.0, 3.0]),
        ("float", [1.5, float("nan"), float("inf")], [1.5]),
        ("integer", [1.0, 1.5, None], [1]),
        ("integer", [True, None, False], [1, 0]),
        ("string", [98178, None, 1], ["98178", "1"]),
        ("string", [1.5, None, 1.0], []),
        ("boolean", [1, 0, 2], [True, False]),
        ("boolean", [1.0, None, 0.0], [True, False]),
        ("date", [datetime(2014, 10, 13), datetime(2014, 10, 13, 1), None], [date(2014, 10, 13)]),
        ("datetime", [date(2014, 10, 13), None], [MIDNIGHT]),
        ("date", [1.0, 2.0], []),
        ("float", [date(2014, 10, 13)], []),
    ],
)
def test_stored_types_become_the_declared_type(kind: str, cells: list, accepted: list):
    checked = _check({"x": {"type": kind}}, {"x": cells}, nullable=False)
    assert checked.accepted["x"].to_list() == accepted
    assert checked.accepted.height + checked.quarantined.height == len(cells)


@pytest.mark.parametrize(
    ("column", "good", "bad", "rule"),
    [
        ({"type": "float"}, "1", None, "nullable"),
        ({"type": "float", "min": 0}, "0", "-0.1", "min"),
        ({"type": "integer", "max": 5}, "5", "6", "max"),
        ({"type": "date", "min": "2014-01-01"}, "20140101", "2013-12-31", "min"),
        ({"type": "datetime", "max": "2014-01-01T12:00:00"}, "2014-01-01T12:00", "2014-01-01T12:00:01", "max"),
        ({"type": "string", "allowed": ["a", "b"]}, "a", "A", "allowed"),
        ({"type": "integer", "allowed": [1, 2]}, "2.0", "3", "allowed"),
        ({"type": "float", "allowed": [1, 2.5]}, "1", "2", "allowed"),
        ({"type": "boolean", "allowed": [True]}, "yes", "no", "allowed"),
        ({"type": "date", "allowed": ["2014-10-13"]}, "20141013", "20141014", "allowed"),
        ({"type": "string", "pattern": "[a-c]+"}, "abc", "abcd", "pattern"),
        ({"type": "string", "pattern": "a|b"}, "b", "ab", "pattern"),
        ({"type": "string", "pattern": "(?=a).b"}, "ab", "bb", "pattern"),
        ({"type": "string", "unique": True}, "new", "new", "unique"),
    ],
)
def test_each_rule_keeps_good_cells_and_names_bad_ones(column: dict[str, Any], good: str, bad: str | None, rule: str):
    checked = _check({"x": column}, {"x": [good, bad]}, nullable=False)
    assert checked.accepted["_row"].to_list() == [1]
    assert checked.violations.rows() == [(2, "x", rule, bad)]


def test_empty_cells_of_a_nullable_column_break_no_rule():
    column = {"type": "string", "allowed": ["a"], "pattern": "a", "unique": True, "nullable": True}
    assert _check({"x": column}, {"x": [None, "a", None]}).accepted.height == 3


def test_a_row_that_breaks_several_rules_is_quarantined_once_with_each():
    columns = {"x": {"type": "float", "min": 0}, "z": {"type": "integer"}}
    checked = _check(columns, {"x": ["-1", "1"], "z": ["?", "1"]}, nullable=False)
    assert checked.violations.rows() == [(1, "z", "type", "?"), (1, "x", "min", "-1")]
    assert checked.quarantined.height == 1


def test_a_key_is_taken_by_the_first_accepted_row_of_any_chunk():
    contract = _contract({"k": {"type": "integer"}, "x": {"type": "float", "min": 0}}, key=["k"])
    rows = pl.DataFrame({"k": ["1", "1", "2", "2"], "x": ["-1", "1", "1", "1"]})
    checked, seen = contract.check(rows, 1, {})
    assert checked.accepted["_row"].to_list() == [2, 3]
    assert checked.violations.rows() == [(1, "x", "min", "-1"), (4, "k", "key", "2")]
    checked, _ = contract.check(rows, 5, seen)
    assert checked.accepted.height == 0
    assert checked.violations["rule"].to_list() == ["min", "key", "key", "key"]


def test_a_key_of_two_columns_reports_both_values():
    columns = {name: {"type": "string", "nullable": True} for name in ("y", "a", "b", "c")}
    contract = _contract(columns, key=["a", "b"])
    rows = pl.DataFrame({"y": "", "a": ["1", "1", "1"], "b": ["x", "y", "x"], "c": ""})
    checked, _ = contract.check(rows, 1, {})
    assert checked.violations.rows() == [(3, "a, b", "key", "1, x")]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"type": "integer", "allowed": [7, 7.5]}, "'7.5' is no integer"),
        ({"type": "date", "allowed": ["soon"]}, "'soon' is no date"),
    ],
)
def test_a_contract_that_cannot_be_meant_is_refused(column: dict[str, Any], message: str):
    with pytest.raises(SpecError, match=rf"dataset\.columns\.x.*{message}"):
        _check({"x": column}, {"x": ["1"]})


def test_nested_cells_reject_the_batch():
    with pytest.raises(BatchRejected, match="'x' holds List"):
        _check({"x": {"type": "float"}}, {"x": [[1.0]]})


def test_the_digest_names_what_is_accepted_not_how_it_is_described():
    plain = {"x": {"type": "float"}}
    described = {"x": {"type": "float", "unit": "mg", "description": "weight"}}
    bounded = {"x": {"type": "float", "min": 0}}
    assert _contract(plain).digest == _contract(described).digest != _contract(bounded).digest


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["1", "-1", "x", None, "2.5", "inf"]), st.sampled_from(["a", "c", None]), st.integers(0, 3)
        ),
        min_size=1,
        max_size=30,
    ),
    st.integers(1, 29),
)
def test_rules_agree_with_a_row_by_row_reading_however_the_file_is_cut(rows: list[tuple], cut: int):
    columns = {
        "x": {"type": "float", "min": 0},
        "c": {"type": "string", "allowed": ["a", "b"], "nullable": True},
        "k": {"type": "integer"},
    }
    contract = _contract(columns, key=["k"])
    frame = pl.DataFrame(
        [(x, c, str(k)) for x, c, k in rows], schema={"x": pl.String, "c": pl.String, "k": pl.String}, orient="row"
    )
    accepted, seen = [], {}
    for start, part in ((0, frame[:cut]), (cut, frame[cut:])):
        checked, seen = contract.check(part, start + 1, seen)
        accepted += checked.accepted["_row"].to_list()
    assert accepted == _by_hand(rows)


@given(st.lists(st.lists(st.integers(0, 60), max_size=30), max_size=8))
def test_seen_is_a_set(batches: list[list[int]]):
    import numpy as np

    seen, known = Seen(), set()
    for batch in batches:
        seen = seen.plus(np.array(batch, dtype=np.uint64))
        known |= set(batch)
        assert len(seen) == len(known)
        assert set(np.flatnonzero(seen.contains(np.arange(61, dtype=np.uint64)))) == known


def _by_hand(rows: list[tuple]) -> list[int]:
    kept, taken = [], set()
    for number, (x, c, k) in enumerate(rows, start=1):
        if x in ("1", "2.5") and c != "c" and k not in taken:
            taken.add(k)
            kept.append(number)
    return kept


def _contract(columns: dict[str, dict[str, Any]], **dataset: Any) -> Contract:
    filler = {"other": {"type": "string", "nullable": True}}
    columns = columns if len(columns) > 1 else columns | filler
    return Contract(system(columns, target=next(iter(columns)), **dataset).dataset)


def _check(columns: dict[str, dict[str, Any]], cells: dict[str, list], nullable: bool | None = None) -> Checked:
    if nullable is not None:
        columns = {name: column | {"nullable": nullable} for name, column in columns.items()}
    contract = _contract(columns)
    frame = pl.DataFrame(cells, strict=False)
    absent = [name for name in contract.dataset.columns if name not in frame.columns]
    checked, _ = contract.check(frame.with_columns(pl.lit(None, pl.String).alias(name) for name in absent), 1, {})
    drop = [name for name in absent if name in checked.quarantined.columns]
    return Checked(checked.accepted, checked.violations, checked.quarantined.drop(drop))
