"""The evaluation asset: one report, bound to exactly one model and one features version."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import dagster as dg

from mlops_assets.asset import Metadata, check, check_results, refusals, require, stage_asset, versions
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.evaluation.diagnosis_catalogue import LINEAR_CHECK, PREPARATION_CHECK
from mlops_assets.evaluation.gate_history import CHECK as BOUNDS_CHECK
from mlops_assets.evaluation.gate_history import Judged, Predecessors
from mlops_assets.evaluation.terms import declared_terms
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.model.version import ModelVersion
from mlops_assets.resources.mlflow_run import MlflowRun
from mlops_assets.resources.storage import StorageResource
from mlops_assets.resources.tracking import MlflowTracking

if TYPE_CHECKING:
    from mlops_assets.evaluation.report.report import Report

STAGE = "evaluation"


def evaluation_asset(spec: SystemSpec, predecessors: Predecessors) -> dg.AssetsDefinition:
    """The asset ``[<system>, "evaluation"]``; ``predecessors`` finds the champions before a model."""

    @stage_asset(
        spec,
        STAGE,
        description=f"Report on exactly one model of {spec.name}: every metric with its interval beside the "
        "baselines, and the verdict of every gate.",
        kinds={"mlflow"},
        upstream=["features", "model"],
        checks=_checks(spec),
        parts=("evaluation",),
    )
    def evaluation(
        context: dg.AssetExecutionContext, storage: StorageResource, tracking: MlflowTracking
    ) -> dg.MaterializeResult:
        from mlops_assets.evaluation.assessment import assess, subject_of
        from mlops_assets.evaluation.earlier_report import unless_only_times_differ
        from mlops_assets.evaluation.publication import publish_report
        from mlops_assets.features.table import read_parts
        from mlops_assets.model.fitted_model import FittedModel

        opened = storage.open()
        model = require(opened, ModelVersion, spec.name, f"materialise {spec.name}/model")
        with refusals(), TemporaryDirectory() as folder:
            features = opened.records.get(FeaturesVersion, spec.name, model.features_digest)
            parts = read_parts(opened, features)
            with tracking.asset_run(context, experiment=spec.name) as run:
                fitted = FittedModel.fetched(model, tracking.fetch, Path(folder))
                subject = subject_of(spec, features, parts, fitted)
                baselines = fitted.baseline_predictions(subject.inputs)
                judged = Judged(model.digest, features.digest, declared_terms(spec))
                report = assess(subject, baselines, fitted.decision, predecessors(opened, spec.name, judged))
                newest = opened.records.latest(EvaluationReport, spec.name)
                report = unless_only_times_differ(report, spec.evaluation, newest, tracking.fetch, Path(folder))
                record = publish_report(report, subject, model, MlflowRun(run.info.run_id), Path(folder))
        opened.records.append(record, context.run.run_id)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(record.digest),
            metadata=_metadata(report, record, tracking.run_url(record.mlflow_run_id)),
            check_results=check_results(spec, STAGE, report.gates),
        )

    return evaluation


def _checks(spec: SystemSpec) -> list[dg.AssetCheckSpec]:
    return [
        *(check(spec, STAGE, gate.name, gate.description, gate.severity) for gate in spec.evaluation.gates),
        check(spec, STAGE, PREPARATION_CHECK, "Nothing before the estimator was fitted on other than train rows."),
        check(spec, STAGE, LINEAR_CHECK, "Not significantly worse than a plain linear model.", "warn"),
        check(spec, STAGE, BOUNDS_CHECK, "Nothing asks for less than was asked of the champion.", "warn"),
    ]


def _metadata(report: "Report", record: EvaluationReport, run_url: str) -> Metadata:
    from mlops_assets.evaluation.report.markdown import gates_table, metrics_table, plot_images

    return {
        "dagster/row_count": record.rows,
        **report.metric_values,
        "metrics": dg.MetadataValue.md(metrics_table(report)),
        "gates": dg.MetadataValue.md(gates_table(report)),
        "plots": dg.MetadataValue.md(plot_images(report)),
        "report": dg.MetadataValue.url(run_url),
        "report_html": record.html_uri,
        "digest": record.digest,
        **versions(model=record.model_digest, features=record.features_digest, dataset=record.dataset_digest),
    }
