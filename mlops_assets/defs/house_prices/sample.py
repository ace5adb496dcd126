"""The sample of house_prices: sales that follow a hedonic model, with the flaws of a real register of sales.

    log price = log 420,000 + 0.80 · log(sqft / 2,000) + 0.05 · (bathrooms - 2) + LOCATIONS[location]
                + CONDITIONS[condition] - ageing(2020 - year_built) + N(0, 0.08²)

Ageing takes 0.6 % a year off for the first 40 years and nothing more after that; bedrooms follow from the size and
have no effect of their own. Noise on the logarithm grows with the price: 8 % of it, whatever it is.
"""

import numpy as np
import pandas as pd

SALES = 5_000
RESALES = 250
"""Sales of a house that was sold before: a third of them renovated, the others alike in everything but the price."""
BASE, SIZE, BATHROOM = 420_000, 0.80, 0.05
LOCATIONS = {"Rural": -0.40, "Suburb": -0.10, "Urban": 0.0, "Downtown": 0.15, "Mountain": 0.30, "Waterfront": 0.65}
"""Effect on the log price."""
FREQUENCIES = [0.18, 0.30, 0.22, 0.16, 0.06, 0.08]
"""Shares of the locations, in the same order."""
CONDITIONS = {"Poor": -0.25, "Fair": -0.10, "Good": 0.0, "Excellent": 0.12}
"""Effect on the log price, worst first."""
AGEING, FULLY_AGED = 0.006, 40
BUILT = (1940, 2019)
NOISE = 0.08
OUTLIERS = 0.003
"""Share of the prices that are off by a factor of 0.6 or 1.7: sold in haste, in the family, to an admirer."""
MISSING = {"bedrooms": 0.01, "bathrooms": 0.01, "year_built": 0.02, "condition": 0.02}
"""Share of empty cells."""


def rows() -> pd.DataFrame:
    """5,000 sales: the six things known of a house, and its price."""

    random = np.random.default_rng(42)
    houses = _houses(SALES - RESALES, random)
    sales = pd.concat([houses, _sold_again(houses, random)], ignore_index=True)
    sales = sales.assign(price=_prices(sales, random)).iloc[random.permutation(SALES)]
    return _with_gaps(sales.reset_index(drop=True), random)


def log_price(houses: pd.DataFrame) -> pd.Series:
    """What the hedonic model expects."""

    from mlops_assets.defs.house_prices.features import REFERENCE_YEAR

    age = (REFERENCE_YEAR - houses["year_built"]).clip(upper=FULLY_AGED)
    return (
        np.log(BASE)
        + SIZE * np.log(houses["sqft"] / 2_000)
        + BATHROOM * (houses["bathrooms"] - 2)
        + houses["location"].map(LOCATIONS.get)
        + houses["condition"].map(CONDITIONS.get)
        - AGEING * age
    )


def _houses(count: int, random: np.random.Generator) -> pd.DataFrame:

    sqft = np.clip(random.lognormal(np.log(2_000), 0.33, count), 600, 6_500).round()
    bedrooms = np.clip(np.round(1 + sqft / 1_000 + random.normal(0, 0.6, count)), 1, 7)
    bathrooms = np.clip(np.round(2 * (0.3 + 0.6 * bedrooms + random.normal(0, 0.4, count))) / 2, 1, 5)
    built = random.integers(BUILT[0], BUILT[1] + 1, count)
    return pd.DataFrame(
        {
            "sqft": sqft,
            "bedrooms": bedrooms,
            "bathrooms": bathrooms,
            "location": random.choice(list(LOCATIONS), count, p=FREQUENCIES),
            "year_built": built,
            "condition": _conditions(built, random),
        }
    )


def _conditions(built: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Younger houses are in better condition, more or less."""

    youth = (built - BUILT[0]) / (BUILT[1] - BUILT[0]) + random.normal(0, 0.35, len(built))
    return np.array(list(CONDITIONS))[np.searchsorted([-0.2, 0.25, 0.8], youth)]


def _sold_again(houses: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:

    again = houses.iloc[random.choice(len(houses), RESALES, replace=False)]
    better = dict(zip(CONDITIONS, [*list(CONDITIONS)[1:], "Excellent"], strict=True))
    renovated = random.random(RESALES) < 1 / 3
    return again.assign(condition=np.where(renovated, again["condition"].map(better.get), again["condition"]))


def _prices(sales: pd.DataFrame, random: np.random.Generator) -> np.ndarray:

    factor = np.where(random.random(len(sales)) < OUTLIERS, random.choice([0.6, 1.7], len(sales)), 1.0)
    return np.round(np.exp(log_price(sales) + random.normal(0, NOISE, len(sales))) * factor, -3)


def _with_gaps(sales: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    gaps = {name: sales[name].mask(random.random(len(sales)) < share) for name, share in MISSING.items()}
    return sales.assign(**gaps)
