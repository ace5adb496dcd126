"""Importance: what the primary metric loses when one feature's values are shuffled among the test rows."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from mlops_assets.metrics.catalogue import METRICS
from mlops_assets.metrics.outcomes import Outcomes, Predictions, read_outcomes
from mlops_assets.metrics.scoring import obstacle, statistic, values
from mlops_assets.model.prediction import Fitted, predict

REPEATS = 5
MOST_ROWS = 2_000
MOST_PREDICTIONS = 200_000
"""Predicted rows in all; counted instead of timed, so that equal inputs give equal reports."""
FEWEST_ROWS = 30


class FeatureImportance(BaseModel):
    """Mean and standard deviation, over repeats, of the metric's loss; positive means the feature helps."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    feature: str
    mean: float
    sd: float


class Importance(BaseModel):
    """Permutation importance (Breiman 2001; Fisher, Rudin and Dominici 2019), greatest first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    rows: int
    repeats: int
    features: list[FeatureImportance] = []
    note: str = ""
    """Why it was not evaluated; empty where it was."""


@dataclass(frozen=True)
class Shuffling:
    """How often the values of a feature are shuffled, and how much that may cost."""

    seed: int = 0
    repeats: int = REPEATS
    most_predictions: int = MOST_PREDICTIONS


STANDARD = Shuffling()


def permutation_importance(
    pipeline: Fitted,
    features: pd.DataFrame,
    outcomes: Outcomes,
    metric: str,
    shuffling: Shuffling = STANDARD,
) -> Importance:
    """Importance of each column of ``features`` by ``metric``, on at most 2,000 rows of ``outcomes``.

    All repeats of one feature are predicted in one call.
    """
    from threadpoolctl import threadpool_limits

    repeats = shuffling.repeats
    size = min(len(outcomes), MOST_ROWS, shuffling.most_predictions // (repeats * max(features.shape[1], 1)))
    why_not = obstacle(metric, outcomes) or _too_few(size, features.shape[1], len(outcomes))
    if why_not:
        return Importance(metric=metric, rows=max(size, 0), repeats=repeats, note=f"not evaluated: {why_not}")
    rng = np.random.default_rng(shuffling.seed)
    chosen = np.sort(rng.choice(len(outcomes), size, replace=False))
    kept, frame = outcomes.take(chosen), features.iloc[chosen]
    before = values([metric], kept)[metric]
    if before is None:
        note = f"not evaluated: {metric} is undefined on {size} rows"
        return Importance(metric=metric, rows=size, repeats=repeats, note=note)
    sign = 1 if METRICS[metric].greater_is_better else -1
    importances = []
    # Starting threads for each prediction of a few thousand rows costs more than it saves on a busy machine.
    with threadpool_limits(limits=1):
        for name in frame.columns:
            after = _repeated(metric, kept, predict(pipeline, _shuffled(frame, name, repeats, rng)), repeats)
            losses = sign * (before - after)
            importances.append(FeatureImportance(feature=str(name), mean=float(losses.mean()), sd=float(losses.std())))
    ordered = sorted(importances, key=lambda item: (-item.mean, item.feature))
    return Importance(metric=metric, rows=size, repeats=repeats, features=ordered)


def _too_few(size: int, features: int, rows: int) -> str:
    if rows < FEWEST_ROWS:
        return f"{rows} rows, {FEWEST_ROWS} are needed"
    return f"{features} features leave no budget for {FEWEST_ROWS} rows each" if size < FEWEST_ROWS else ""


def _shuffled(frame: pd.DataFrame, name: str, repeats: int, rng: np.random.Generator) -> pd.DataFrame:
    """The rows ``repeats`` times, one below the other, the named column in another order each time."""
    shuffled = pd.concat([frame] * repeats, ignore_index=True)
    order = np.concatenate([rng.permutation(len(frame)) for _ in range(repeats)])
    shuffled[name] = pd.Series(frame[name]).take(order).array
    return shuffled


def _repeated(metric: str, outcomes: Outcomes, predictions: Predictions, repeats: int) -> np.ndarray:
    """The metric of each repeat, shape (repeats,)."""
    size = len(outcomes)
    truth = np.tile(outcomes.truth, repeats)
    if outcomes.task == "classification":
        truth = np.array(outcomes.classes, dtype=object)[truth]
    positive = None if outcomes.positive is None else outcomes.classes[outcomes.positive]
    read = read_outcomes(outcomes.task, truth, predictions, outcomes.classes, positive)
    parts = [read.take(np.arange(start, start + size)) for start in range(0, size * repeats, size)]
    ones = np.ones((1, size), dtype=np.int64)
    return np.array([statistic([metric], part)(ones)[metric][0] for part in parts])
