"""Degenerate features: those that engineering or a batch spoilt, or that carry nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlops_assets.features.transform import MISSING
from mlops_assets.verdict import Verdict

MAX_RANGE = 1e6
"""Largest allowed distance from the median, in interquartile ranges.

A value this far out makes every other one equal after scaling. A division by almost zero gives 1e7 and more;
lognormal, Pareto and zero-inflated columns of real tables stay below 1e5.
"""
LARGEST = float(np.finfo(np.float32).max)
"""Beyond it trees and ONNX, which work in float32, see infinity."""
SHOWN = 5


@dataclass(frozen=True)
class Defect:
    """What is wrong with one feature."""

    feature: str
    reason: str


def no_degenerate(
    features: pd.DataFrame, train: np.ndarray, complete: np.ndarray, rescaled: Sequence[Defect] = ()
) -> Verdict:
    """Whether every feature is finite, varies, and has a range that scaling survives, in one unit throughout.

    ``train`` marks the train rows and ``complete`` the rows without an empty raw cell, both of shape (n,): in a
    complete row engineering has no reason to leave a gap. ``rescaled`` are columns that change their unit.
    """
    ranges = {str(name): _range(values.to_numpy()) for name, values in features.items() if values.dtype != object}
    spoilt = (
        defect
        for name, values in features.items()
        for defect in _defects(str(name), values, train, complete, ranges.get(str(name), 0.0))
    )
    defects = [*rescaled, *spoilt]
    widest = max(ranges, key=lambda name: ranges[name], default=None)
    return Verdict(
        name="no_degenerate",
        outcome="failed" if defects else "passed",
        reason=_reason(defects, widest, ranges),
        value=ranges[widest] if widest else None,
        bound=MAX_RANGE,
        rows=len(features),
        details={
            "columns": list(dict.fromkeys(defect.feature for defect in defects)),
            "defects": [{"feature": defect.feature, "reason": defect.reason} for defect in defects],
            "ranges": ranges,
        },
    )


def _defects(name: str, values: pd.Series, train: np.ndarray, complete: np.ndarray, width: float) -> list[Defect]:
    cells = values.to_numpy()
    missing = cells == MISSING if values.dtype == object else np.isnan(cells)
    infinite = np.zeros(len(cells), bool) if values.dtype == object else np.abs(cells) > LARGEST
    gaps, infinities = int((missing & complete).sum()), int(infinite.sum())
    defects = [
        (infinities > 0, f"{infinities:,} infinite values (beyond ±3.4e38), 0 are allowed"),
        (gaps > 0, f"{gaps:,} empty values in rows without an empty input, 0 are allowed"),
        (width > MAX_RANGE, f"a value {width:.3g} interquartile ranges from the median, {MAX_RANGE:.0e} are allowed"),
    ]
    reasons = [reason for applies, reason in defects if applies]
    return [Defect(name, reason) for reason in [*reasons, *_sameness(cells[train], missing[train])]]


def _sameness(cells: np.ndarray, missing: np.ndarray) -> list[str]:
    if not len(cells):
        return []
    if missing.all():
        return ["no value in any train row"]
    constant = not missing.any() and bool((cells == cells[0]).all())
    return [f"the one value {cells[0]} in every train row"] if constant else []


def _range(cells: np.ndarray) -> float:
    """Largest distance from the median in interquartile ranges.

    Where half of the column is one value, the median distance of the others stands for the interquartile range.
    """
    cells = cells[np.abs(cells) <= LARGEST]
    if not len(cells):
        return 0.0
    low, median, high = np.quantile(cells, [0.25, 0.5, 0.75])
    distances = np.abs(cells - median)
    largest = distances.max()
    scale = high - low or np.median(distances[distances > 0]) if largest else 1.0
    return float(largest / scale)


def _reason(defects: list[Defect], widest: str | None, ranges: dict[str, float]) -> str:
    if not defects:
        if widest is None:
            return "every feature is complete and varies"
        return (
            f"every feature is finite and varies; widest range {ranges[widest]:.3g} interquartile ranges "
            f"({widest!r}), {MAX_RANGE:.0e} are allowed"
        )
    listed = ". ".join(f"{defect.feature!r}: {defect.reason}" for defect in defects[:SHOWN])
    return listed + (f". And {len(defects) - SHOWN} more" if len(defects) > SHOWN else "")
