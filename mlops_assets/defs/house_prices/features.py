"""Engineered features of house_prices."""

import pandas as pd

REFERENCE_YEAR = 2020
"""Ages are counted up to this year, never up to today: a house must not change its features every January.

A house built later has a negative age.
"""
FEWEST_BATHROOMS = 0.5
"""Below this, bathrooms count as this many: a house without one must not make an endless ratio."""


def engineer(houses: pd.DataFrame) -> pd.DataFrame:
    """The house as listed, with its age instead of its year, and bedrooms per bathroom."""
    return houses.drop(columns="year_built").assign(
        house_age=REFERENCE_YEAR - houses["year_built"],
        bed_bath_ratio=houses["bedrooms"] / houses["bathrooms"].clip(lower=FEWEST_BATHROOMS),
    )
