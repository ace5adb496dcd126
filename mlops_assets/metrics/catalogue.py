"""The one table of metrics: all that is known of each without computing it, and where it is computed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Literal

from mlops_assets.declaration.base import Task

if TYPE_CHECKING:
    import numpy as np


IntervalMethod = Literal["share", "mean share", "area", "bounded", "studentized", "percentile"]
"""``share``: exact, of rows that are right or wrong; ``mean share``: of such shares by class; ``area``: DeLong's;
``bounded``: of a metric between known bounds; ``studentized``: of a function of means; ``percentile``: of a median."""


@dataclass(frozen=True)
class Metric:
    """One metric. Its formula is the function of its name in the module of its family."""

    name: str
    title: str
    task: Task
    family: Literal["label_metrics", "ranking", "losses"]
    """Module of ``mlops_assets.metrics`` that holds the formula and says what it is a function of."""
    needs: Literal["labels", "probabilities", "values"]
    """Predicted labels, predicted probabilities, or predicted values."""
    greater_is_better: bool
    over: Literal["rows", "classes", "positive"] = "rows"
    """What counts alike: every row, every class, or the rows of one positive class."""
    undefined_from: tuple[str, float] | None = None
    """A term of the formula, and the target or prediction at and below which it is undefined."""
    interval: IntervalMethod = "bounded"
    """How its interval is made."""

    @cached_property
    def formula(self) -> "Callable[..., np.ndarray]":
        """What computes it, imported when first asked for: loading a declaration imports no numpy."""
        return resolve_name(f"{__package__}.{self.family}:{self.name}")


def _label(
    name: str,
    title: str,
    over: Literal["rows", "classes", "positive"] = "classes",
    interval: IntervalMethod = "bounded",
) -> Metric:
    return Metric(name, title, "classification", "label_metrics", "labels", True, over, interval=interval)


def _ranking(name: str, title: str, interval: IntervalMethod = "bounded") -> Metric:
    return Metric(name, title, "classification", "ranking", "probabilities", True, "classes", interval=interval)


def _scoring_rule(name: str, title: str) -> Metric:
    return Metric(name, title, "classification", "losses", "probabilities", False, interval="studentized")


def _regression(
    name: str,
    title: str,
    greater: bool = False,
    undefined_from: tuple[str, float] | None = None,
    interval: IntervalMethod = "studentized",
) -> Metric:
    return Metric(
        name, title, "regression", "losses", "values", greater, undefined_from=undefined_from, interval=interval
    )


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _label("accuracy", "Accuracy", "rows", "share"),
        _label("balanced_accuracy", "Balanced accuracy", interval="mean share"),
        _label("f1", "F1 of the positive class", "positive"),
        _label("f2", "F2 of the positive class: recall counts twice as much", "positive"),
        _label("f0_5", "F0.5 of the positive class: precision counts twice as much", "positive"),
        _label("f1_macro", "F1, mean over classes"),
        _label("f1_weighted", "F1, weighted by class size", "rows"),
        _label("precision", "Precision of the positive class", "positive", "share"),
        _label("precision_macro", "Precision, mean over classes"),
        _label("precision_weighted", "Precision, weighted by class size", "rows"),
        _label("recall", "Recall of the positive class", "positive", "share"),
        _label("recall_macro", "Recall, mean over classes", interval="mean share"),
        _label("recall_weighted", "Recall, weighted by class size", "rows", "share"),
        _label("matthews_corrcoef", "Matthews correlation"),
        _ranking("roc_auc", "Area under the ROC curve", "area"),
        _ranking("average_precision", "Average precision"),
        _scoring_rule("log_loss", "Log loss"),
        _scoring_rule("brier_score", "Brier score"),
        _regression("r2", "R²", greater=True),
        _regression("mean_absolute_error", "Mean absolute error"),
        _regression("root_mean_squared_error", "Root mean squared error"),
        _regression("mean_absolute_percentage_error", "Mean absolute percentage error"),
        _regression("median_absolute_error", "Median absolute error", interval="percentile"),
        _regression("root_mean_squared_log_error", "Root mean squared log error", undefined_from=("log(1 + x)", -1)),
        _regression("mean_absolute_error_relative", "Mean absolute error / median target", interval="percentile"),
    )
}


BINARY_ONLY = frozenset(name for name, metric in METRICS.items() if metric.over == "positive")
"""Metrics of one positive class; they need ``evaluation.positive`` or a boolean / 0-1 target."""


PRIMARY: dict[Task, str] = {"classification": "accuracy", "regression": "mean_absolute_error"}


def primary_metric(task: Task, declared: str | None = None) -> str:
    """The metric by which models are compared: the declared one, else that of the task."""
    return declared or PRIMARY[task]


def metrics_of(task: Task) -> list[str]:
    """Names of the metrics that make sense for ``task``."""
    return [name for name, metric in METRICS.items() if metric.task == task]
