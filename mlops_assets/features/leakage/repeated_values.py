"""Repeated values: the rows of one column's values, in blocks of values that are neighbours.

Values are neighbours in their order: numbers and dates by size, text by its letters. Identifiers have no order that
means anything, so their neighbours are as good as any other values; those of a measurement, a date or a numbered week
are what its equals must be compared with.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

FEWEST_TEXTS, FEWEST_NUMBERS = 20, 25
"""Distinct values below which a column is a list of categories, or a scale."""
FEWEST_ROWS = 40
"""Rows that share their value with another one."""
CATEGORIES, SCALE, LEFT_OUT = 0.05, 0.02, 0.01
"""Distinct values per row below which a text feature, a numeric feature, and a column that is no feature, does not name
groups of rows."""
REPEATED, ROWS_PER_VALUE = 0.5, 3
"""Share of a numeric feature's values that occur more than once, and rows of each; a measurement has fewer."""
EVEN = 0.6
"""Mean squared difference of neighbouring values' rows, in those of any two, from which frequencies have no shape."""
BLOCK = 5
"""Neighbouring values that are compared with each other."""
MOST_VALUES, MOST_ROWS = 200, 8
"""Values that are looked at, in whole blocks chosen at random, and rows of each."""


@dataclass(frozen=True, eq=False)
class RepeatedValues:
    """Some rows of the values that a column repeats, those of one value side by side; ``k`` rows of ``v`` values."""

    column: str
    distinct: int
    """Values of the whole column."""
    rows_per_value: float
    """Of the whole column."""
    is_even: bool
    """Whether neighbouring values are as rare or frequent as any two; those of a measurement are not."""
    rows: np.ndarray
    """Positions, shape (k,)."""
    values: np.ndarray
    """The value that each row has, counted from 0, shape (k,); ``BLOCK`` consecutive ones are a block."""

    @property
    def blocks(self) -> np.ndarray:
        """Block of each row, shape (k,)."""
        return self.values // BLOCK


def repeated_values(values: pl.Series, is_feature: bool) -> RepeatedValues | None:
    """Rows of the values that may name groups of rows; None where they are too few, or a list of categories.

    Example:
        >>> patients = pl.Series("patient", [f"p{row // 10}" for row in range(1000)])
        >>> repeated = repeated_values(patients, is_feature=False)
        >>> repeated.distinct, repeated.rows_per_value, len(repeated.rows), repeated.values.max() + 1
        (100, 10.0, 800, 100)
        >>> repeated_values(pl.Series("colour", ["red", "blue"] * 500), is_feature=True) is None
        True
    """
    if _measures(values):
        return None
    counts = _counts(values)
    repeated = counts.filter(pl.col("len") > 1)
    if not _names_groups(counts, repeated, values.dtype == pl.String, is_feature):
        return None
    chosen = _in_blocks(repeated["value"])
    rows, positions = _rows(values, chosen)
    size = int(counts["len"].sum()) / counts.height
    return RepeatedValues(values.name, counts.height, size, _is_even(counts), rows, positions)


def _measures(values: pl.Series) -> bool:
    """Whether the values are truths, or numbers with fractions: neither names anything."""
    return values.dtype == pl.Boolean or (values.dtype.is_float() and bool((values.drop_nulls() % 1 != 0).any()))


def _counts(values: pl.Series) -> pl.DataFrame:
    return pl.DataFrame({"value": values}).drop_nulls().group_by("value").len()


def _names_groups(counts: pl.DataFrame, repeated: pl.DataFrame, is_text: bool, is_feature: bool) -> bool:
    rows = int(counts["len"].sum())
    lowest = (CATEGORIES if is_text else SCALE) if is_feature else LEFT_OUT
    enough = counts.height >= max(FEWEST_TEXTS if is_text else FEWEST_NUMBERS, lowest * rows)
    if is_feature and not is_text:
        enough &= repeated.height >= REPEATED * counts.height and rows >= ROWS_PER_VALUE * counts.height
    return enough and repeated.height >= 2 * BLOCK and int(repeated["len"].sum()) >= FEWEST_ROWS


def _is_even(counts: pl.DataFrame) -> bool:
    """By von Neumann's ratio of the rows of each value, in the order of the values."""
    rows = counts.sort("value")["len"].cast(pl.Float64).to_numpy()
    return bool((np.diff(rows) ** 2).mean() >= EVEN * 2 * rows.var())


def _in_blocks(repeated: pl.Series) -> pl.DataFrame:
    """Values in their order, as many as make whole blocks."""
    ordered = repeated.sort()
    blocks = np.arange(len(ordered) // BLOCK)
    if len(blocks) > MOST_VALUES // BLOCK:
        blocks = np.sort(np.random.default_rng(0).permutation(blocks)[: MOST_VALUES // BLOCK])
    chosen = ordered.gather((blocks[:, np.newaxis] * BLOCK + np.arange(BLOCK)).ravel())
    return pl.DataFrame({"value": chosen, "position": np.arange(len(chosen))})


def _rows(values: pl.Series, chosen: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """At most MOST_ROWS rows of each chosen value, chosen at random."""
    held = pl.DataFrame({"value": values, "row": np.arange(len(values))}).join(chosen, on="value").sort("row")
    held = held.with_columns(order=np.random.default_rng(0).permutation(held.height)).sort("position", "order")
    held = held.filter(pl.int_range(pl.len()).over("position") < MOST_ROWS)
    return held["row"].to_numpy(), held["position"].to_numpy()
