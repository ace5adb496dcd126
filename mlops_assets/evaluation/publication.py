"""Publication: a report, its page and the predictions behind it, logged with MLflow."""

from pathlib import Path

from mlops_assets.evaluation.diagnosis import Subject
from mlops_assets.evaluation.report.html import render
from mlops_assets.evaluation.report.report import Report
from mlops_assets.evaluation.stored_predictions import to_frame, write_predictions
from mlops_assets.evaluation.version import EvaluationReport, MetricSummary
from mlops_assets.model.version import ModelVersion
from mlops_assets.resources.mlflow_run import MlflowRun

PLACE = "evaluation"
"""Folder among the artefacts of the run."""


def publish_report(
    report: Report, subject: Subject, model: ModelVersion, run: MlflowRun, folder: Path
) -> EvaluationReport:
    """Log everything with the MLflow run and return the record that says where it lies."""
    digest = write_predictions(to_frame(subject.test, subject.predictions), folder / "predictions.parquet")
    (folder / "report.json").write_text(report.to_json(), encoding="utf-8")
    (folder / "report.html").write_text(render(report), encoding="utf-8")
    run.log_files([folder / name for name in ("predictions.parquet", "report.json", "report.html")], PLACE)
    run.log_metrics(report.metric_values, model.uri, model.mlflow_run_id)
    base = f"runs:/{run.run_id}/{PLACE}"
    return EvaluationReport(
        system=report.system,
        digest=report.digest,
        model_digest=model.digest,
        model_uri=model.uri,
        features_digest=model.features_digest,
        dataset_digest=model.dataset_digest,
        mlflow_run_id=run.run_id,
        report_uri=f"{base}/report.json",
        html_uri=f"{base}/report.html",
        predictions_uri=f"{base}/predictions.parquet",
        predictions_digest=digest,
        rows=len(subject.test),
        metrics=_summaries(report),
        verdicts=report.gates,
        terms=report.terms,
    )


def _summaries(report: Report) -> list[MetricSummary]:
    return [
        MetricSummary(
            name=metric.name,
            value=metric.value,
            interval=metric.interval,
            baselines={name: baseline.value for name, baseline in metric.baselines.items()},
        )
        for metric in report.metrics
    ]
