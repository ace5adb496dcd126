"""Whether the parts hold rows of every class; what a gate needs is the gate's own matter."""

import polars as pl
import pytest

from mlops_assets.features.part_sizes import enough_rows


@pytest.fixture
def declaration(declare):
    columns = pl.DataFrame({"x": [1.0], "city": ["a"], "vip": [True], "y": ["u"]})

    def build(**split):
        gate = {"metric": "accuracy", "at_least": 0.5, "min_rows": 5_000}
        return declare(columns, "y", features={"split": split}, evaluation={"gates": [gate]})

    return build


def table(rows: list[tuple[str, str, str, bool]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["_part", "y", "@city", "@vip"], orient="row")


FULL = [(part, label, "a", True) for part in ("train", "validation", "test") for label in ("u", "v")] * 20


def test_filled_parts_pass(declaration):
    verdict = enough_rows(table(FULL), declaration())
    assert verdict.passed
    assert verdict.severity == "warn"
    assert (verdict.value, verdict.bound) == (40, 1)


@pytest.mark.parametrize(
    ("rows", "wanting"),
    [
        ([row for row in FULL if row[:2] != ("test", "v")], "class 'v' has no rows in the test part, 1 is needed"),
        ([row for row in FULL if row[0] != "validation"], "the validation part has no rows"),
    ],
)
def test_what_is_wanting_is_told(declaration, rows, wanting):
    verdict = enough_rows(table(rows), declaration())
    assert verdict.outcome == "failed"
    assert not verdict.blocks
    assert wanting in verdict.reason


def test_excluded_rows_ask_for_no_class(declaration):
    assert enough_rows(table([*FULL, ("excluded", "rare", "a", True)]), declaration()).passed


def test_a_split_without_validation_wants_none(declaration):
    rows = [row for row in FULL if row[0] != "validation"]
    assert enough_rows(table(rows), declaration(validation=0.0)).passed
