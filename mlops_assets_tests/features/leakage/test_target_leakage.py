"""What gives the answer away, and what merely predicts well."""

from datetime import date

import numpy as np
import pandas as pd
import polars as pl
import pytest

from mlops_assets.features.leakage.identifier import is_identifier
from mlops_assets.features.leakage.overlap import no_overlap
from mlops_assets.features.leakage.target_leakage import no_leakage, no_target
from mlops_assets.features.leakage.target_proxy import no_proxy
from mlops_assets.features.leakage.train_sample import train_sample
from mlops_assets.features.split import assign, choose_plan, identities
from mlops_assets.features.transform import transform

N = 400


def hashes(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.uint64)


def test_rows_and_groups_in_two_parts_are_counted_once_each():
    parts = np.array(["train", "train", "test", "test", "validation", "excluded"])
    verdict = no_overlap(parts, hashes(1, 1, 1, 2, 2, 3), hashes(7, 8, 8, 9, 9, 9))
    assert verdict.outcome == "failed"
    assert verdict.blocks
    assert verdict.reason.startswith("2 rows occur in more than one part")
    assert "2 groups lie in more than one part" in verdict.reason
    assert verdict.details["by_parts"] == {"test and train": 1, "test and validation": 1}


def test_excluded_rows_overlap_with_nothing():
    verdict = no_overlap(np.array(["train", "excluded", "test"]), hashes(1, 1, 2))
    assert verdict.passed
    assert (verdict.value, verdict.bound, verdict.rows) == (0, 0, 2)


def test_rows_that_are_not_newer_than_an_earlier_part_are_counted():
    parts = np.array(["train", "train", "validation", "validation", "test", "test", "excluded"])
    days = pl.Series("day", [date(2024, 1, day) for day in (1, 5, 4, 6, 6, 7, 1)])
    verdict = no_overlap(parts, np.arange(7, dtype=np.uint64), times=days)
    assert verdict.outcome == "failed"
    assert verdict.value == 2
    assert verdict.details["not_newer"] == {"validation": 1, "test": 1}
    assert verdict.reason.startswith(
        "1 validation rows are not newer than the newest row of an earlier part and 1 test"
    )
    sound = no_overlap(parts, np.arange(7, dtype=np.uint64), times=pl.Series("day", [1, 2, 3, 4, 5, 5, 9]))
    assert sound.passed
    assert "0 rows are as old as a row of an earlier part by 'day'" in sound.reason


@pytest.mark.parametrize(
    ("names", "found"),
    [(["a", "b"], []), (["a", "Y"], ["Y"]), (["settled", "b"], ["settled"]), (["y_per_a"], [])],
)
def test_target_and_post_outcome_columns_are_found_by_name(declare, names, found):
    frame = pl.DataFrame({"a": [1.0], "settled": [1.0], "y": [1]})
    verdict = no_target(names, declare(frame, "y", columns={"settled": {"post_outcome": True}}))
    assert verdict.details["columns"] == found
    assert verdict.passed is not bool(found)


@pytest.fixture
def price() -> np.ndarray:
    return np.random.default_rng(1).lognormal(13, 0.5, N).round()


def leakage_of(declare, features: dict, target: np.ndarray, task: str, **declared):
    frame = pl.DataFrame({**features, "y": target})
    spec = declare(frame, "y", task, features=declared)
    made = transform(frame.to_pandas(), spec)
    codes = target if task == "regression" else np.unique(target, return_inverse=True)[1]
    return no_leakage(train_sample(made, codes, np.arange(len(target), dtype=np.uint64), spec))


def guilty(verdict) -> list[str]:
    return sorted(verdict.details["columns"])


@pytest.mark.parametrize(
    "leak",
    [
        lambda y, rng: y * 1000,
        lambda y, rng: 5 - y / 7,
        lambda y, rng: np.log(y),
        lambda y, rng: 1 / y,
        lambda y, rng: y + rng.normal(0, y.std() / 50, len(y)),
        lambda y, rng: np.where(rng.uniform(size=len(y)) < 0.5, y, np.nan),
        lambda y, rng: y.astype(int).astype(str),
    ],
    ids=["scaled", "falling", "log", "inverse", "noisy", "half filled", "as text"],
)
def test_copies_of_a_number_are_found(declare, price, leak):
    rng = np.random.default_rng(2)
    features = {"leak": leak(price, rng), "noise": rng.normal(size=N), "kind": rng.choice(list("abc"), N)}
    assert guilty(leakage_of(declare, features, price, "regression")) == ["leak"]


