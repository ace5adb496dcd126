"""Diagrams: the numbers behind each plot of a report, few enough to store."""

import numpy as np
from pydantic import BaseModel, ConfigDict

from mlops_assets.metrics.outcomes import Outcomes
from mlops_assets.metrics.ranking import precision_recall_points, ranked_classes, roc_points

ClassLabel = bool | int | float | str
MOST_POINTS = 2_000
MOST_CURVES = 8
POINTS_PER_CURVE = 200
BANDS = 10


class Curve(BaseModel):
    """One class's line through points in the order of the threshold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: ClassLabel
    x: list[float]
    y: list[float]

    @property
    def points(self) -> list[tuple[float, float]]:
        return list(zip(self.x, self.y, strict=True))


class ClassRow(BaseModel):
    """One class; None where there is no row to measure it on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: ClassLabel
    precision: float | None
    recall: float | None
    f1: float | None
    support: int
    """Test rows of the class."""
    predicted: int
    """Test rows predicted as the class."""


class Band(BaseModel):
    """Rows whose true value lies in one tenth of all true values."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: float
    high: float
    rows: int
    mean_error: float
    """Prediction minus truth: positive where the model predicts too much."""
    mean_absolute_error: float


def confusion_matrix(outcomes: Outcomes) -> list[list[int]]:
    """Rows by true class (outer) and predicted class (inner), in the order of the classes."""

    size = len(outcomes.classes)
    cells = np.bincount(outcomes.truth * size + outcomes.predicted, minlength=size * size)
    return cells.reshape(size, size).tolist()


def class_table(outcomes: Outcomes) -> list[ClassRow]:
    """Precision, recall and F1 of every class."""
    matrix = confusion_matrix(outcomes)
    return [
        _class_row(label, matrix[index][index], sum(matrix[index]), sum(row[index] for row in matrix))
        for index, label in enumerate(outcomes.classes)
    ]


def _class_row(label: ClassLabel, hits: int, support: int, predicted: int) -> ClassRow:
    return ClassRow(
        label=label,
        precision=hits / predicted if predicted else None,
        recall=hits / support if support else None,
        f1=2 * hits / (support + predicted) if support + predicted else None,
        support=support,
        predicted=predicted,
    )


def roc_curves(outcomes: Outcomes) -> list[Curve]:
    """False positive rate against true positive rate, of the positive class or of the largest classes."""
    return [_curve(outcomes, index, *roc_points(outcomes, index)) for index in _drawn_classes(outcomes)]


def precision_recall_curves(outcomes: Outcomes) -> list[Curve]:
    """Recall against precision, of the positive class or of the largest classes."""
    return [_curve(outcomes, index, *precision_recall_points(outcomes, index)) for index in _drawn_classes(outcomes)]


def sampled_points(outcomes: Outcomes, seed: int) -> list[tuple[float, float]]:
    """(truth, prediction) of at most 2,000 rows, chosen at random by ``seed``."""

    rows = np.arange(len(outcomes))
    if len(rows) > MOST_POINTS:
        rows = np.sort(np.random.default_rng(seed).choice(len(rows), MOST_POINTS, replace=False))
    return [(_short(truth), _short(value)) for truth, value in zip(*_pair(outcomes, rows), strict=True)]


def error_bands(outcomes: Outcomes) -> list[Band]:
    """Error by tenths of the true value, from all rows."""

    order = np.argsort(outcomes.truth, kind="stable")
    return [_band(*_pair(outcomes, rows)) for rows in np.array_split(order, BANDS) if len(rows)]


def _band(truth: np.ndarray, predicted: np.ndarray) -> Band:

    error = predicted - truth
    return Band(
        low=float(truth[0]),
        high=float(truth[-1]),
        rows=len(truth),
        mean_error=float(error.mean()),
        mean_absolute_error=float(np.abs(error).mean()),
    )


def _pair(outcomes: Outcomes, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return outcomes.truth[rows], outcomes.predicted[rows]


def _drawn_classes(outcomes: Outcomes) -> list[int]:
    """Classes with rows on both sides, the largest first where there are many."""

    if outcomes.probabilities is None:
        return []
    counts = np.bincount(outcomes.truth, minlength=len(outcomes.classes))
    drawable = [index for index in ranked_classes(outcomes) if 0 < counts[index] < len(outcomes)]
    return sorted(sorted(drawable, key=lambda index: (-counts[index], index))[:MOST_CURVES])


def _curve(outcomes: Outcomes, index: int, x: np.ndarray, y: np.ndarray) -> Curve:

    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS_PER_CURVE)).round().astype(int))
    return Curve(label=outcomes.classes[index], x=[_short(v) for v in x[kept]], y=[_short(v) for v in y[kept]])


def _short(value: float) -> float:
    return float(f"{value:.5g}")
