"""What engineering can spoil."""

import numpy as np
import pandas as pd
import pytest

from mlops_assets.features.degenerate_features import MAX_RANGE, no_degenerate
from mlops_assets_tests.features import engineered

N = 200


def verdict_of(features: dict, complete=None, train=None):
    frame = pd.DataFrame(features)
    everything = np.ones(len(frame), dtype=bool)
    return no_degenerate(frame, everything if train is None else train, everything if complete is None else complete)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_division_by_almost_zero_is_found(rng):
    rows = pd.DataFrame({"a": rng.uniform(60, 200, N), "b": [0.0, *rng.uniform(0.1, 1, N - 1)]})
    verdict = verdict_of(engineered.wild_ratio(rows))
    assert verdict.details["columns"] == ["ratio"]
    assert verdict.value is not None
    assert verdict.value > 1e7
    assert verdict.bound == MAX_RANGE
    assert "'ratio': a value" in verdict.reason


@pytest.mark.parametrize(
    "values",
    [
        lambda rng: rng.lognormal(0, 3, 100_000),
        lambda rng: rng.pareto(1, 100_000),
        lambda rng: rng.uniform(size=1000) * 1e-12,
        lambda rng: 1.7e18 + rng.normal(size=1000) * 1e9,
        lambda rng: np.where(rng.uniform(size=1000) < 0.95, 0, rng.lognormal(12, 2, 1000)),
        lambda rng: np.arange(1000) % 100 == 0.0,
        lambda rng: np.where(np.arange(1000) == 7, 1e9, 0.0),
    ],
    ids=["lognormal", "pareto", "tiny", "timestamps", "zero-inflated", "rare flag", "one large cell"],
)
def test_heavy_tails_and_rare_values_pass(rng, values):
    assert verdict_of({"x": values(rng).astype(float)}).passed


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e39])
def test_infinite_values_are_counted(rng, value):
    verdict = verdict_of({"x": [value, value, *rng.normal(size=N)]})
    assert verdict.reason.startswith("'x': 2 infinite values")


def test_gaps_are_allowed_only_where_an_input_was_empty(rng):
    features = {"x": [np.nan, np.nan, *rng.normal(size=N)], "c": ["missing", "u", *["v"] * N]}
    complete = np.array([False, True, *[True] * N])
    verdict = verdict_of(features, complete)
    assert verdict.details["defects"] == [
        {"feature": "x", "reason": "1 empty values in rows without an empty input, 0 are allowed"}
    ]
    assert verdict_of(features, np.array([False, False, *[True] * N])).passed


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ([3.0] * 10, "the one value 3.0 in every train row"),
        (["only"] * 10, "the one value only in every train row"),
        ([np.nan] * 10, "no value in any train row"),
        (["missing"] * 10, "no value in any train row"),
    ],
)
def test_columns_that_carry_nothing_are_found(column, reason):
    verdict = verdict_of({"x": column, "y": np.arange(10.0)}, complete=np.zeros(10, dtype=bool))
    assert verdict.details["defects"] == [{"feature": "x", "reason": reason}]


def test_variation_outside_train_does_not_count():
    train = np.arange(10) < 5
    assert verdict_of({"x": [1.0] * 5 + [2.0] * 5}, train=train).details["columns"] == ["x"]


def test_the_reason_lists_five_and_counts_the_rest():
    verdict = verdict_of({f"x{i}": [1.0, 1.0] for i in range(8)})
    assert verdict.reason.count("the one value") == 5
    assert verdict.reason.endswith("And 3 more")
