"""Perturbation: the same rows as they could arrive on a worse day."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from mlops_assets.features.version import FeaturesVersion

EMPTY = "missing"
"""What an empty cell of a categorical feature holds."""
UNSEEN = "a category never seen"


def columns_of(features: "FeaturesVersion", kind: str) -> list[str]:
    """Names of the numeric or categorical features."""
    return [column.name for column in features.columns if column.kind == kind]


def spreads(inputs: pd.DataFrame, numeric: Sequence[str]) -> np.ndarray:
    """Standard deviation of each numeric column, 0 where it has none."""

    return inputs.loc[:, list(numeric)].std(ddof=0).fillna(0).to_numpy(dtype=np.float64)


def with_noise(
    inputs: pd.DataFrame, numeric: Sequence[str], scales: np.ndarray, rng: np.random.Generator
) -> pd.DataFrame:
    """Normal noise of SD ``scales`` added to the numeric columns; empty cells stay empty.

    One state of ``rng`` gives one pattern: larger scales stretch it.
    """
    names = list(numeric)
    noise = rng.normal(size=(len(inputs), len(names))) * scales
    return inputs.assign(**{name: inputs[name] + noise[:, index] for index, name in enumerate(names)})


def with_missing(
    inputs: pd.DataFrame,
    numeric: Sequence[str],
    categorical: Sequence[str],
    share: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Each cell emptied with probability ``share``.

    One state of ``rng`` gives nested patterns: what is empty at a smaller share is empty at a larger one.
    """

    names = [*numeric, *categorical]
    gone = rng.random((len(inputs), len(names))) < share
    cells = {
        name: np.where(gone[:, index], np.nan if name in numeric else EMPTY, inputs[name].to_numpy())
        for index, name in enumerate(names)
    }
    return inputs.assign(**cells)


def with_unseen(inputs: pd.DataFrame, categorical: Sequence[str]) -> pd.DataFrame:
    """A category that no row had, in every categorical column."""
    return inputs.assign(**dict.fromkeys(categorical, UNSEEN))


def extremes(inputs: pd.DataFrame, numeric: Sequence[str], times: float) -> dict[str, tuple[float, float]]:
    """Per numeric column the values ``times`` its observed range below and above its middle; none if constant."""

    values = inputs.loc[:, list(numeric)].to_numpy(dtype=np.float64)
    ends = {}
    for name, column in zip(numeric, values.T, strict=True):
        known = column[np.isfinite(column)]
        if len(known) and np.ptp(known) > 0:
            middle, reach = (known.min() + known.max()) / 2, times * np.ptp(known)
            ends[name] = (float(middle - reach), float(middle + reach))
    return ends


def reordered(inputs: pd.DataFrame) -> pd.DataFrame:
    """The columns moved by one, so that none stays in its place."""
    names = list(inputs.columns)
    return inputs.loc[:, [*names[1:], *names[:1]]]
