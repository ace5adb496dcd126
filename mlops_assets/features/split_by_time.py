"""The split by time: the oldest rows train, the newest test, one instant is never torn apart."""

from datetime import date, datetime, time

import numpy as np
import polars as pl

from mlops_assets.errors import SpecError
from mlops_assets.features.spec import SplitSpec
from mlops_assets.features.version import EXCLUDED, PARTS, TEST, TRAIN, VALIDATION, SplitPlan


def place(times: pl.Series, plan: SplitPlan) -> np.ndarray:
    """Part code of each row; a row without a time is excluded."""
    moments = _moments(times)
    codes = np.full(len(moments), TRAIN, dtype=np.int8)
    for start, part in ((plan.validation_from, VALIDATION), (plan.test_from, TEST)):
        if start is not None:
            codes[(moments >= start).fill_null(False).to_numpy()] = part
    codes[moments.is_null().to_numpy()] = EXCLUDED
    return codes


def choose_boundaries(times: pl.Series, split: SplitSpec) -> tuple[datetime | None, datetime]:
    """First instants of validation (None without that part) and of test.

    What is not declared is the instant that brings the part closest to its declared share of the rows.

    Raises:
        SpecError: if the times are too few to give every part at least one instant.
    """
    instants, rows = _distinct(times)
    test_from, validation_from = _midnight(split.test_from), _midnight(split.validation_from)
    if test_from is None:
        after = instants.search_sorted(validation_from, side="right") if validation_from else 0
        test_from = _closest(instants, rows, max(int(after), 2 if split.validation else 1), len(instants), split.test)
    if validation_from is None and split.validation:
        end = int(instants.search_sorted(test_from))
        validation_from = _closest(instants, rows, 1, end, split.validation)
    if test_from is None or (validation_from is None and split.validation):
        raise SpecError(
            f"features.split.time: {times.name!r} has {len(instants)} distinct times, too few to give each part its "
            "own. Remedy: declare features.split.validation_from and test_from, or land more rows."
        )
    return validation_from, test_from


def rows_out_of_order(parts: np.ndarray, times: pl.Series) -> dict[str, int]:
    """How many rows of validation and of test are not newer than the newest row of an earlier part.

    ``parts`` has shape (n,), text as ``PARTS``; one instant in two parts is out of order.
    """
    moments = _moments(times)
    counts = {}
    for place in (VALIDATION, TEST):
        newest = moments.filter(np.isin(parts, PARTS[:place])).max()
        rows = moments.filter(parts == PARTS[place])
        counts[PARTS[place]] = int((rows <= newest).sum()) if newest is not None else 0
    return counts


def _closest(instants: pl.Series, rows: np.ndarray, first: int, end: int, share: float) -> datetime | None:
    """The instant from ``first`` on whose rows, up to ``end``, come closest to ``share`` of all rows."""
    if first >= end:
        return None
    shares = rows[:end][::-1].cumsum()[::-1][first:] / rows.sum()
    best = np.flatnonzero(np.abs(shares - share) == np.abs(shares - share).min())[-1]
    return instants[first + int(best)]


def _distinct(times: pl.Series) -> tuple[pl.Series, np.ndarray]:
    counts = _moments(times).drop_nulls().rename("at").value_counts().sort("at")
    return counts["at"], counts["count"].to_numpy()


def _moments(times: pl.Series) -> pl.Series:
    """The times as UTC without a zone, in microseconds."""
    if isinstance(times.dtype, pl.Datetime) and times.dtype.time_zone:
        times = times.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return times.cast(pl.Datetime("us"))


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time.min)
