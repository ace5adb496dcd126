"""Leaks put into honest tables are named; the honest tables as they are, are not."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from mlops_assets_tests.features.honest_tables import HONEST, HonestTable, judged, named
from mlops_assets_tests.features.leakage.leak_tables import FLIPPED, MEANS, RECOVERED, VALUATIONS, LeakTable

LARGE = ("randhie", "fair", "kc_house", "UCI_Credit", "train")
ALARMS = {"copper COPPERPRICE": {"TIME"}, "interest_inflation Dp": {"quarter"}}
"""A column that counts 25 years, and a season that alone explains a seasonal inflation."""


def small(tables: Sequence[HonestTable | LeakTable]) -> list:
    return [pytest.param(table, id=table.name) for table in tables if not table.name.startswith(LARGE)]


def names_leak(table: LeakTable, shared_data) -> bool:
    return "leak" in named(table.read(shared_data), table.honest.target, table.honest.task)


@pytest.mark.parametrize("table", small(HONEST)[1::4])
def test_an_honest_table_is_not_accused(shared_data, table: HonestTable):
    assert named(table.read(shared_data), table.target, table.task) == ALARMS.get(table.name, set())


@pytest.mark.soak("rates")
def test_of_all_honest_tables_two_are_accused(shared_data, record_property):
    accused = {
        table.name: features
        for table in HONEST
        if (features := named(table.read(shared_data), table.target, table.task))
    }
    record_property("accused", f"{len(accused)} of {len(HONEST)}")
    assert accused == ALARMS


@pytest.mark.parametrize("table", small([*MEANS[:24:4], *RECOVERED[1:25:8], *VALUATIONS[2:4], *FLIPPED[1:20:9]]))
def test_a_leak_in_an_honest_table_is_named(shared_data, table: LeakTable):
    assert names_leak(table, shared_data)


@pytest.mark.soak("rates")
@pytest.mark.parametrize(
    ("tables", "least"),
    [(MEANS, 18 / 21), (RECOVERED, 7 / 8), (VALUATIONS, 0.8), (FLIPPED, 6 / 8)],
    ids=["target means", "amounts recovered", "valuations of some rows", "flipped labels"],
)
def test_most_leaks_in_honest_tables_are_named(shared_data, tables: list[LeakTable], least: float, record_property):
    caught = sum(names_leak(table, shared_data) for table in tables)
    record_property("named", f"{caught} of {len(tables)}")
    assert caught >= least * len(tables)


def test_a_sum_of_three_columns_is_a_derivation(shared_data):
    table = pd.read_csv(shared_data.parent / "cases" / "sum_of_three.csv")
    verdict = judged(table, "total", "regression")["no_leakage"]
    assert verdict.outcome == "failed"
    assert verdict.details["columns"] == ["base", "tolls", "tip"]
    assert verdict.reason.startswith("base + tolls + tip gives total (R² 1.0000")


@pytest.mark.parametrize("window", [3, 7, 21])
def test_a_centred_rolling_mean_is_named_where_the_split_is_by_time(window: int):
    rng = np.random.default_rng(0)
    days = pd.date_range("2023-01-01", periods=600)
    sold = 50 + np.cumsum(rng.normal(0, 1, 600)) + rng.normal(0, 4, 600)
    table = pd.DataFrame({"day": days, "rain": rng.normal(size=600), "sold": sold})
    table["centred"] = table["sold"].rolling(window, center=True, min_periods=1).mean()
    table["past"] = table["sold"].shift(1).rolling(window).mean()
    shuffled = table.sample(frac=1, random_state=1)
    verdict = judged(shuffled, "sold", "regression", split={"time": "day"})["no_leakage"]
    assert verdict.details["columns"] == ["centred"]
    reach = window // 2
    assert f"'centred': it averages sold over {reach} rows before, its own and {reach} after it" in verdict.reason


def test_a_centred_rolling_mean_over_many_rows_a_day_is_named(shared_data):
    table = pd.read_csv(shared_data / "king_county" / "kc_house_data.csv").sort_values("date", kind="stable")
    table = table.assign(
        day=pd.to_datetime(table["date"].str[:8]), centred=table["price"].rolling(7, center=True).mean()
    )
    columns = ["day", "sqft_living", "grade", "lat", "yr_built", "centred", "price"]
    verdict = judged(table.loc[:, columns], "price", "regression", split={"time": "day"})["no_leakage"]
    assert verdict.details["columns"] == ["centred"]
    assert "its mean at each day is that of price" in verdict.reason


def test_a_target_mean_says_so_and_blocks(shared_data):
    table = MEANS[0]
    verdict = judged(table.read(shared_data), table.honest.target, table.honest.task)["no_leakage"]
    assert verdict.blocks
    assert f"it is the mean of {table.honest.target} over the rows that share its value" in verdict.reason


def test_an_amount_for_one_class_blocks_where_cells_are_empty_and_warns_where_they_are_zero(shared_data):
    empty, zero = (t for t in RECOVERED if t.honest.name == "anes96 vote" and t.seed in (0, 2))
    verdict = judged(empty.read(shared_data), "vote", "classification")["no_leakage"]
    assert verdict.blocks
    assert "rows where it has a value, vote is the same class" in verdict.reason
    verdicts = judged(zero.read(shared_data), "vote", "classification")
    assert verdicts["no_leakage"].passed
    assert not verdicts["no_proxy"].blocks
    assert "rows where it has another value than 0, vote is the same class" in verdicts["no_proxy"].reason
