"""Identifiers: features that name rows, so that nothing can be learned from them."""

import numpy as np
import pandas as pd

from mlops_assets.features.leakage.functional_dependency import MIN_ROWS

UNIQUE_TEXT, UNIQUE_NUMBERS = 0.95, 0.99
"""Shares of the rows with a value of their own from which text, and whole numbers, can be an identifier."""
DENSE = 3
"""Distinct whole numbers packed into this many times their count were dealt out, not measured."""
YEARS = (1500, 2200)
"""Whole numbers within these are years, which say when a row was, and may be learned from."""


def identifiers(features: pd.DataFrame, content: np.ndarray) -> list[str]:
    """Features that name rows. ``content`` is equal for copies of a row, shape (n,).

    Rows are counted, not values: 51 values in 272 rows are no names. A name that is copied with its whole row is still
    one, and seen among the rows without their copies, if these differ without it, too.
    """
    once = features.iloc[np.sort(np.unique(content, return_index=True)[1])]
    return [
        str(name)
        for name, values in features.items()
        if is_identifier(values) or (len(once) < len(features) and _copied_with_its_row(str(name), once))
    ]


def _copied_with_its_row(name: str, once: pd.DataFrame) -> bool:
    others = once.drop(columns=name)
    return is_identifier(pd.Series(once[name])) and not others.empty and not others.duplicated().any()


def is_identifier(values: pd.Series) -> bool:
    """Whether a feature names rows, in whatever order these stand.

    Names are text that is nearly always distinct, or distinct whole numbers that fill their range nearly without gaps.

    Example:
        >>> is_identifier(pd.Series(range(100, 200))), is_identifier(pd.Series(range(100)) ** 2)
        (True, False)
    """
    if values.dtype == object:
        return len(values) >= MIN_ROWS and values.nunique() >= UNIQUE_TEXT * len(values)
    numbers = values.to_numpy()
    numbers = numbers[np.isfinite(numbers)]
    if len(numbers) < MIN_ROWS or (numbers != np.floor(numbers)).any():
        return False
    if numbers.min() >= YEARS[0] and numbers.max() <= YEARS[1]:
        return False
    distinct = len(np.unique(numbers))
    return distinct >= UNIQUE_NUMBERS * len(numbers) and bool(np.ptp(numbers) + 1 <= DENSE * len(numbers))
