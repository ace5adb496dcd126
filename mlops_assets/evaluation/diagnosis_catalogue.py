"""The one table of diagnoses: a record each, with title, tasks, measures and where its code lies.

It is read while loading, so it imports none of that code. A new diagnosis is one record here and one module that
``examine`` points at; everything else that names diagnoses or measures reads this table.
"""

from mlops_assets.declaration.base import Task
from mlops_assets.evaluation.diagnosis_info import Better, DiagnosisInfo, MeasureInfo

PREPARATION_CHECK = "preparation_from_train"
LINEAR_CHECK = "not_worse_than_linear"
"""The platform's own gate, on what ``preparation`` finds; no declaration adds or removes it."""
PERTURBATION_LEVELS = (1, 5, 10, 20)
"""Per cent of noise or of empty cells that ``robustness`` measures."""

_ROOM = "mlops_assets.evaluation.diagnoses"
_PLOTS = "mlops_assets.evaluation.report.plots"
_BOTH: frozenset[Task] = frozenset({"classification", "regression"})
_CLASSIFICATION: frozenset[Task] = frozenset({"classification"})
_REGRESSION: frozenset[Task] = frozenset({"regression"})

_RECORDS = (
    DiagnosisInfo(
        name="preparation",
        title="Preparation",
        tasks=_BOTH,
        measures={
            "foreign_rows_effect": MeasureInfo(
                "Largest change of a prepared test value, in SD of its column, when the preparation is fitted on the "
                "train rows alone; 0 where it saw no other row"
            )
        },
        examine=f"{_ROOM}.preparation.examine",
        required=True,
    ),
    DiagnosisInfo(
        name="residuals",
        title="Residuals",
        tasks=_REGRESSION,
        measures={
            "bias": MeasureInfo("Size of the mean error, in SD of the target (lower is better)", "neither"),
            "largest_segment_bias": MeasureInfo(
                "Largest size of a mean error in a tenth of the predictions, in SD of the target"
            ),
            "heteroscedasticity_effect": MeasureInfo(
                "Share of the squared errors' variance that prediction and numeric features explain, 0 to 1"
            ),
            "autocorrelation_effect": MeasureInfo("Distance of the Durbin-Watson statistic from 2, in time order"),
            "abs_skew": MeasureInfo("Size of the errors' skew"),
            "excess_kurtosis": MeasureInfo(
                "Kurtosis of the errors beyond that of a normal distribution (lower is better)", "neither"
            ),
        },
        examine=f"{_ROOM}.residuals.examine",
        plots=f"{_PLOTS}.residual_plots.residual_plots",
    ),
    DiagnosisInfo(
        name="robustness",
        title="Robustness",
        tasks=_BOTH,
        measures={
            **{
                f"noise_{level}": MeasureInfo(
                    f"Relative loss of the primary metric under noise of {level} % of each numeric column's SD"
                )
                for level in PERTURBATION_LEVELS
            },
            **{
                f"missing_{level}": MeasureInfo(
                    f"Relative loss of the primary metric with {level} % of the cells empty"
                )
                for level in PERTURBATION_LEVELS
            },
            "unseen_category": MeasureInfo(
                "Relative loss of the primary metric with an unseen category in every categorical column"
            ),
            "extreme_values": MeasureInfo(
                "Share of rows with an absurd prediction once a numeric column lies 10 times its range away"
            ),
            "column_order": MeasureInfo("Share of rows whose prediction changes with the order of the columns"),
            "row_order": MeasureInfo("Share of rows whose prediction changes with the order of the rows"),
            "batch_size": MeasureInfo("Share of rows whose prediction changes with the size of the batch"),
        },
        examine=f"{_ROOM}.robustness.examine",
        plots=f"{_PLOTS}.robustness_plots.robustness_plots",
    ),
    DiagnosisInfo(
        name="calibration",
        title="Calibration",
        tasks=_CLASSIFICATION,
        measures={
            "ece": MeasureInfo("Expected calibration error, 0 to 1"),
            "ece_excess": MeasureInfo("Calibration error above the 95th percentile of what chance shows, 0 to 1"),
            "ece_null_p": MeasureInfo(
                "Chance of such a calibration error if every probability were right, 0 to 1 (higher is better)",
                "neither",
            ),
            "brier_reliability": MeasureInfo("Brier score's part that is due to miscalibration, 0 to 1"),
            "brier_resolution": MeasureInfo("Brier score's part that telling rows apart saves, 0 to 0.25", "higher"),
            "brier_uncertainty": MeasureInfo(
                "Brier score of always stating the base rate, 0 to 0.25 (given by the rows)", "neither"
            ),
            "temperature": MeasureInfo(
                "Divisor of the logits that fits the validation rows: 1 is right, above 1 is overconfident", "neither"
            ),
        },
        examine=f"{_ROOM}.calibration.examine",
        plots=f"{_PLOTS}.reliability_plots.reliability_plots",
    ),
    DiagnosisInfo(
        name="conformal",
        title="Prediction intervals",
        tasks=_BOTH,
        measures={
            "coverage": MeasureInfo("Share of test rows within their interval or label set, 0 to 1", "higher"),
            "coverage_gap": MeasureInfo("Stated coverage minus that of the least covered segment, 0 to 1"),
            "mean_width": MeasureInfo("Mean width of the intervals, in SD of the target"),
            "mean_set_size": MeasureInfo("Mean number of labels in a set"),
        },
        examine=f"{_ROOM}.conformal.examine",
        plots=f"{_ROOM}.conformal.plots",
    ),
    DiagnosisInfo(
        name="consistency",
        title="Consistency",
        tasks=_BOTH,
        measures={
            "repeat_calls": MeasureInfo("Share of rows whose prediction differs between equal calls, 0 to 1"),
            "monotone_violations": MeasureInfo("Largest share of steps against a declared direction, 0 to 1"),
        },
        examine=f"{_ROOM}.consistency.examine",
        plots=f"{_ROOM}.consistency.plots",
    ),
    DiagnosisInfo(
        name="slices",
        title="Slices",
        tasks=_BOTH,
        measures={
            "worst_gap": MeasureInfo(
                "Largest significant excess of a slice's error rate over the rest, or of its absolute error in "
                "multiples of the overall mean"
            ),
            "slices_examined": MeasureInfo(
                "Number of slices that were compared with the rest (higher is more closely looked at)", "neither"
            ),
        },
        examine=f"{_ROOM}.slices.examine",
        plots=f"{_ROOM}.slices.plots",
    ),
    DiagnosisInfo(
        name="fairness",
        title="Fairness",
        tasks=_BOTH,
        measures={
            "demographic_parity_difference": MeasureInfo(
                "Largest difference in selection rate between groups", task="classification"
            ),
            "equalized_odds_difference": MeasureInfo(
                "Largest difference in true or false positive rate", task="classification"
            ),
            "equal_opportunity_difference": MeasureInfo(
                "Largest difference in true positive rate", task="classification"
            ),
            "demographic_parity_ratio": MeasureInfo(
                "Smallest ratio of two groups' selection rates", "higher", task="classification"
            ),
            "mean_error_difference": MeasureInfo(
                "Largest difference in mean error between groups, in SD of the target", task="regression"
            ),
            "absolute_error_ratio": MeasureInfo(
                "Largest ratio of two groups' mean absolute errors, 1 where they are equal", task="regression"
            ),
            "coverage_difference": MeasureInfo(
                "Largest difference in coverage of the prediction intervals between groups", task="regression"
            ),
        },
        examine=f"{_ROOM}.fairness.examine",
        plots=f"{_ROOM}.fairness.plots",
        standard=False,
    ),
    DiagnosisInfo(
        name="labels",
        title="Label quality",
        tasks=_CLASSIFICATION,
        measures={
            "suspect_share": MeasureInfo("Share of rows whose label confident learning disputes"),
            "conflict_share": MeasureInfo("Share of rows that equal a differently labelled row in every feature"),
        },
        examine=f"{_ROOM}.labels.examine",
    ),
    DiagnosisInfo(
        name="efficiency",
        title="Serving fitness",
        tasks=_BOTH,
        measures={
            "latency_p50_ms": MeasureInfo("Median time of one prediction in milliseconds, of the fastest round"),
            "latency_p95_ms": MeasureInfo(
                "Time in milliseconds that 95 % of single predictions keep, of the fastest round"
            ),
            "latency_p99_ms": MeasureInfo("Time in milliseconds that 99 % of single predictions keep"),
            "throughput_10": MeasureInfo("Rows a second, predicted 10 at a time", "higher"),
            "throughput_100": MeasureInfo("Rows a second, predicted 100 at a time", "higher"),
            "throughput_1000": MeasureInfo("Rows a second, predicted 1,000 at a time", "higher"),
            "artefact_mb": MeasureInfo("Size of the artefact's file in megabytes"),
            "load_ms": MeasureInfo("Median time in milliseconds to load the artefact, libraries imported"),
            "peak_memory_mb": MeasureInfo(
                "Most megabytes that a fresh process holds while it loads the artefact and predicts up to 1,000 rows, "
                "interpreter and libraries included"
            ),
        },
        examine=f"{_ROOM}.efficiency.examine",
        plots=f"{_ROOM}.efficiency.plots",
        standard=False,
        timed=True,
    ),
)

DIAGNOSES: dict[str, DiagnosisInfo] = {info.name: info for info in _RECORDS}
"""Diagnoses by name, in the order of the report."""


def diagnoses_of(task: Task) -> list[str]:
    """Names of the diagnoses that make sense for ``task``."""
    return [name for name, info in DIAGNOSES.items() if task in info.tasks]


def measures_of(task: Task) -> list[str]:
    """What a gate on a ``measure`` may name."""
    return [f"{name}.{measure}" for name in diagnoses_of(task) for measure in DIAGNOSES[name].for_task(task).measures]


def better_of(measure: str) -> Better | None:
    """The direction of ``<diagnosis>.<measure>``, or None where there is no such measure."""
    diagnosis, _, name = measure.partition(".")
    info = DIAGNOSES[diagnosis].measures.get(name) if diagnosis in DIAGNOSES else None
    return info.better if info else None
