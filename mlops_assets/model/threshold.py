"""The decision threshold: the probability from which a row is called positive, chosen on validation rows."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from mlops_assets.model.recalibration import unfitted, with_last_step

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from sklearn.pipeline import Pipeline

    from mlops_assets.metrics.confusion import ConfusionCounts
    from mlops_assets.model.spec import DecisionCostSpec, ThresholdSpec

USUAL = 0.5
ROUNDING = 1e-12
"""Values that differ by less are equal: they are sums of the same counts in another order."""


class DecisionThreshold(BaseModel):
    """A threshold, and what it reached on the rows it was chosen on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float
    """A row is called positive from this probability on."""
    positive: bool | int | str
    objective: str
    """The metric that was maximised, or the cost per row that was minimised."""
    value: float
    """Of the objective, on the validation rows."""
    usual_value: float | None
    """The same at a threshold of 0.5; None where it is undefined."""
    rows: int
    """Validation rows."""

    @property
    def sentence(self) -> str:
        """The decision in words."""
        usual = "undefined" if self.usual_value is None else f"{self.usual_value:.4g}"
        return (
            f"A row is called {self.positive} from a probability of {self.threshold:.4g} on, chosen on {self.rows:,} "
            f"validation rows: {self.objective} {self.value:.4g} there, {usual} at {USUAL}."
        )


def choose(
    declared: "ThresholdSpec", probabilities: "np.ndarray", truth: "np.ndarray", positive: bool | int | str
) -> DecisionThreshold:
    """The best threshold for these rows; of several the one nearest 0.5, of two equally near the lower.

    ``probabilities`` of the positive class and ``truth`` (whether a row is of it) have shape (n,). Looked at are 0.5
    and a threshold in every gap between neighbouring probabilities, so no threshold from 0 to 1 is better.

    Example:
        >>> import numpy as np
        >>> from mlops_assets.model.spec import ThresholdSpec
        >>> probabilities = np.array([0.1, 0.2, 0.3, 0.35, 0.4, 0.9])
        >>> truth = np.array([False, False, False, True, True, True])
        >>> decision = choose(ThresholdSpec(maximise="f2"), probabilities, truth, positive="ill")
        >>> round(decision.threshold, 3), decision.value, round(decision.usual_value, 3)
        (0.325, 1.0, 0.385)
    """
    import numpy as np

    thresholds = candidates(probabilities)
    values = _objective(declared)(_counts(thresholds, probabilities, truth))
    signed = -values if declared.cost else values
    tied = np.flatnonzero(signed >= np.nanmax(signed) - ROUNDING)
    best = tied[np.argmin(np.abs(thresholds[tied] - USUAL))]
    usual = float(values[np.searchsorted(thresholds, USUAL)])
    return DecisionThreshold(
        threshold=float(thresholds[best]),
        positive=positive,
        objective=declared.name,
        value=float(values[best]),
        usual_value=usual if np.isfinite(usual) else None,
        rows=len(truth),
    )


def candidates(probabilities: "np.ndarray") -> "np.ndarray":
    """Thresholds that decide these rows in every way a threshold can, ascending, in the probabilities' own precision.

    Halfway between neighbours, so that new rows close to an observed one are decided like it.
    """
    import numpy as np

    seen = np.unique(probabilities)
    low = np.append(np.zeros(1, dtype=seen.dtype), seen)
    high = np.append(seen, np.ones(1, dtype=seen.dtype))
    middle = low + (high - low) / 2
    # Between two adjacent numbers there is no middle; then the upper one tells them apart.
    return np.unique(np.append(np.where(middle > low, middle, high), np.asarray(USUAL, dtype=seen.dtype)))


def deciding(
    pipeline: "Pipeline", decision: DecisionThreshold, inputs: "pd.DataFrame", truth: "np.ndarray"
) -> "Pipeline":
    """The fitted pipeline, its ``predict`` ruled by the threshold; probabilities stay as they are."""
    from sklearn.frozen import FrozenEstimator
    from sklearn.model_selection import FixedThresholdClassifier

    fitted = pipeline[-1]
    fixed = FixedThresholdClassifier(
        FrozenEstimator(fitted),
        threshold=decision.threshold,  # pyright: ignore[reportArgumentType]
        pos_label=decision.positive,
        response_method="predict_proba",
    )
    fixed.fit(pipeline[:-1].transform(inputs), truth)  # of something frozen: only looks at the rows
    fixed.estimator = unfitted(fitted)
    return with_last_step(pipeline, fixed)


def _counts(thresholds: "np.ndarray", probabilities: "np.ndarray", truth: "np.ndarray") -> "ConfusionCounts":
    """Counts of the negative and the positive class at every threshold."""
    import numpy as np

    from mlops_assets.metrics.confusion import ConfusionCounts

    called = _reaching(probabilities, thresholds)
    hits = _reaching(probabilities[truth], thresholds)
    positives, rows = int(truth.sum()), len(truth)
    rejected = (rows - positives) - (called - hits)
    return ConfusionCounts(
        hits=np.column_stack([rejected, hits]),
        support=np.broadcast_to(np.array([rows - positives, positives]), (len(thresholds), 2)),
        predicted=np.column_stack([rows - called, called]),
    )


def _reaching(probabilities: "np.ndarray", thresholds: "np.ndarray") -> "np.ndarray":
    import numpy as np

    return len(probabilities) - np.searchsorted(np.sort(probabilities), thresholds, side="left")


def _objective(declared: "ThresholdSpec") -> "Callable[[ConfusionCounts], np.ndarray]":
    from mlops_assets.metrics.label_metrics import label_metric

    cost, metric = declared.cost, declared.maximise or ""
    return (lambda counts: _cost_per_row(cost, counts)) if cost else (lambda counts: label_metric(metric, counts, 1))


def _cost_per_row(cost: "DecisionCostSpec", counts: "ConfusionCounts") -> "np.ndarray":
    missed = counts.support - counts.hits
    return (cost.false_positive * missed[:, 0] + cost.false_negative * missed[:, 1]) / counts.total
