"""The one table of metrics: name, task, direction and what it is computed from."""

from dataclasses import dataclass

from mlops_assets.declaration.base import Task


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
    "efficiency": DiagnosisInfo(
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
        *("efficiency.throughput_10", "efficiency.throughput_100", "efficiency.throughput_1000"),
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