def test_a_code_that_looks_the_number_up_is_found(declare):
    rng = np.random.default_rng(3)
    code = rng.integers(0, 60, N)
    price = rng.permutation(60)[code] * 1000.0
    features = {"code": code.astype(float), "text": code.astype(str), "noise": rng.normal(size=N)}
    assert guilty(leakage_of(declare, features, price, "regression")) == ["code", "text"]


@pytest.mark.parametrize(
    "leak",
    [
        lambda y, rng: y.astype(float),
        lambda y, rng: np.array([7.0, -3.0, 11.0])[y],
        lambda y, rng: np.array(["u", "v", "w"])[y],
        lambda y, rng: y + rng.uniform(0, 0.9, len(y)),
        lambda y, rng: np.array([f"{label}{rng.integers(9)}" for label in y]),
        lambda y, rng: np.where(y == 0, np.nan, y + rng.normal(0, 0.05, len(y))),
    ],
    ids=["copy", "recoded", "text", "noisy", "finer text", "filled in afterwards"],
)
def test_features_that_tell_the_class_are_found(declare, leak):
    rng = np.random.default_rng(4)
    labels = rng.choice(3, N, p=[0.9, 0.07, 0.03])
    features = {"leak": leak(labels, rng), "noise": rng.normal(size=N), "kind": rng.choice(list("abc"), N)}
    verdict = leakage_of(declare, features, labels, "classification")
    assert guilty(verdict) == ["leak"]
    assert verdict.reason.startswith("'leak': ")
    assert "features.leakage.allow" in verdict.reason


def test_a_class_of_one_row_does_not_hide_a_copy(declare):
    labels = np.array([0, 1] * 100 + [2])
    rng = np.random.default_rng(0)
    features = {"leak": labels * 2.0, "noise": rng.normal(size=201)}
    assert guilty(leakage_of(declare, features, labels, "classification")) == ["leak"]


def test_strong_but_honest_features_pass(declare):
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 2, 2000)
    features = {
        "strong": labels + rng.normal(0, 0.3, 2000),
        "flag": np.where(rng.uniform(size=2000) < 0.97, labels, 1 - labels).astype(bool),
        "rare": rng.integers(0, 500, 2000),
        "amount": rng.lognormal(8, 1, 2000).round(),
    }
    verdict = leakage_of(declare, features, labels, "classification")
    assert verdict.passed
    assert verdict.value == pytest.approx(0.97, abs=0.01)
    assert verdict.bound == 0.99
    assert [row["feature"] for row in verdict.details["scores"][:2]] == ["flag", "strong"]


def test_a_common_class_is_no_function_of_a_varied_feature(declare):
    rng = np.random.default_rng(6)
    labels = (np.arange(2000) < 3).astype(int)
    verdict = leakage_of(declare, {"x": rng.integers(0, 300, 2000)}, labels, "classification")
    assert verdict.passed


def test_a_reviewed_feature_is_allowed_and_still_told(declare, price):
    features = {"leak": price * 2, "noise": np.random.default_rng(0).normal(size=N)}
    verdict = leakage_of(declare, features, price, "regression", leakage={"allow": ["leak"]})
    assert verdict.passed
    assert verdict.details["scores"][0] == {
        "feature": "leak",
        "score": 1.0,
        "assured": 1.0,
        "method": "straight line",
        "function": True,
        "identifier": False,
        "copy": "",
        "allowed": True,
    }
    assert "'noise'" in verdict.reason


def test_the_declared_bound_decides(declare):
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 2, 1000)
    flag = np.where(rng.uniform(size=1000) < 0.95, labels, 1 - labels).astype(bool)
    strict = {"leakage": {"max_single_feature_score": 0.9}}
    assert leakage_of(declare, {"flag": flag}, labels, "classification").passed
    assert "below 0.9 is allowed" in leakage_of(declare, {"flag": flag}, labels, "classification", **strict).reason


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (np.arange(100.0), True),
        (np.random.default_rng(0).permutation(100) + 5000.0, True),
        (np.cumsum(np.random.default_rng(0).integers(1, 1000, 100)).astype(float), False),
        (np.arange(100.0)[::-1] * 1000, False),
        (np.arange(1900.0, 2000.0), False),
        (np.array([f"C-{i}" for i in range(100)], dtype=object), True),
        (np.random.default_rng(0).integers(0, 10**6, 100).astype(float), False),
        (np.random.default_rng(0).normal(size=100), False),
        (np.arange(100.0) // 2, False),
        (np.array([f"C-{i // 2}" for i in range(100)], dtype=object), False),
        (np.arange(10.0), False),
        (np.full(100, np.nan), False),
    ],
)
def test_identifiers_are_distinct_and_dealt_out(values, named):
    assert is_identifier(pd.Series(values)) is named


