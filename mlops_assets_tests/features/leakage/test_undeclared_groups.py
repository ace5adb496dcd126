"""Columns that group rows without being declared: found where they are, and not where rows are independent."""

import numpy as np
import pandas as pd
import pytest

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.features.leakage.repeated_values import repeated_values
from mlops_assets.features.leakage.undeclared_groups import no_undeclared_groups
from mlops_assets.verdict import Verdict
from mlops_assets_tests.features.conftest import Declare
from mlops_assets_tests.features.leakage.honest_tables import Table, assembled, libraries, patients, shared


def judged(declare: Declare, table: Table) -> Verdict:
    made = assembled(declare, table)
    used = made.parts != "excluded"
    return no_undeclared_groups(made.rows.filter(used), made.ids.unit[used], made.spec)


def named(declare: Declare, tables: list[Table]) -> list[list[str]]:
    return [judged(declare, table).details["columns"] for table in tables]


def random_numbers(seed: int) -> Table:
    """A column of numbers or names that repeats, and says nothing."""
    rng = np.random.default_rng(seed)
    who = rng.integers(0, 200, 2000)
    columns = {f"x{i}": rng.normal(size=2000) for i in range(4)} | {"age": rng.integers(20, 90, 2000)}
    frame = pd.DataFrame({**columns, "who": who if seed % 2 else [f"n{i}" for i in who], "y": rng.normal(size=2000)})
    return Table(frame, "y", features={"exclude": ["who"]} if seed % 4 < 2 else {})


def test_undeclared_patients_are_named_and_block(declare):
    columns = named(declare, [patients(seed) for seed in range(20)])
    assert columns.count(["patient"]) >= 19, columns


@pytest.mark.soak("rates")
def test_undeclared_patients_are_named_in_nearly_every_table(declare, record_property):
    columns = named(declare, [patients(seed) for seed in range(20, 420)])
    share = columns.count(["patient"]) / len(columns)
    record_property("named", f"{share:.3f} of 400 tables")
    assert share >= 0.95


@pytest.mark.soak("rates")
def test_columns_without_meaning_are_hardly_ever_named(declare, record_property):
    columns = named(declare, [random_numbers(seed) for seed in range(400)])
    record_property("named", f"{len(columns) - columns.count([])} of 400 tables")
    assert columns.count([]) >= 0.98 * len(columns)


def test_columns_without_meaning_are_not_named(declare):
    assert named(declare, [random_numbers(seed) for seed in range(12)]) == [[]] * 12


def test_honest_tables_pass(declare):
    columns = {name: judged(declare, table).details["columns"] for name, table in libraries()}
    assert {name: names for name, names in columns.items() if names} == {}


def test_honest_real_tables_pass(declare, shared_data):
    columns = {name: judged(declare, table).details["columns"] for name, table in shared(shared_data)}
    assert {name: names for name, names in columns.items() if names} == {}


def test_real_groups_are_named_where_they_are_not_declared(declare, shared_data):
    songs = pd.read_csv(shared_data / "spotify_moods" / "data_moods.csv")
    left_out = {"exclude": ["name", "album", "artist", "id", "release_date"]}
    assert set(judged(declare, Table(songs, "mood", "classification", left_out)).details["columns"]) == {
        "album",
        "artist",
    }
    travellers = dict(libraries())["modechoice"]._replace(features={})
    assert "individual" in judged(declare, travellers).details["columns"]


def test_a_group_is_named_with_its_size_and_the_two_ways_out(declare):
    verdict = judged(declare, patients(0))
    assert verdict.name == "no_undeclared_groups"
    assert verdict.blocks
    assert verdict.details["groups"][0]["rows_per_value"] == 10
    assert "'patient' groups the rows: 200 values of 10.0 rows each" in verdict.reason
    assert "features.split.group: patient" in verdict.reason
    assert "features.split.ungrouped" in verdict.reason


def test_a_declared_group_passes_and_an_ungrouped_column_warns_by_name(declare):
    table = patients(0)
    assert judged(declare, table._replace(features={"split": {"group": "patient"}})).passed
    verdict = judged(declare, table._replace(features={"split": {"ungrouped": ["patient"]}}))
    assert (verdict.outcome, verdict.severity, verdict.blocks) == ("failed", "warn", False)
    assert (verdict.value, verdict.details["columns"], verdict.details["ungrouped"]) == (0, [], ["patient"])
    assert "'patient' groups the rows" in verdict.reason


def test_within_a_declared_group_nothing_groups_and_across_it_everything_may(declare):
    table = patients(1)
    rng = np.random.default_rng(0)
    ward = rng.permutation(np.repeat(np.arange(40), 5))[pd.factorize(table.rows["patient"])[0]]
    rows = table.rows.assign(ward=[f"w{i}" for i in ward], m0=table.rows["m0"] + rng.normal(0, 2, 40)[ward])
    by_patient = {"exclude": ["ward"], "split": {"group": "patient"}}
    assert judged(declare, table._replace(rows=rows, features=by_patient)).details["columns"] == ["ward"]
    by_ward = {"exclude": ["patient"], "split": {"group": "ward"}}
    assert judged(declare, table._replace(rows=rows, features=by_ward)).passed


def test_equals_that_are_only_the_nearest_of_all_neighbours_are_no_group(declare):
    """Quarters of one year are nearer to each other than to those of the next; so are those of two halves of years."""
    rng = np.random.default_rng(3)
    walk = np.cumsum(rng.normal(size=(400, 3)), axis=0)
    frame = pd.DataFrame({"year": 1900 + np.arange(400) // 4, "a": walk[:, 0], "b": walk[:, 1], "y": walk[:, 2]})
    assert judged(declare, Table(frame, "y")).passed
    assert judged(
        declare, Table(frame.assign(year=frame["year"].astype(str)), "y", features={"exclude": ["year"]})
    ).passed


def test_a_measurement_that_rises_with_the_others_is_no_group(declare):
    rng = np.random.default_rng(4)
    size = rng.integers(20, 300, 3000)
    frame = pd.DataFrame(
        {"size": size, "rooms": size / 25 + rng.normal(size=3000), "y": size**1.5 + rng.normal(size=3000)}
    )
    assert judged(declare, Table(frame, "y")).passed


def test_what_comes_after_the_outcome_or_is_split_by_time_is_not_looked_at(declare):
    table = patients(1)
    spec: SystemSpec = assembled(declare, table).spec
    made = assembled(declare, table)
    later = spec.dataset.columns["patient"].model_copy(update={"post_outcome": True})
    columns = {**spec.dataset.columns, "patient": later}
    declared = spec.model_copy(update={"dataset": spec.dataset.model_copy(update={"columns": columns})})
    assert no_undeclared_groups(made.rows, made.ids.unit, declared).passed
    rows = table.rows.assign(day=pd.date_range("2020-01-01", periods=len(table.rows), freq="h"))
    verdict = judged(declare, table._replace(rows=rows, features={"exclude": ["patient"], "split": {"time": "day"}}))
    assert verdict.passed
    assert "split by time" in verdict.reason


@pytest.mark.parametrize(
    ("values", "is_feature"),
    [
        (["red", "blue"] * 500, True),
        ([f"town {i % 40}" for i in range(2000)], True),
        (list(range(1000)), False),
        ([None] * 1000, False),
        ([True, False] * 500, False),
        ([round(i / 7, 1) for i in range(2000)], True),
    ],
)
def test_categories_keys_and_fine_measurements_are_not_looked_at(values, is_feature):
    import polars as pl

    assert repeated_values(pl.Series("c", values, strict=False), is_feature) is None
