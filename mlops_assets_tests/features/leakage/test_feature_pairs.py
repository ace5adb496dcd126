"""Two features that give the target between them, and the many pairs that do not."""

import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.features.leakage.feature_pairs import pair_formulas

BOUND = 0.99
Columns = tuple[np.ndarray, np.ndarray]


def columns(count: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    random = np.random.default_rng(seed)
    return random.lognormal(7, 0.4, count), random.lognormal(5, 0.5, count), random


def found(features: dict[str, np.ndarray], target: np.ndarray, bound: float = BOUND) -> list[str]:
    return [one.formula for one in pair_formulas(pd.DataFrame(features), target, bound)]


FORMULAS: list[tuple[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]] = [
    ("f * g", lambda f, g: f * g),
    ("f * g", lambda f, g: 1_000 - 3 * f * g),
    ("f / g", lambda f, g: f / g),
    ("g / f", lambda f, g: 7 + g / f),
    ("1 / (f * g)", lambda f, g: 1 / (f * g)),
    ("f^2 * g", lambda f, g: 0.3 * f**2 * g),
    ("f + g", lambda f, g: 2 * (f + g) + 11),
    ("f - g", lambda f, g: f - g),
    ("g - f", lambda f, g: g - f),
    ("f + 2.5 * g", lambda f, g: f + 2.5 * g),
]


@pytest.mark.parametrize(("formula", "derive"), FORMULAS)
def test_the_formula_by_which_two_features_give_the_target_is_named(formula: str, derive: Callable[..., np.ndarray]):
    f, g, random = columns()
    other, flag = random.lognormal(5, 0.5, len(f)), random.random(len(f)) < 0.5
    assert found({"other": other, "f": f, "flag": flag, "g": g}, derive(f, g)) == [formula]


@pytest.mark.parametrize(("formula", "derive"), FORMULAS)
def test_rounding_and_a_little_noise_do_not_hide_it(formula: str, derive: Callable[..., np.ndarray]):
    f, g, random = columns()
    target = derive(f, g)
    target = target + random.normal(0, 0.02, len(f)) * (np.abs(target) if "*" in formula else target.std())
    assert len(found({"f": f.round(), "g": g.round(1)}, target)) == 1


def test_nothing_is_found_once_one_of_the_two_is_away():
    f, g, random = columns()
    assert found({"f": f, "other": random.permutation(g)}, f * g) == []
    assert [one.features for one in pair_formulas(pd.DataFrame({"f": f, "g": g}), f * g, BOUND)] == [("f", "g")]
    assert pair_formulas(pd.DataFrame({"f": f, "g": g}), f * g, BOUND, ignored=["g"]) == []


def test_empty_cells_and_cells_filled_in_for_some_rows_only_do_not_hide_it():
    f, g, random = columns(2_000)
    partly = np.where(random.random(2_000) < 0.2, f, np.nan)
    assert found({"f": partly, "g": g, "h": np.full(2_000, np.nan)}, f * g) == ["f * g"]


def test_balances_that_lie_close_together_are_told_apart():
    random = np.random.default_rng(3)
    before, amount = random.normal(1e6, 1e4, 500), random.normal(0, 1, 500)
    assert found({"before": before, "after": before + amount}, amount) == ["after - before"]


def test_a_class_that_is_a_difference_is_found():
    random = np.random.default_rng(4)
    before = random.integers(0, 9, 500).astype(float)
    late = random.random(500) < 0.2
    assert found({"before": before, "after": before + late}, late.astype(float)) == ["after - before"]


def test_a_feature_that_gives_the_target_alone_needs_no_partner():
    f, g, _ = columns()
    assert found({"f": f, "g": g}, 3 * f) == []


def test_a_few_giant_rows_are_no_proof():
    random = np.random.default_rng(5)
    features = {name: random.normal(size=400) for name in "abcd"}
    target = random.normal(size=400)
    for values in (*features.values(), target):
        values[:2] = 1e6, 3e6
    features["a"][0] = -1e6
    assert found(features, target) == []


def test_few_rows_show_nothing():
    f, g, _ = columns(19)
    assert found({"f": f, "g": g}, f * g) == []
    f, g, _ = columns(20)
    assert found({"f": f, "g": g}, f * g) == ["f * g"]


@pytest.mark.parametrize("noise", [0.02, 0.1])
def test_the_bound_decides(noise: float):
    f, g, random = columns(2_000)
    target = f * g * random.lognormal(0, noise, 2_000)
    score = np.corrcoef(np.log(f * g), np.log(target))[0, 1] ** 2
    assert found({"f": f, "g": g}, target, score + 0.01 * noise) == []
    assert found({"f": f, "g": g}, target, score - noise**2) == ["f * g"]


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.integers(20, 300), st.integers(2, 12), st.sampled_from(["normal", "lognormal", "few"])
)
def test_independent_columns_are_never_accused(seed: int, count: int, width: int, shape: str):
    random = np.random.default_rng(seed)
    draw = {
        "normal": lambda: random.normal(size=count),
        "lognormal": lambda: random.lognormal(0, 2, count),
        "few": lambda: random.integers(0, 3, count).astype(float),
    }[shape]
    assert found({f"c{i}": draw() for i in range(width)}, draw()) == []


