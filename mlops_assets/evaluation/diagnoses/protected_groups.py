"""Protected groups: the rows of each value of a protected column, or of columns that are crossed."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from mlops_assets.evaluation.diagnoses.disparities import Grouping, group_rows
from mlops_assets.evaluation.diagnosis import Subject

BANDS, MOST_VALUES = 4, 12
"""A number with more values than the second is cut into so many bands of as many rows."""
Protected = str | list[str]
"""A column, or several that are crossed."""


def protected_name(protected: Protected) -> str:
    """As reports call it.

    >>> protected_name(["sex", "age"])
    'sex × age'
    """
    return protected if isinstance(protected, str) else " × ".join(protected)


def protected_groups(
    subject: Subject, several: Sequence[Protected], min_group: int
) -> tuple[list[Grouping], dict[str, str]]:
    """The groups of the test rows by each of ``several``; and why others have none, by name.

    A missing value is a group too, and a column of one value compares nobody.
    """
    groupings, without = [], {}
    for protected in several:
        name = protected_name(protected)
        columns = [protected] if isinstance(protected, str) else protected
        absent = [column for column in columns if _source(subject, column) is None]
        if absent:
            without[name] = f"the rows carry no column {', '.join(absent)}"
            continue
        grouping = group_rows(name, _crossed([_values(subject, column) for column in columns]), min_group)
        groupings.append(grouping)
        if len(grouping.labels) < 2:
            without[name] = f"fewer than two groups have {min_group} rows"
    return groupings, without


def _source(subject: Subject, column: str) -> str | None:
    return next((key for key in (f"@{column}", column) if key in subject.test.columns), None)


def _values(subject: Subject, column: str) -> list[object]:
    values = pd.Series(subject.test[_source(subject, column)])
    if not pd.api.types.is_numeric_dtype(values) or values.nunique() <= MOST_VALUES:
        return values.tolist()
    return _banded(values.to_numpy(dtype=np.float64, na_value=np.nan))


def _banded(values: np.ndarray) -> list[object]:
    """Quarters of the rows, named by their ends."""
    edges = np.unique(np.nanquantile(values, np.linspace(0, 1, BANDS + 1)))
    names = [f"{low:.6g} to {high:.6g}" for low, high in pairwise(edges.tolist())]
    band = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(names) - 1)
    return [names[index] if known else "missing" for index, known in zip(band, np.isfinite(values), strict=True)]


def _crossed(columns: list[list[object]]) -> list[object]:
    if len(columns) == 1:
        return columns[0]
    return [
        " × ".join("missing" if pd.isna(value) else str(value) for value in row) for row in zip(*columns, strict=True)
    ]
