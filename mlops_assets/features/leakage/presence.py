"""Presence: which rows hold a value at all, and whether that alone tells the class.

What is filled in only after the outcome, such as an amount recovered, is empty (or a constant such as 0) wherever the
outcome did not come.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from mlops_assets.features.leakage.functional_dependency import CHANCE
from mlops_assets.features.transform import MISSING

FILLER = 0.3
"""Share of the rows that must hold one number, among numbers that rarely repeat, for it to stand for no value."""
VARIED = 0.5
"""Share of distinct numbers among the others."""
FEWEST = 10
"""Rows that must hold a value, or must not."""


class PresenceEvidence(NamedTuple):
    """All rows in which the feature has a value, or in which it has none, are of one class."""

    present: bool
    """Whether it is the rows with a value."""
    rows: int
    """How many these are."""
    label: int
    """The class, as a position."""
    filler: float | None
    """Number that stands for no value; None where cells are empty."""


def absent_rows(values: pd.Series) -> tuple[np.ndarray, float | None]:
    """Which rows hold no value, shape (n,), and the number that stands there for none, if one does.

    Example:
        >>> absent_rows(pd.Series([0.0, 0.0, 7.3, 0.0, 2.9]))
        (array([ True,  True, False,  True, False]), 0.0)
    """
    if values.dtype == object:
        return (values == MISSING).to_numpy(), None
    numbers = values.to_numpy(dtype=float)
    absent = ~np.isfinite(numbers) | (np.abs(numbers) >= 1e150)
    if absent.any() or not len(numbers):
        return absent, None
    distinct, counts = np.unique(numbers, return_counts=True)
    filler, rows = distinct[counts.argmax()], counts.max()
    if rows < FILLER * len(numbers) or len(distinct) - 1 < max(VARIED * (len(numbers) - rows), 2):
        return absent, None
    return numbers == filler, float(filler)


def presence_evidence(values: pd.Series, target: np.ndarray) -> PresenceEvidence | None:
    """Whether having a value, or having none, means one class without exception, beyond chance.

    ``target`` has shape (n,), classes as positions; rows should be distinct. That k rows agree by chance has the
    probability pᵏ for a class of the share p, and must be below 10**CHANCE.
    """
    absent, filler = absent_rows(values)
    shares = np.bincount(target) / max(len(target), 1)
    for state, present in ((~absent, True), (absent, False)):
        labels, rows = np.unique(target[state]), int(state.sum())
        if rows >= FEWEST and len(labels) == 1 and rows * np.log10(shares[labels[0]]) < CHANCE:
            return PresenceEvidence(present, rows, int(labels[0]), filler)
    return None


def presence_text(evidence: PresenceEvidence, target: str) -> str:
    """What having a value tells, in words."""
    value = "a value" if evidence.filler is None else f"another value than {evidence.filler:g}"
    state = f"has {value}" if evidence.present else "has none" if evidence.filler is None else "does not have " + value
    return f"in all {evidence.rows} rows where it {state}, {target} is the same class"
