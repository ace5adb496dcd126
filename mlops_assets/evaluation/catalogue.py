"""The one table of metrics: name, task, direction and what it is computed from."""

from dataclasses import dataclass
from typing import Literal

from mlops_assets.declared import Task


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


def metrics_of(task: Task) -> list[str]:
    """Names of the metrics that make sense for ``task``."""
    return [name for name, info in METRICS.items() if info.task == task]


@dataclass(frozen=True)
class DiagnosisInfo:
    """What must be known of a diagnosis without importing it."""

    tasks: frozenset[Task]
    measures: tuple[str, ...]
    """What gates name as ``<diagnosis>.<measure>``."""
    standard: bool = True
    """Part of every report of its tasks; otherwise only where declared or named by a gate."""
    required: bool = False
    """Part of every report that knows the train rows, whatever is declared: the platform's own gate rests on it."""


PREPARATION_CHECK = "preparation_from_train"
"""The platform's own gate, on what ``preparation`` finds; no declaration adds or removes it."""

_BOTH: frozenset[Task] = frozenset({"classification", "regression"})
_CLASSIFICATION: frozenset[Task] = frozenset({"classification"})
_REGRESSION: frozenset[Task] = frozenset({"regression"})

DIAGNOSES: dict[str, DiagnosisInfo] = {
    "preparation": DiagnosisInfo(_BOTH, ("foreign_rows_effect",), required=True),
    "residuals": DiagnosisInfo(
        _REGRESSION,
        (
            *("bias", "largest_segment_bias", "heteroscedasticity_effect"),
            *("autocorrelation_effect", "abs_skew", "excess_kurtosis"),
        ),
    ),
    "robustness": DiagnosisInfo(
        _BOTH,
        (
            *("noise_1", "noise_5", "noise_10", "noise_20"),
            *("missing_1", "missing_5", "missing_10", "missing_20"),
            *("unseen_category", "extreme_values", "column_order", "row_order", "batch_size"),
        ),
    ),
    "calibration": DiagnosisInfo(
        _CLASSIFICATION,
        (
            *("ece", "ece_excess", "ece_null_p", "temperature"),
            *("brier_reliability", "brier_resolution", "brier_uncertainty"),
        ),
    ),
    "conformal": DiagnosisInfo(_BOTH, ("coverage", "coverage_gap", "mean_width", "mean_set_size")),
    "consistency": DiagnosisInfo(_BOTH, ("repeat_calls", "monotone_violations")),
    "slices": DiagnosisInfo(_BOTH, ("worst_gap", "slices_examined")),
    "fairness": DiagnosisInfo(
        _CLASSIFICATION,
        (
            *("demographic_parity_difference", "demographic_parity_ratio"),
            *("equalized_odds_difference", "equal_opportunity_difference"),
        ),
        standard=False,
    ),
    "labels": DiagnosisInfo(_CLASSIFICATION, ("suspect_share", "conflict_share")),
    "serving": DiagnosisInfo(
        _BOTH,
        (
            *("latency_p50_ms", "latency_p95_ms", "latency_p99_ms"),
            *("throughput_10", "throughput_100", "throughput_1000"),
            *("artefact_mb", "load_ms", "peak_memory_mb"),
        ),
        standard=False,
    ),
}
"""Diagnoses by name; each is a module beside this one."""

GREATER_IS_BETTER = frozenset(
    {
        *("calibration.brier_resolution", "conformal.coverage", "fairness.demographic_parity_ratio"),
        *("serving.throughput_10", "serving.throughput_100", "serving.throughput_1000"),
    }
)
"""Measures that are better when higher; of the others, all but those without a side are better when lower."""
UNDIRECTED = frozenset(
    {
        *("residuals.bias", "residuals.excess_kurtosis", "calibration.temperature", "calibration.ece_null_p"),
        *("calibration.brier_uncertainty", "slices.slices_examined"),
    }
)
"""Measures of which neither more nor less is better: two models cannot be ranked by them."""


def diagnoses_of(task: Task) -> list[str]:
    """Names of the diagnoses that make sense for ``task``."""
    return [name for name, info in DIAGNOSES.items() if task in info.tasks]


def measures_of(task: Task) -> list[str]:
    """What a gate on a ``measure`` may name."""
    return [f"{name}.{measure}" for name in diagnoses_of(task) for measure in DIAGNOSES[name].measures]
