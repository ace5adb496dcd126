"""Assessment: from test rows and predictions to the report."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from mlops_assets.evaluation import gate_history
from mlops_assets.evaluation.diagnoses import preparation
from mlops_assets.evaluation.diagnoses.importance import Shuffling, permutation_importance
from mlops_assets.evaluation.diagnosis import Diagnosis, Subject
from mlops_assets.evaluation.examination import examine, needed
from mlops_assets.evaluation.gate_evidence import Evidence, gather_evidence
from mlops_assets.evaluation.gate_history import Predecessor
from mlops_assets.evaluation.gates import judge
from mlops_assets.evaluation.report.plot_data import (
    class_table,
    confusion_matrix,
    error_bands,
    precision_recall_curves,
    roc_curves,
    sampled_points,
)
from mlops_assets.evaluation.report.report import MetricReport, Report
from mlops_assets.metrics.bootstrap import Bootstrap
from mlops_assets.metrics.catalogue import METRICS
from mlops_assets.metrics.estimate import Estimate
from mlops_assets.metrics.outcomes import Outcomes, Predictions
from mlops_assets.model.prediction_intervals import Intervals
from mlops_assets.model.threshold import DecisionThreshold
from mlops_assets.verdict import Verdict

if TYPE_CHECKING:
    from mlops_assets.declaration.spec import SystemSpec
    from mlops_assets.features.version import FeaturesVersion


def assess(
    spec: "SystemSpec",
    features: "FeaturesVersion",
    rows: pd.DataFrame,
    predictions: Predictions,
    baselines: Mapping[str, Predictions],
    pipeline: Any,
    model_digest: str,
    validation: pd.DataFrame | None = None,
    train: pd.DataFrame | None = None,
    *,
    intervals: Intervals | None = None,
    intervals_note: str = "",
    decision: DecisionThreshold | None = None,
    predecessors: Sequence[Predecessor] = (),
) -> Report:
    """Everything about one model on the test ``rows``; equal inputs give a report with an equal digest.

    Where the ``train`` rows are given, the platform's own gate on the preparation stands behind the declared ones.
    ``intervals`` are those stored with the model, or ``intervals_note`` says why there are none; ``decision`` is the
    threshold that ``pipeline`` decides by; ``predecessors`` are the champions whose bounds the present ones are held
    against.

    Raises:
        NotEvaluated: if predictions and rows do not match, or a target or prediction is not a number.
    """
    from threadpoolctl import threadpool_limits

    # The order of a sum, and so its last digits, would follow the number of threads.
    with threadpool_limits(limits=1, user_api="blas"):
        evidence = _evidence(spec, features, rows, predictions, baselines)
        primary = spec.primary_metric
        held_out = rows.iloc[:0] if validation is None else validation
        subject = Subject(
            spec,
            features,
            pipeline,
            rows,
            held_out,
            predictions,
            evidence.bootstrap,
            train,
            intervals,
            intervals_note or Subject.intervals_note,
        )
        diagnoses = examine(needed(spec.evaluation, spec.task, with_train=train is not None), subject)
        report = Report(
            system=spec.name,
            description=spec.description,
            task=spec.task,
            target=features.target,
            positive=_positive(evidence.outcomes),
            decision=decision.sentence if decision else "",
            model_digest=model_digest,
            intervals_digest=intervals.digest if intervals else None,
            features_digest=features.digest,
            dataset_digest=features.dataset_digest,
            estimator=spec.model.estimator or "",
            rows={str(part): count for part, count in features.rows.items()},
            test_rows=len(rows),
            group=features.group,
            primary=primary,
            confidence=spec.evaluation.confidence,
            resamples=spec.evaluation.resamples,
            seed=spec.model.seed,
            metrics=_metrics(evidence),
            gates=[
                *(judge(gate, evidence, diagnoses) for gate in spec.evaluation.gates),
                *_own_gates(subject, diagnoses),
                gate_history.verdict(spec.evaluation.gates, predecessors),
            ],
            bounds=gate_history.changed_bounds(spec.evaluation.gates, predecessors),
            importance=permutation_importance(
                pipeline, rows.loc[:, features.names], evidence.outcomes, primary, Shuffling(spec.model.seed)
            ),
            diagnoses=diagnoses,
            notes=_notes(evidence),
            **_diagrams(evidence.outcomes, spec.model.seed),
        )
    # What is in memory is what is stored: rounded as the JSON is.
    return Report.model_validate_json(report.to_json())


def _evidence(
    spec: "SystemSpec",
    features: "FeaturesVersion",
    rows: pd.DataFrame,
    predictions: Predictions,
    baselines: Mapping[str, Predictions],
) -> Evidence:
    return gather_evidence(
        spec.task,
        rows,
        features.target,
        predictions,
        baselines,
        classes=features.classes or (),
        positive=spec.evaluation.positive,
        group=features.group,
        bootstrap=Bootstrap(spec.evaluation.resamples, spec.evaluation.confidence, spec.model.seed),
    )


def _metrics(evidence: Evidence) -> list[MetricReport]:
    beside = {name: evidence.baseline_estimates(name) for name in evidence.baselines}
    return [
        _metric(found, {baseline: estimates[name] for baseline, estimates in beside.items()})
        for name, found in evidence.estimates.items()
    ]


def _metric(found: Estimate, baselines: dict[str, Estimate]) -> MetricReport:
    info = METRICS[found.name]
    return MetricReport(**dict(found), title=info.title, greater_is_better=info.greater_is_better, baselines=baselines)


def _own_gates(subject: Subject, diagnoses: list[Diagnosis]) -> list[Verdict]:
    """Gates that every report has, whatever is declared."""
    if subject.train is None:
        return []
    return [preparation.verdict(one) for one in diagnoses if one.name == preparation.INFO.name]


def _positive(outcomes: Outcomes) -> Any:
    return None if outcomes.positive is None else outcomes.classes[outcomes.positive]


def _diagrams(outcomes: Outcomes, seed: int) -> dict[str, Any]:
    if outcomes.task == "regression":
        return {"points": sampled_points(outcomes, seed), "bands": error_bands(outcomes)}
    return {
        "classes": list(outcomes.classes),
        "confusion": confusion_matrix(outcomes),
        "per_class": class_table(outcomes),
        "roc": roc_curves(outcomes),
        "precision_recall": precision_recall_curves(outcomes),
    }


def _notes(evidence: Evidence) -> list[str]:
    bootstrap = evidence.bootstrap
    drawn = f"groups of equal {evidence.group!r}" if evidence.group else "rows"
    return [
        f"Intervals cover {bootstrap.confidence:.0%}: percentiles over {bootstrap.resamples:,} resamples of the test "
        f"rows, with {drawn} drawn with replacement (seed {bootstrap.seed}).",
        *(f"{', '.join(names)}: {note}." for note, names in _by_note(evidence).items()),
    ]


def _by_note(evidence: Evidence) -> dict[str, list[str]]:
    notes: dict[str, list[str]] = {}
    for found in evidence.estimates.values():
        if found.note:
            notes.setdefault(found.note, []).append(METRICS[found.name].title)
    return notes
