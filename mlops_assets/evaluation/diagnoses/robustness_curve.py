"""Loss curve: how much of a metric is lost as rows are perturbed more and more."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlops_assets.evaluation.diagnosis import Measure
from mlops_assets.metrics.bootstrap import Bootstrap, atoms_of, replicate
from mlops_assets.metrics.catalogue import METRICS
from mlops_assets.metrics.formatting import figure
from mlops_assets.metrics.intervals import (
    FEWEST_UNITS,
    UNDEFINED_AT_MOST,
    Interval,
    percentile_interval,
    undefined_share,
)
from mlops_assets.metrics.outcomes import Outcomes
from mlops_assets.metrics.scoring import obstacle, statistic, values

MOST_RESAMPLES = 500
"""Behind each interval here: one resample measures every perturbation at once."""


@dataclass(frozen=True, eq=False)
class LossPoint:
    """One perturbation: the rows it was made of, repeated, or why there are none."""

    name: str
    repeats: tuple[Outcomes, ...] = ()
    note: str = ""


def relative_loss(before: np.ndarray, after: np.ndarray, greater_is_better: bool) -> np.ndarray:
    """Rise of a loss, or drop of a score, as a share of ``before``; NaN where that is not positive."""

    before, after = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    worse = before - after if greater_is_better else after - before
    return np.divide(worse, before, out=np.full(worse.shape, np.nan), where=before > 0)


def relative_losses(
    metric: str, base: Outcomes, points: Sequence[LossPoint], groups: pd.Series | None, bootstrap: Bootstrap
) -> list[Measure]:
    """Mean relative loss over the repeats of each point, with its interval from a bootstrap that all of them share."""

    before = values([metric], base)[metric]
    notes = [point.note or _obstacle(metric, point.repeats) or _undefined(metric, before) for point in points]
    able = [point for point, note in zip(points, notes, strict=True) if not note]
    spread = _replicates(metric, base, able, groups, bootstrap)
    units = len(base) if groups is None else groups.nunique(dropna=False)
    measures = []
    for point, note in zip(points, notes, strict=True):
        if note:
            measures.append(Measure(name=point.name, value=None, rows=len(base), note=note))
            continue
        value = float(np.mean([_loss(metric, before, repeat) for repeat in point.repeats]))
        interval = _interval(spread.get(point.name), value, bootstrap.confidence, units)
        missing = "" if interval else "no interval: too few independent rows or groups"
        measures.append(Measure(name=point.name, value=value, interval=interval, rows=len(base), note=missing))
    return measures


def _loss(metric: str, before: float | None, outcomes: Outcomes) -> float:

    after = values([metric], outcomes)[metric]
    return float(relative_loss(np.array(before), np.array(after), METRICS[metric].greater_is_better))


def _undefined(metric: str, before: float | None) -> str:
    if before is not None and before > 0:
        return ""
    return f"{metric} is {figure(before)} before any change: there is no share of it to lose"


def _obstacle(metric: str, repeats: Sequence[Outcomes]) -> str:
    reasons = (
        obstacle(metric, repeat) or ("" if values([metric], repeat)[metric] is not None else "undefined")
        for repeat in repeats
    )
    return next((f"{metric}: {reason}" for reason in reasons if reason), "")


def _replicates(
    metric: str, base: Outcomes, points: Sequence[LossPoint], groups: pd.Series | None, bootstrap: Bootstrap
) -> dict[str, np.ndarray]:
    """Mean relative loss of each point in every resample."""

    several = [base, *(repeat for point in points for repeat in point.repeats)]
    atoms = atoms_of(several, groups, METRICS[metric].needs == "labels")
    if not points or atoms.units < FEWEST_UNITS:
        return {}
    fewer = Bootstrap(min(bootstrap.resamples, MOST_RESAMPLES), bootstrap.confidence, bootstrap.seed)
    measured = replicate([statistic([metric], outcomes.take(atoms.row)) for outcomes in several], atoms, fewer)
    before, *after = (replicates[metric] for replicates in measured)
    losses = iter([relative_loss(before, changed, METRICS[metric].greater_is_better) for changed in after])
    return {point.name: np.mean([next(losses) for _ in point.repeats], axis=0) for point in points}


def _interval(replicates: np.ndarray | None, value: float, confidence: float, units: int) -> Interval | None:
    if replicates is None or undefined_share(replicates) > UNDEFINED_AT_MOST:
        return None
    return percentile_interval(replicates, value, confidence, units)
