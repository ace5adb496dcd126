"""Whether the parts hold what the gates need."""

import polars as pl
import pytest

from mlops_assets.features.part_sizes import enough_rows


@pytest.fixture
def declaration(declare):
    columns = pl.DataFrame({"x": [1.0], "city": ["a"], "vip": [True], "y": ["u"]})

    def build(gates, **split):
        return declare(columns, "y", features={"split": split}, evaluation={"gates": gates})

    return build


def table(rows: list[tuple[str, str, str, bool]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["_part", "y", "@city", "@vip"], orient="row")


FULL = [(part, label, "a", True) for part in ("train", "validation", "test") for label in ("u", "v")] * 20
GATE = {"metric": "accuracy", "at_least": 0.5}


def test_filled_parts_pass(declaration):
    verdict = enough_rows(table(FULL), declaration([GATE]))
    assert verdict.passed
    assert verdict.severity == "warn"
    assert (verdict.value, verdict.bound) == (40, 30)


@pytest.mark.parametrize(
    ("rows", "gates", "wanting"),
    [
        ([row for row in FULL if row[:2] != ("test", "v")], [GATE], ["class 'v' has no rows in the test part", "gate"]),
        ([row for row in FULL if row[0] != "validation"], [GATE], ["the validation part has no rows"]),
        (FULL, [{**GATE, "min_rows": 50}], ["gate 'accuracy_at_least' has 40 test rows, 50 are needed"]),
        (FULL, [{**GATE, "slice": {"column": "city", "equals": "b"}}], ["has 0 test rows, 30 are needed"]),
        (FULL, [{**GATE, "slice": {"column": "vip", "equals": True}, "min_rows": 41}], ["has 40 test rows, 41 are"]),
    ],
)
def test_what_is_wanting_is_told(declaration, rows, gates, wanting):
    verdict = enough_rows(table(rows), declaration(gates))
    assert verdict.outcome == "failed"
    assert not verdict.blocks
    for text in wanting:
        assert text in verdict.reason


def test_excluded_rows_ask_for_no_class(declaration):
    assert enough_rows(table([*FULL, ("excluded", "rare", "a", True)]), declaration([GATE])).passed


def test_a_split_without_validation_wants_none(declaration):
    rows = [row for row in FULL if row[0] != "validation"]
    assert enough_rows(table(rows), declaration([GATE], validation=0.0)).passed
