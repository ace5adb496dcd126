"""Assessment: from test rows and predictions to the report."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops_assets.evaluation import gate_history, linear_baseline
from mlops_assets.evaluation.diagnoses import preparation
from mlops_assets.evaluation.diagnoses.importance import Shuffling, permutation_importance
from mlops_assets.evaluation.diagnosis import Diagnosis, Subject
from mlops_assets.evaluation.examination import examine, needed
from mlops_assets.evaluation.gate_evidence import Evidence, gather_evidence
from mlops_assets.evaluation.gate_history import Predecessor
from mlops_assets.evaluation.gates import judge
from mlops_assets.evaluation.gates_elsewhere import looser_than_elsewhere
from mlops_assets.evaluation.report.plot_data import (
    class_table,
    confusion_matrix,
    error_bands,
    precision_recall_curves,
    roc_curves,
    sampled_points,
)
from mlops_assets.evaluation.report.report import MetricReport, Report
from mlops_assets.evaluation.terms import declared_terms
from mlops_assets.features.table import Parts
from mlops_assets.metrics.bootstrap import Bootstrap
from mlops_assets.metrics.catalogue import METRICS
from mlops_assets.metrics.estimate import Estimate
from mlops_assets.metrics.outcomes import Outcomes, Predictions
from mlops_assets.model.fitted_model import FittedModel
from mlops_assets.model.prediction import predict
from mlops_assets.model.threshold import DecisionThreshold
from mlops_assets.verdict import Verdict

if TYPE_CHECKING:
    from mlops_assets.declaration.spec import SystemSpec
    from mlops_assets.features.version import FeaturesVersion


def subject_of(spec: "SystemSpec", features: "FeaturesVersion", parts: Parts, model: FittedModel) -> Subject:
    """The model with the rows it is judged on."""
    return Subject(
        spec,
        features,
        model.pipeline,
        parts.test,
        parts.validation,
        predict(model.pipeline, parts.test.loc[:, features.names]),
        bootstrap=declared_bootstrap(spec),
        train=parts.train,
        intervals=model.intervals,
        intervals_note=model.intervals_note or Subject.intervals_note,
        model_digest=model.digest,
        intervals_digest=model.intervals_digest,
    )


def declared_bootstrap(spec: "SystemSpec") -> Bootstrap:
    """The resampling behind every interval of the system's reports."""
    return Bootstrap(spec.evaluation.resamples, spec.evaluation.confidence, spec.model.seed)


def assess(
    subject: Subject,
    baselines: Mapping[str, Predictions],
    decision: DecisionThreshold | None = None,
    predecessors: Sequence[Predecessor] = (),
) -> Report:
    """Everything about one model on its test rows; equal inputs give a report with an equal digest.

    Where the subject has train rows, the platform's own gate on the preparation stands behind the declared ones.
    ``decision`` is the threshold that its pipeline decides by; ``predecessors`` are the champions whose bounds the
    present ones are held against.

    Raises:
        NotEvaluated: if predictions and rows do not match, or a target or prediction is not a number.
    """
    from threadpoolctl import threadpool_limits

    # The order of a sum, and so its last digits, would follow the number of threads.
    with threadpool_limits(limits=1, user_api="blas"):
        report = _report(subject, gather_evidence(subject, baselines), decision, predecessors)
    # What is in memory is what is stored: rounded as the JSON is.
    return Report.model_validate_json(report.to_json())


def _report(
    subject: Subject, evidence: Evidence, decision: DecisionThreshold | None, predecessors: Sequence[Predecessor]
) -> Report:
    spec, features, bootstrap = subject.spec, subject.features, subject.bootstrap
    terms = declared_terms(spec)
    diagnoses = examine(needed(spec.evaluation, spec.task, with_train=subject.train is not None), subject)
    return Report(
        system=spec.name,
        description=spec.description,
        task=spec.task,
        target=features.target,
        positive=_positive(evidence.outcomes),
        decision=decision.sentence if decision else "",
        model_digest=subject.model_digest,
        intervals_digest=subject.intervals_digest,
        features_digest=features.digest,
        dataset_digest=features.dataset_digest,
        estimator=spec.model.estimator or "",
        rows={str(part): count for part, count in features.rows.items()},
        test_rows=len(subject.test),
        group=features.group,
        primary=spec.primary_metric,
        confidence=bootstrap.confidence,
        resamples=bootstrap.resamples,
        seed=spec.model.seed,
        metrics=_metrics(evidence),
        gates=[
            *(judge(gate, evidence, diagnoses) for gate in spec.evaluation.gates),
            *_own_gates(subject, diagnoses),
            linear_baseline.verdict(evidence, spec.primary_metric),
            gate_history.verdict(spec.evaluation.gates, terms, predecessors),
        ],
        terms=terms,
        bounds=gate_history.changed_demands(spec.evaluation.gates, terms, predecessors),
        elsewhere=looser_than_elsewhere(spec),
        importance=permutation_importance(
            subject.pipeline, subject.inputs, evidence.outcomes, spec.primary_metric, Shuffling(spec.model.seed)
        ),
        diagnoses=diagnoses,
        notes=_notes(evidence),
        **_diagrams(evidence.outcomes, spec.model.seed),
    )


def _metrics(evidence: Evidence) -> list[MetricReport]:
    beside = evidence.baseline_estimates()
    return [
        _metric(estimate, {baseline: estimates[name] for baseline, estimates in beside.items()})
        for name, estimate in evidence.estimates.items()
    ]


def _metric(estimate: Estimate, baselines: dict[str, Estimate]) -> MetricReport:
    info = METRICS[estimate.name]
    return MetricReport(
        **dict(estimate), title=info.title, greater_is_better=info.greater_is_better, baselines=baselines
    )


def _own_gates(subject: Subject, diagnoses: list[Diagnosis]) -> list[Verdict]:
    """Gates that every report has, whatever is declared."""
    if subject.train is None:
        return []
    return [preparation.verdict(diagnosis) for diagnosis in diagnoses if diagnosis.name == preparation.INFO.name]


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
    return [
        f"Intervals are made to cover {bootstrap.confidence:.0%}, each by the method that suits its metric; where that "
        f"draws, it draws {evidence.drawn} with replacement, {bootstrap.resamples:,} times (seed {bootstrap.seed}).",
        *(f"{', '.join(names)}: {note}." for note, names in _by_note(evidence).items()),
    ]


def _by_note(evidence: Evidence) -> dict[str, list[str]]:
    notes: dict[str, list[str]] = {}
    for estimate in evidence.estimates.values():
        if estimate.note:
            notes.setdefault(estimate.note, []).append(METRICS[estimate.name].title)
    return notes
