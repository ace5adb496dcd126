"""Report: everything that was found out about one model on one features version; equal inputs give equal reports."""

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict

from mlops_assets.declaration.base import Task
from mlops_assets.evaluation.diagnoses.importance import Importance
from mlops_assets.evaluation.diagnosis import Diagnosis
from mlops_assets.evaluation.gate_history import ChangedBound
from mlops_assets.evaluation.gates_elsewhere import LooserThanElsewhere
from mlops_assets.evaluation.report.plot_data import Band, ClassLabel, ClassRow, Curve
from mlops_assets.metrics.estimate import Estimate
from mlops_assets.verdict import Outcome, Verdict

SIGNIFICANT_DIGITS = 10
"""Digits kept of every number: beyond them the order of a sum shows, which differs between machines."""
FORMAT = 3
"""Of the stored JSON; report_format.py reads the earlier ones."""


class MetricReport(Estimate):
    """A metric of the model, with that of each baseline on the same rows."""

    title: str
    greater_is_better: bool
    baselines: dict[str, Estimate] = {}
    """By name of the baseline: ``simple`` (the constant of the train rows that is best for the metric), ``linear``."""


class Report(BaseModel):
    """Bound to exactly one model and one features version; holds no path, and no clock but in diagnoses of time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    system: str
    description: str = ""
    task: Task
    target: str
    positive: ClassLabel | None = None
    """The positive class, where there are two."""
    decision: str = ""
    """From which probability on a row is called positive, where validation rows decided that."""
    model_digest: str
    intervals_digest: str | None = None
    """Of the prediction intervals that were examined with the model."""
    features_digest: str
    dataset_digest: str
    estimator: str = ""
    rows: dict[str, int]
    """Rows per part of the split."""
    test_rows: int
    group: str | None = None
    """Column by which rows were resampled."""
    primary: str
    """The metric that comparisons use."""
    confidence: float
    resamples: int
    seed: int
    metrics: list[MetricReport]
    gates: list[Verdict]
    classes: list[ClassLabel] = []
    confusion: list[list[int]] = []
    """Test rows by true class (outer) and predicted class (inner), in the order of ``classes``."""
    per_class: list[ClassRow] = []
    importance: Importance
    roc: list[Curve] = []
    precision_recall: list[Curve] = []
    points: list[tuple[float, float]] = []
    """(truth, prediction) of at most 2,000 test rows, for regression."""
    bands: list[Band] = []
    diagnoses: list[Diagnosis] = []
    """Closer looks, each with numbers that gates can name."""
    terms: dict[str, Any] = {}
    """What the verdicts depend on beside model and rows, as it was declared; terms.py says what."""
    bounds: list[ChangedBound] = []
    """Gates that asked earlier champions for something else."""
    elsewhere: list[LooserThanElsewhere] = []
    """Gates that ask for less here than the declaration does in another environment."""
    notes: list[str] = []

    @property
    def metric_values(self) -> dict[str, float]:
        """Every metric that was evaluated."""
        return {metric.name: metric.value for metric in self.metrics if metric.value is not None}

    @property
    def outcome(self) -> Outcome:
        """The verdict of all blocking gates together."""
        blocking = {verdict.outcome for verdict in self.gates if verdict.blocks}
        if "failed" in blocking:
            return "failed"
        return "not evaluated" if blocking else "passed"

    @property
    def digest(self) -> str:
        """SHA-256 of ``to_json()``, for the moment of writing; a stored report has the digest of its stored bytes."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, ten significant digits, None for what was not evaluated.

        Raises:
            ValueError: if a number is not finite; such a value should have been "not evaluated".
        """
        body = _rounded(self.model_dump(mode="json")) | {"terms": self.terms}  # declared to the last digit
        return json.dumps(body, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)

    @property
    def baselines(self) -> list[str]:
        """Names of the baselines, the simplest first."""
        names = {name for metric in self.metrics for name in metric.baselines}
        return sorted(names, key=lambda name: ("simple", "linear", name).index(name))

    def measured(self, name: str) -> float | None:
        """The value of ``<diagnosis>.<measure>``, or None where the report has none."""
        values = (
            measure.value
            for diagnosis in self.diagnoses
            for measure in diagnosis.measures
            if f"{diagnosis.name}.{measure.name}" == name
        )
        return next(values, None)

    def metric(self, name: str) -> MetricReport | None:
        """The named metric, where it applies to the task."""
        return next((metric for metric in self.metrics if metric.name == name), None)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value
