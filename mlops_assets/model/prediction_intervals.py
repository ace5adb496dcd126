"""Prediction intervals: how far the truth may lie, as thresholds that validation rows gave and JSON stores."""

import hashlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from mlops_assets.declaration.base import one_of
from mlops_assets.errors import NotEvaluated, StorageError
from mlops_assets.model.conformal import (
    Sets,
    calibration_scores,
    cumulative_scores,
    label_scores,
    mondrian_thresholds,
    quantile_edges,
    rank_needed,
    threshold,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mlops_assets.metrics.outcomes import Predictions
    from mlops_assets.model.spec import IntervalsSpec

FILE = "intervals.json"
"""Its name beside the artefact."""
NONE, PREDICTION = "none", "prediction"
"""What ``by`` may say instead of a column."""
MISSING = "missing"
"""The segment of empty cells."""
REMEDY = "Remedy: materialise the features again"


class OwnThreshold(BaseModel):
    """A segment of enough validation rows for a threshold of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    segment: str
    """Number of the part between ``edges``, class, or value of the column, as text."""
    rows: int
    threshold: float


class Intervals(BaseModel):
    """Split conformal thresholds: new rows from where the validation rows came are covered as often as stated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    coverage: float
    """Stated share of rows whose truth lies within."""
    sets: Sets
    """How labels are ranked into sets (classification)."""
    randomised: bool = False
    """Whether adaptive thresholds are of randomised scores. Those of earlier releases are not, and are read as such."""
    by: str
    """``none``, ``prediction``, or the dataset column whose values have their own thresholds (Mondrian)."""
    rows: int
    """Validation rows that gave the thresholds."""
    threshold: float
    """Of all rows together: half the width of an interval, or the score up to which labels are in a set."""
    edges: list[float] = []
    """Inner edges of the parts of the predicted value (regression)."""
    own: list[OwnThreshold] = []
    """Segments without one have the threshold of all rows."""

    @property
    def digest(self) -> str:
        """SHA-256 of ``to_json()``, which is what is stored."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """Canonical: equal thresholds give equal text, also those stored before there was ``randomised``."""
        return self.model_dump_json(indent=1, exclude=None if self.randomised else {"randomised"})

    @property
    def may_be_empty(self) -> bool:
        """Whether the surest rows may be left without a label: adaptive sets of an earlier release."""
        return self.sets == "adaptive" and not self.randomised

    def half_widths(self, predictions: "Predictions", column: "pd.Series | None" = None) -> "np.ndarray":
        """How far each interval reaches to both sides of the predicted value, shape (n,); for regression.

        ``column`` holds the rows' values of the column ``by``, where there is one.
        """
        return self._by_row(predictions, column)

    def label_sets(self, predictions: "Predictions", column: "pd.Series | None" = None) -> "np.ndarray":
        """Which labels each row may have, shape (n, k), columns in the order of the predictions' classes.

        Raises:
            NotEvaluated: if there are no probabilities.
        """
        stated = _probabilities(predictions)
        scores = cumulative_scores(stated) if self.may_be_empty else label_scores(stated, self.sets)
        if self.by == PREDICTION:
            return scores <= self._thresholds([str(label) for label in predictions.classes])
        return scores <= self._by_row(predictions, column)[:, None]

    def _by_row(self, predictions: "Predictions", column: "pd.Series | None") -> "np.ndarray":
        import numpy as np

        if self.by == NONE:
            return np.full(len(predictions.values), self.threshold)
        if self.by == PREDICTION:
            return self._thresholds(part_of(predictions.values, self.edges))
        if column is None:
            raise NotEvaluated(f"the intervals are by {self.by!r}, which these rows do not carry. {REMEDY}")
        return self._thresholds(texts(column))

    def _thresholds(self, segments: "np.ndarray | list[str]") -> "np.ndarray":
        import numpy as np

        known = {segment.segment: segment.threshold for segment in self.own}
        return np.array([known.get(segment, self.threshold) for segment in segments], dtype=np.float64)


def fit_intervals(
    declared: "IntervalsSpec", predictions: "Predictions", truth: "np.ndarray", column: "pd.Series | None" = None
) -> Intervals:
    """Thresholds from the predictions and truth of rows that neither fitting nor calibration has seen.

    ``column`` holds the rows' values of the column ``declared.by``, where one is declared.

    Raises:
        NotEvaluated: if the rows are too few for the stated coverage, or the model gives no probabilities.

    Example:
        >>> import numpy as np
        >>> from mlops_assets.metrics.outcomes import Predictions
        >>> from mlops_assets.model.spec import IntervalsSpec
        >>> predicted = np.zeros(99)
        >>> intervals = fit_intervals(IntervalsSpec(coverage=0.9), Predictions(predicted), np.arange(1, 100) / 100)
        >>> intervals.threshold, intervals.rows
        (0.9, 99)
    """
    scores = _scores(declared, predictions, truth)
    limit = threshold(scores, declared.coverage)
    if limit is None:
        requirement = f"intervals of {declared.coverage:.0%} coverage need {rows_needed(declared.coverage)}"
        raise NotEvaluated(f"{len(truth)} validation rows, {requirement}")
    edges = [] if predictions.classes else quantile_edges(predictions.values).tolist()
    return Intervals(
        coverage=declared.coverage,
        sets=declared.sets,
        randomised=declared.sets == "adaptive",
        by=declared.by,
        rows=len(truth),
        threshold=limit,
        edges=edges,
        own=_own(declared, scores, _segments(declared.by, predictions, truth, column, edges)),
    )


def read_intervals(path: str | Path, expected_digest: str) -> Intervals:
    """The stored intervals of exactly this digest.

    Raises:
        StorageError: if the file is not the one that was logged.
    """
    text = Path(path).read_bytes()
    digest = hashlib.sha256(text).hexdigest()
    if digest != expected_digest:
        raise StorageError(
            f"{str(path)!r} holds the intervals {digest}, not {expected_digest}. "
            "Remedy: restore the file that was logged, or materialise the model again."
        )
    return Intervals.model_validate_json(text)


def rows_needed(coverage: float) -> int:
    """Fewest rows that give a threshold for this coverage."""
    rows = 1
    while rank_needed(rows, coverage) > rows:
        rows += 1
    return rows


def part_of(values: "np.ndarray", edges: "list[float]") -> "np.ndarray":
    """Number of the part of the edges that each value is in, from 1, as text."""
    import numpy as np

    return (np.searchsorted(np.asarray(edges), values, side="right") + 1).astype(str).astype(object)


def texts(values: "pd.Series") -> "np.ndarray":
    """A column's values as the names of segments; whole numbers read alike whether or not other cells are empty."""
    known = values.dropna()
    if known.dtype.kind == "f" and known.mod(1).eq(0).all():
        known = known.astype("int64")
    return known.astype(str).astype(object).reindex(values.index, fill_value=MISSING).to_numpy(dtype=object)


def _scores(declared: "IntervalsSpec", predictions: "Predictions", truth: "np.ndarray") -> "np.ndarray":
    import numpy as np

    if not predictions.classes:
        return _finite(np.abs(truth - predictions.values))
    position = {label: index for index, label in enumerate(predictions.classes)}
    unknown = set(truth.tolist()) - position.keys()
    if unknown:
        raise NotEvaluated(f"the model knows no class {one_of(unknown)}, which validation rows are of")
    columns = np.array([position[label] for label in truth.tolist()], dtype=np.intp)
    return calibration_scores(_probabilities(predictions), columns, declared.sets)


def _finite(scores: "np.ndarray") -> "np.ndarray":
    import numpy as np

    if not np.isfinite(scores).all():
        raise NotEvaluated("a target or prediction of the validation rows is not a finite number")
    return scores


def _probabilities(predictions: "Predictions") -> "np.ndarray":
    if predictions.probabilities is None:
        raise NotEvaluated("the model gives no probabilities")
    return predictions.probabilities


def _segments(
    by: str, predictions: "Predictions", truth: "np.ndarray", column: "pd.Series | None", edges: list[float]
) -> "np.ndarray | list[str] | None":
    if by == NONE:
        return None
    if by == PREDICTION:
        return [str(label) for label in truth.tolist()] if predictions.classes else part_of(predictions.values, edges)
    if column is None:
        raise NotEvaluated(f"intervals by {by!r}, which the rows do not carry. {REMEDY}")
    return texts(column)


def _own(
    declared: "IntervalsSpec", scores: "np.ndarray", segments: "np.ndarray | list[str] | None"
) -> list[OwnThreshold]:
    if segments is None:
        return []
    rows, limits = Counter(segments), mondrian_thresholds(scores, segments, declared.coverage)
    return [
        OwnThreshold(segment=segment, rows=rows[segment], threshold=limit)
        for segment, limit in sorted(limits.items())
        if limit is not None
    ]
