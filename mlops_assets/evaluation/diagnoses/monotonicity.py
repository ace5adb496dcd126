"""Directions: what a model says as one feature of real rows rises."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from mlops_assets.errors import NotEvaluated
from mlops_assets.evaluation.diagnoses.invariance import attempt
from mlops_assets.evaluation.diagnosis import Subject
from mlops_assets.metrics.outcomes import Predictions

Direction = Literal["increasing", "decreasing"]

LEVELS = 20
"""Observed quantiles between which a feature moves."""
STEPS = 3
MOST_ROWS = 1000
TOLERANCE = 1e-6
"""Share of the predictions' range up to which a step is rounding."""


@dataclass(frozen=True, eq=False)
class Moves:
    """What the model says of rows whose one feature rises step by step."""

    rises: np.ndarray
    """Change of the prediction at each step."""
    row: np.ndarray
    """Position of the step's row among all test rows."""


def levels_of(values: np.ndarray, levels: int = LEVELS) -> np.ndarray:
    """Observed values at evenly spaced quantiles, each once; missing ones left out."""

    present = np.sort(values[~np.isnan(values)])
    if not len(present):
        return present
    return np.unique(present[np.arange(levels + 1) * (len(present) - 1) // levels])


def ladder(values: np.ndarray, levels: np.ndarray, steps: int = STEPS) -> np.ndarray:
    """Each value and the next ``steps`` levels above it, shape (n, steps + 1); NaN where there is none."""

    padded = np.append(levels, np.full(steps, np.nan))
    above = np.searchsorted(levels, values, side="right")
    above[np.isnan(values)] = len(levels)
    return np.column_stack([values, *(padded[above + step] for step in range(steps))])


def move(subject: Subject, feature: str) -> Moves:
    """Let ``feature`` of real test rows rise over the next observed quantiles.

    Raises:
        NotEvaluated: if the feature is no numeric one, does not vary, or the pipeline fails on the rows.
    """

    kind = next((column.kind for column in subject.features.columns if column.name == feature), None)
    if kind != "numeric":
        raise NotEvaluated(f"{feature!r} is not a numeric feature" if kind else f"there is no feature {feature!r}")
    inputs = subject.inputs
    values = inputs[feature].to_numpy(dtype=np.float64, na_value=np.nan)
    chosen = _chosen(values)
    rungs = ladder(values[chosen], levels_of(values))
    if np.isnan(rungs[:, 1:]).all():
        raise NotEvaluated("the feature has one value")
    heights = _heights(subject, inputs.iloc[chosen], feature, rungs)
    rises = np.diff(heights, axis=1)
    row, step = np.nonzero(~np.isnan(rises))
    return Moves(rises[row, step], chosen[row])


def against(rises: np.ndarray, direction: Direction, rounding: float) -> np.ndarray:
    """How far each step goes against ``direction``; 0 where it does not, or by rounding alone."""

    wrong = -rises if direction == "increasing" else rises
    return np.where(wrong > rounding, wrong, 0.0)


def _chosen(values: np.ndarray) -> np.ndarray:
    """Rows with a value, evenly spaced over the table."""

    present = np.flatnonzero(~np.isnan(values))
    if not len(present):
        raise NotEvaluated("the feature is empty in every row")
    return present[np.linspace(0, len(present) - 1, min(len(present), MOST_ROWS)).astype(np.intp)]


def _heights(subject: Subject, rows: pd.DataFrame, feature: str, rungs: np.ndarray) -> np.ndarray:
    """The prediction at every rung, shape like ``rungs``; NaN where there is none."""

    row, rung = np.nonzero(~np.isnan(rungs))
    moved = rows.iloc[row].assign(**{feature: rungs[row, rung]})
    predictions = attempt(subject, moved)
    if isinstance(predictions, str):
        raise NotEvaluated(predictions)
    heights = np.full(rungs.shape, np.nan)
    heights[row, rung] = height(subject, predictions)
    infinite = int((~np.isfinite(heights[row, rung])).sum())
    if infinite:
        raise NotEvaluated(f"the prediction is not a finite number in {infinite} of {len(row)} rows")
    return heights


def height(subject: Subject, predictions: Predictions) -> np.ndarray:
    """A number that can rise: the predicted value, or the positive class's probability (or label)."""

    if subject.spec.task == "regression":
        return np.asarray(predictions.values, dtype=np.float64)
    outcomes = subject.outcomes
    if outcomes.positive is None:
        raise NotEvaluated(f"{len(outcomes.classes)} classes have no direction")
    positive = outcomes.classes[outcomes.positive]
    if predictions.probabilities is None or positive not in predictions.classes:
        return np.asarray(predictions.values == positive, dtype=np.float64)
    return predictions.probabilities[:, predictions.classes.index(positive)].astype(np.float64)
