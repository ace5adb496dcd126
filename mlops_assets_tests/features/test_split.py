"""A row's part follows from what the row is: nothing that comes later moves it."""

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.errors import SpecError
from mlops_assets.features.split import Identities, assign, choose_plan, identities, plan_digest

rows_of_small_numbers = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from("abc"), st.integers(0, 5), st.integers(0, 1)), min_size=1, max_size=60
)


def table(rows: list[tuple[int, str, int, int]], batch: str = "b1") -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema={"x": pl.Int64, "c": pl.String, "owner": pl.Int64, "y": pl.Int64}, orient="row")
    return frame.with_columns(pl.lit(batch).alias("_batch"), pl.int_range(frame.height, dtype=pl.Int64).alias("_row"))


def spec_for(declare, split):
    return declare(table([(1, "a", 1, 1)]).select("x", "c", "owner", "y"), "y", features={"split": split})


def parts_of(frame: pl.DataFrame, spec, plan=None) -> np.ndarray:
    ids = identities(frame, spec)
    return assign(frame, spec, plan or choose_plan(frame, spec, ids), ids)


SPLITS = [
    {"test": 0.3, "validation": 0.2},
    {"test": 0.3, "validation": 0.2, "stratify": False},
    {"test": 0.3, "validation": 0.2, "group": "owner"},
    {"test": 0.3, "validation": 0.2, "identity": "row"},
]


@pytest.mark.parametrize("split", SPLITS)
@given(first=rows_of_small_numbers, later=rows_of_small_numbers)
@settings(max_examples=20, deadline=None)
def test_later_rows_never_move_an_earlier_row(declare, split, first, later):
    spec = spec_for(declare, split)
    before = table(first)
    plan = choose_plan(before, spec, identities(before, spec))
    parts = parts_of(before, spec, plan)

    grown = parts_of(pl.concat([table(later, "b2"), before]), spec, plan)[len(later) :]

    assert set(zip(parts, grown, strict=True)) <= {(p, p) for p in np.unique(parts)} | {
        ("validation", "excluded"),
        ("test", "excluded"),
    }
    if "group" not in split:
        assert (parts == grown).all()