@settings(max_examples=20, deadline=None)
@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.floats(-1e6, 1e6))
def test_units_do_not_matter(one: float, other: float, offset: float):
    f, g, _ = columns()
    assert found({"f": one * f, "g": other * g}, f * g / np.std(f * g) + offset / 1e3) == ["f * g"]


HONEST = [
    ("house_seed002/house_data.csv", "price", []),
    ("king_county/kc_house_data.csv", "price", ["id", "date"]),
    ("credit_uci_default/UCI_Credit_Card.csv", "default.payment.next.month", ["ID"]),
    ("wine_quality/winequality-white.csv", "quality", []),
    ("wine_quality/winequality-red.csv", "density", []),
    ("personality_s5e7/train.csv", "Personality", ["id"]),
]


@pytest.mark.parametrize(("file", "target", "away"), HONEST)
def test_honest_tables_are_not_accused_even_at_a_lower_bound(shared_data, file: str, target: str, away: list[str]):
    table = pd.read_csv(shared_data / file).drop(columns=away)
    answer = pd.factorize(table[target], sort=True)[0] if table[target].dtype == object else table[target].to_numpy()
    assert pair_formulas(table.drop(columns=target), answer, 0.985) == []


def test_the_honest_sample_is_not_accused():
    from mlops_assets.defs.house_prices.features import engineer
    from mlops_assets.defs.house_prices.sample import rows

    sales = rows()
    assert pair_formulas(engineer(sales.drop(columns="price")), sales["price"].to_numpy(), 0.95) == []


def test_living_area_is_the_sum_of_its_storeys(shared_data):
    table = pd.read_csv(shared_data / "king_county" / "kc_house_data.csv").drop(columns=["id", "date"])
    (one,) = pair_formulas(table.drop(columns="sqft_living"), table["sqft_living"].to_numpy(), BOUND)
    assert one.formula == "sqft_above + sqft_basement"
    assert one.score == pytest.approx(1)


@pytest.mark.parametrize("noise", [0, 0.02])
def test_price_per_square_foot_is_found_on_the_write_ups_rows(shared_data, noise: float):
    table = pd.read_csv(shared_data / "house_seed002" / "house_data.csv")
    price = table.pop("price").to_numpy()
    spoilt = 1 + np.random.default_rng(0).normal(0, noise, len(price))
    table["price_per_sqft"] = price / table["sqft"] * spoilt
    assert [one.formula for one in pair_formulas(table, price, BOUND)] == ["sqft * price_per_sqft"]


def test_wide_tables_stay_cheap():
    random = np.random.default_rng(6)
    features = pd.DataFrame(random.normal(size=(20_000, 200))).rename(columns=str)
    target = features["17"].to_numpy() - features["150"].to_numpy()
    started = time.perf_counter()
    assert [one.formula for one in pair_formulas(features, target, BOUND)] == ["17 - 150"]
    assert time.perf_counter() - started < 5
