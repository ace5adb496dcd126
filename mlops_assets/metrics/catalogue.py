"""The one table of metrics: name, task, direction and what it is computed from."""

from dataclasses import dataclass
from typing import Literal

from mlops_assets.declaration.base import Task


@dataclass(frozen=True)
class MetricInfo:
    """What must be known of a metric without computing it."""

    task: Task
    greater_is_better: bool
    needs: Literal["labels", "probabilities", "values"]
    """Predicted labels, predicted probabilities, or predicted values."""
    title: str


def _classification(
    title: str, needs: Literal["labels", "probabilities"] = "labels", greater: bool = True
) -> MetricInfo:
    return MetricInfo("classification", greater, needs, title)


def _regression(title: str, greater: bool = False) -> MetricInfo:
    return MetricInfo("regression", greater, "values", title)


METRICS: dict[str, MetricInfo] = {
    "accuracy": _classification("Accuracy"),
    "balanced_accuracy": _classification("Balanced accuracy"),
    "f1": _classification("F1 of the positive class"),
    "f2": _classification("F2 of the positive class: recall counts twice as much"),
    "f0_5": _classification("F0.5 of the positive class: precision counts twice as much"),
    "f1_macro": _classification("F1, mean over classes"),
    "f1_weighted": _classification("F1, weighted by class size"),
    "precision": _classification("Precision of the positive class"),
    "precision_macro": _classification("Precision, mean over classes"),
    "recall": _classification("Recall of the positive class"),
    "recall_macro": _classification("Recall, mean over classes"),
    "matthews_corrcoef": _classification("Matthews correlation"),
    "roc_auc": _classification("Area under the ROC curve", "probabilities"),
    "average_precision": _classification("Average precision", "probabilities"),
    "log_loss": _classification("Log loss", "probabilities", greater=False),
    "brier_score": _classification("Brier score", "probabilities", greater=False),
    "r2": _regression("R²", greater=True),
    "mean_absolute_error": _regression("Mean absolute error"),
    "root_mean_squared_error": _regression("Root mean squared error"),
    "mean_absolute_percentage_error": _regression("Mean absolute percentage error"),
    "median_absolute_error": _regression("Median absolute error"),
    "root_mean_squared_log_error": _regression("Root mean squared log error"),
    "mean_absolute_error_relative": _regression("Mean absolute error / median target"),
}


BINARY_ONLY = frozenset({"f1", "f2", "f0_5", "precision", "recall"})
"""Metrics of one positive class; they need ``evaluation.positive`` or a boolean / 0-1 target."""


PRIMARY: dict[Task, str] = {"classification": "accuracy", "regression": "mean_absolute_error"}


def primary_metric(task: Task, declared: str | None = None) -> str:
    """The metric by which models are compared: the declared one, else that of the task."""
    return declared or PRIMARY[task]


def metrics_of(task: Task) -> list[str]:
    """Names of the metrics that make sense for ``task``."""
    return [name for name, info in METRICS.items() if info.task == task]