def test_copies_of_rows_are_no_evidence(declare):
    """Repeats that come from repeated rows do not make a measurement a function of itself."""
    rng = np.random.default_rng(8)
    once = rng.normal(size=200)
    values, labels = np.repeat(once, 3), np.repeat(rng.integers(0, 2, 200), 3)
    frame = pl.DataFrame({"x": values, "y": labels})
    spec = declare(frame, "y")
    content = np.repeat(np.arange(200, dtype=np.uint64), 3)
    assert no_leakage(train_sample(transform(frame.to_pandas(), spec), labels, content, spec)).passed


@pytest.mark.parametrize("rows", [0, 10])
def test_few_rows_are_not_evaluated_which_is_no_pass(declare, rows):
    frame = pl.DataFrame({"x": np.arange(10.0), "y": [0, 1] * 5})[:rows]
    spec = declare(frame, "y")
    labels = frame["y"].to_numpy()
    verdict = no_leakage(train_sample(transform(frame.to_pandas(), spec), labels, labels, spec))
    assert verdict.outcome == "not evaluated"
    assert verdict.blocks


TEXTS = ["name", "album", "artist", "id", "release_date"]
REAL = [
    ("wine_quality/winequality-white.csv", "quality", "classification", {}),
    ("wine_quality/winequality-red.csv", "quality", "regression", {}),
    ("house_seed002/house_data.csv", "price", "regression", {}),
    ("king_county/kc_house_data.csv", "price", "regression", {"exclude": ["id", "date"]}),
    ("credit_uci_default/UCI_Credit_Card.csv", "default.payment.next.month", "classification", {"exclude": ["ID"]}),
    ("spotify_moods/data_moods.csv", "mood", "classification", {"exclude": TEXTS}),
    ("personality_s5e7/train.csv", "Personality", "classification", {"exclude": ["id"]}),
]


def real_table(shared_data, file: str) -> pl.DataFrame:
    frame = pl.from_pandas(pd.read_csv(shared_data / file))
    return frame.with_columns(pl.lit("b").alias("_batch"), pl.int_range(frame.height, dtype=pl.Int64).alias("_row"))


def split_of(frame: pl.DataFrame, spec):
    ids = identities(frame, spec)
    return assign(frame, spec, choose_plan(frame, spec, ids), ids), ids


@pytest.mark.parametrize(("file", "target", "task", "features"), REAL)
def test_real_tables_do_not_leak(declare, shared_data, file, target, task, features):
    frame = real_table(shared_data, file)
    spec = declare(frame, target, task, features=features)
    parts, ids = split_of(frame, spec)
    train = parts == "train"
    outcomes = (
        np.unique(frame[target].to_numpy(), return_inverse=True)[1] if task == "classification" else frame[target]
    )
    made = transform(frame.select(spec.feature_columns()).to_pandas(), spec)
    shown = train_sample(made.loc[train], np.asarray(outcomes)[train], ids.content[train], spec)
    assert no_leakage(shown).passed, no_leakage(shown).reason
    assert no_proxy(shown).passed, no_proxy(shown).reason
    assert no_overlap(parts, ids.content).passed


def test_a_real_identifier_is_found(declare, shared_data):
    frame = real_table(shared_data, "credit_uci_default/UCI_Credit_Card.csv").select("ID", "AGE", "LIMIT_BAL")
    target = frame["AGE"].to_numpy() > 30
    made = transform(frame.to_pandas(), declare(frame, "AGE", "regression"))
    spec = declare(frame, "AGE")
    verdict = no_leakage(train_sample(made, target.astype(int), np.arange(frame.height, dtype=np.uint64), spec))
    assert guilty(verdict) == ["ID"]


def test_duplicates_of_white_wine_overlap_only_when_each_row_stands_alone(declare, shared_data):
    frame = real_table(shared_data, "wine_quality/winequality-white.csv")
    verdicts = {}
    for identity in ("content", "row"):
        parts, ids = split_of(frame, declare(frame, "quality", features={"split": {"identity": identity}}))
        verdicts[identity] = no_overlap(parts, ids.content)
    assert verdicts["content"].passed
    assert verdicts["row"].outcome == "failed"
    assert 200 < verdicts["row"].details["rows"] < 774  # distinct rows that occur more than once
    assert f"{verdicts['row'].details['rows']} rows occur in more than one part" in verdicts["row"].reason