@pytest.mark.parametrize("split", SPLITS)
@given(rows=rows_of_small_numbers, seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_the_order_of_rows_changes_neither_plan_nor_parts(declare, split, rows, seed):
    spec, frame = spec_for(declare, split), table(rows)
    order = np.random.default_rng(seed).permutation(len(rows))

    shuffled = frame[order]

    ids = identities(frame, spec)
    assert choose_plan(frame, spec, ids) == choose_plan(shuffled, spec, identities(shuffled, spec))
    assert (parts_of(frame, spec)[order] == parts_of(shuffled, spec)).all()


@pytest.mark.parametrize("split", SPLITS[:3])
@given(rows=rows_of_small_numbers)
@settings(max_examples=30, deadline=None)
def test_equal_rows_never_straddle_even_with_conflicting_targets(declare, split, rows):
    spec, frame = spec_for(declare, split), table(rows)
    columns = spec.feature_columns()
    used = frame.with_columns(pl.Series("part", parts_of(frame, spec))).filter(pl.col("part") != "excluded")
    assert used.group_by(columns).agg(pl.col("part").n_unique())["part"].to_list() in ([], [1] * used.n_unique(columns))


@given(rows=rows_of_small_numbers)
@settings(max_examples=30, deadline=None)
def test_a_group_never_straddles(declare, rows):
    spec, frame = spec_for(declare, SPLITS[2]), table(rows)
    used = frame.with_columns(pl.Series("part", parts_of(frame, spec))).filter(pl.col("part") != "excluded")
    assert (used.group_by("owner").agg(pl.col("part").n_unique())["part"] == 1).all()


@given(
    test=st.floats(0.05, 0.5),
    validation=st.floats(0, 0.4),
    stratify=st.booleans(),
    offset=st.integers(0, 2**40),
)
@settings(max_examples=20, deadline=None)
def test_shares_stay_within_binomial_bounds(declare, test, validation, stratify, offset):
    n = 3000
    frame = table([(offset + i, "a", 0, i % 2) for i in range(n)])
    parts = parts_of(frame, spec_for(declare, {"test": test, "validation": validation, "stratify": stratify}))
    for part, share in (("test", test), ("validation", validation)):
        assert abs((parts == part).sum() - n * share) <= 5 * np.sqrt(n * share * (1 - share)) + 1e-9


def test_stratification_brings_rare_classes_close_to_their_share(declare):
    rng = np.random.default_rng(3)
    labels = rng.choice(3, size=600, p=[0.8, 0.15, 0.05])
    frame = table([(i, "a", 0, int(label)) for i, label in enumerate(labels)])
    distances = {}
    for stratify in (True, False):
        parts = parts_of(frame, spec_for(declare, {"test": 0.2, "validation": 0.1, "stratify": stratify}))
        shares = np.array([np.mean(parts[labels == label] == "test") for label in range(3)])
        distances[stratify] = np.abs(shares - 0.2).max()
    assert distances[True] < 0.04
    assert distances[True] < distances[False]


def test_stratification_of_numbers_evens_out_target_deciles(declare):
    rng = np.random.default_rng(5)
    frame = pl.DataFrame({"x": np.arange(500.0), "y": rng.lognormal(size=500)}).with_columns(
        pl.lit("b").alias("_batch"), pl.int_range(500, dtype=pl.Int64).alias("_row")
    )
    distances = {}
    for stratify in (True, False):
        split = {"test": 0.2, "stratify": stratify}
        spec = declare(frame.select("x", "y"), "y", "regression", features={"split": split})
        tests, values = parts_of(frame, spec) == "test", frame["y"].to_numpy()
        shares = [tests[values >= np.quantile(values, q)].mean() for q in (0.2, 0.4, 0.6, 0.8)]
        distances[stratify] = np.abs(np.array(shares) - 0.2).max()
    assert distances[True] < 0.03
    assert distances[True] < distances[False]


def test_large_data_is_stratified_on_a_sample_of_units(declare, monkeypatch):
    import mlops_assets.features.split_stratification as stratification

    frame = table([(i, "a", 0, int(i % 10 == 0)) for i in range(4000)])
    spec = spec_for(declare, {"test": 0.2})
    monkeypatch.setattr(stratification, "SAMPLE", 500)
    ids = identities(frame, spec)
    assert choose_plan(frame, spec, ids) == choose_plan(frame[::-1], spec, identities(frame[::-1], spec))


def test_rows_without_a_target_are_excluded(declare):
    frame = table([(i, "a", 0, 1) for i in range(50)]).with_columns(
        pl.when(pl.col("x") < 5).then(None).otherwise(pl.col("y")).alias("y")
    )
    parts = parts_of(frame, spec_for(declare, {"test": 0.3}))
    assert (parts[:5] == "excluded").all()
    assert "excluded" not in parts[5:]


def test_copies_across_groups_are_excluded_from_the_later_part_only(declare):
    frame = table([(i % 40, "a", i, 0) for i in range(400)])
    spec = spec_for(declare, {"test": 0.3, "validation": 0.2, "group": "owner"})
    used = frame.with_columns(pl.Series("part", parts_of(frame, spec)))
    trained = set(used.filter(pl.col("part") == "train")["x"])
    assert "excluded" in used["part"]
    assert trained.isdisjoint(used.filter(pl.col("part").is_in(["validation", "test"]))["x"])
    by_hash = parts_of(frame, spec_for(declare, {"test": 0.3, "validation": 0.2, "group": "owner", "identity": "row"}))
    moved = used.with_columns(pl.Series("hashed", by_hash)).filter(pl.col("hashed") != pl.col("part"))
    assert set(moved["part"]) == {"excluded"}
    assert "train" not in moved["hashed"]


def test_rows_without_a_group_stand_alone(declare):
    frame = table([(i, "a", 0, 0) for i in range(300)]).with_columns(pl.lit(None, dtype=pl.Int64).alias("owner"))
    parts = parts_of(frame, spec_for(declare, {"test": 0.3, "group": "owner"}))
    assert set(parts) == {"train", "validation", "test"}


def timed(days: list[int]) -> pl.DataFrame:
    start = date(2024, 1, 1)
    frame = pl.DataFrame(
        {"x": list(range(len(days))), "day": [start + timedelta(d) for d in days], "y": [0] * len(days)}
    )
    return frame.with_columns(pl.lit("b").alias("_batch"), pl.int_range(frame.height, dtype=pl.Int64).alias("_row"))


def timed_spec(declare, **split):
    return declare(timed([0]).select("x", "day", "y"), "y", features={"split": {"time": "day", **split}})


@given(days=st.lists(st.integers(0, 30), min_size=5, max_size=80).filter(lambda days: len(set(days)) > 4))
@settings(max_examples=30, deadline=None)
def test_time_splits_in_order_and_keeps_one_day_together(declare, days):
    frame = timed(days)
    parts = parts_of(frame, timed_spec(declare, test=0.2, validation=0.2))
    placed = frame.with_columns(pl.Series("part", parts)).group_by("day").agg(pl.col("part").unique()).sort("day")
    assert (placed["part"].list.len() == 1).all()
    order = [{"train": 0, "validation": 1, "test": 2}[part] for [part] in placed["part"].to_list()]
    assert order == sorted(order)
    assert {0, 1, 2} <= set(order)


def test_time_boundaries_come_closest_to_the_declared_shares_and_stay(declare):
    frame, spec = timed(list(range(100))), timed_spec(declare, test=0.2, validation=0.1)
    plan = choose_plan(frame, spec, identities(frame, spec))
    assert plan.test_from == datetime(2024, 1, 1) + timedelta(80)
    assert plan.validation_from == datetime(2024, 1, 1) + timedelta(70)
    later = timed([*range(100), *range(100, 200)])
    assert (parts_of(later, spec, plan)[100:] == "test").all()


@pytest.mark.parametrize(
    ("declared", "validation_day", "test_day"),
    [
        ({"test_from": "2024-03-01"}, 50, 60),
        ({"validation_from": "2024-02-01"}, 31, 80),
        ({"validation_from": "2024-02-01", "test_from": "2024-03-01"}, 31, 60),
        ({"test_from": "2024-03-01", "validation": 0.0}, None, 60),
    ],
)
def test_declared_boundaries_are_kept(declare, declared, validation_day, test_day):
    frame, spec = timed(list(range(100))), timed_spec(declare, **({"test": 0.2, "validation": 0.1} | declared))
    plan = choose_plan(frame, spec, identities(frame, spec))
    days = [moment and (moment - datetime(2024, 1, 1)).days for moment in (plan.validation_from, plan.test_from)]
    assert days == [validation_day, test_day]


def test_rows_without_a_time_are_excluded(declare):
    frame = timed(list(range(20))).with_columns(
        pl.when(pl.col("x") == 3).then(None).otherwise(pl.col("day")).alias("day")
    )
    assert parts_of(frame, timed_spec(declare))[3] == "excluded"


def test_times_in_any_zone_split_alike(declare):
    naive = timed(list(range(50))).with_columns(pl.col("day").cast(pl.Datetime("us")))
    zoned = naive.with_columns(pl.col("day").dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo"))
    spec = declare(naive.select("x", "day", "y"), "y", features={"split": {"time": "day"}})
    assert (parts_of(naive, spec) == parts_of(zoned, spec)).all()


def test_too_few_times_are_refused(declare):
    frame, spec = timed([0, 0, 1, 1]), timed_spec(declare)
    with pytest.raises(SpecError, match="'day' has 2 distinct times, too few"):
        choose_plan(frame, spec, identities(frame, spec))


def test_the_plan_is_named_by_the_declared_split_alone(declare):
    first, same, other = (spec_for(declare, split).features.split for split in ({}, {"test": 0.2}, {"test": 0.3}))
    assert plan_digest(first) == plan_digest(same) != plan_digest(other)


def test_parts_are_the_same_on_every_machine(declare):
    frame = table([(i, "abc"[i % 3], i, i % 2) for i in range(12)])
    spec = spec_for(declare, {"test": 0.3, "validation": 0.2, "stratify": False})
    ids = Identities(*(np.arange(12, dtype=np.uint64),) * 2)
    parts = assign(frame, spec, choose_plan(frame, spec, ids), ids)
    assert "".join(part[1] for part in parts) == "rerreeaarrra"  # worked out with arbitrary-precision integers
