"""The evaluation asset: one report, bound to exactly one model and one features version."""

import base64
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import dagster as dg

from mlops_assets.asset import check, check_results, refusals, require, stage_asset, versions
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import StorageError
from mlops_assets.evaluation.diagnosis_catalogue import PREPARATION_CHECK
from mlops_assets.evaluation.gate_history import CHECK as BOUNDS_CHECK
from mlops_assets.evaluation.gate_history import Predecessor, Predecessors
from mlops_assets.evaluation.spec import GateSpec
from mlops_assets.evaluation.version import EvaluationReport, MetricSummary
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.model.version import ModelVersion
from mlops_assets.resources.storage import StorageResource
from mlops_assets.resources.tracking import MlflowTracking

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.entities import Run

    from mlops_assets.evaluation.report.report import Report
    from mlops_assets.metrics.outcomes import Predictions

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
        checks=[
            *(check(spec, STAGE, gate.name, _described(gate), gate.severity) for gate in spec.evaluation.gates),
            check(spec, STAGE, PREPARATION_CHECK, "Nothing before the estimator was fitted on other than train rows."),
            check(spec, STAGE, BOUNDS_CHECK, "No gate asks for less than it asked of the champion.", "warn"),
        ],
        parts=("evaluation",),
    )
    def evaluation(
        context: dg.AssetExecutionContext, storage: StorageResource, tracking: MlflowTracking
    ) -> dg.MaterializeResult:
        from mlops_assets.features.table import read_features

        store = storage.open()
        model = require(store, ModelVersion, spec.name, f"materialise {spec.name}/model")
        features = store.records.find(FeaturesVersion, spec.name, model.features_digest)
        with refusals(), TemporaryDirectory() as folder:
            if features is None:
                raise StorageError(f"Features version {model.features_digest[:12]} of {spec.name} has no record")
            test = read_features(store, features, "test")
            with tracking.asset_run(context, experiment=spec.name) as run:
                rows = (test, read_features(store, features, "validation"), read_features(store, features, "train"))
                before = predecessors(store, spec.name, model.digest)
                report, predictions = _assessed(spec, features, model, rows, before, tracking, Path(folder))
                record = _log(report, predictions, test, model, tracking, run, Path(folder))
        store.records.append(record, context.run.run_id)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(record.digest),
            metadata={
                "dagster/row_count": len(test),
                **{metric.name: metric.value for metric in report.metrics if metric.value is not None},
                "metrics": dg.MetadataValue.md(_metrics_table(report)),
                "gates": dg.MetadataValue.md(_gates_table(report)),
                "plots": dg.MetadataValue.md(_plots(report)),
                "report": dg.MetadataValue.url(tracking.run_url(run.info.run_id)),
                "report_html": record.html_uri,
                "digest": record.digest,
                **versions(model=model.digest, features=model.features_digest, dataset=model.dataset_digest),
            },
            check_results=check_results(spec, STAGE, report.gates),
        )

    return evaluation


def _assessed(
    spec: SystemSpec,
    features: FeaturesVersion,
    model: ModelVersion,
    rows: "tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]",
    predecessors: list[Predecessor],
    tracking: MlflowTracking,
    folder: Path,
) -> "tuple[Report, Predictions]":
    from mlops_assets.evaluation.assessment import assess
    from mlops_assets.model.artefact import load
    from mlops_assets.model.prediction import predict
    from mlops_assets.model.prediction_intervals import FILE, read_intervals

    fetched = tracking.fetch(model.uri, folder / "model")
    pipeline = load(fetched / "model.skops", model.digest, declared=model.declared)
    intervals = read_intervals(fetched / FILE, model.intervals_digest) if model.intervals_digest else None
    test, validation, train = rows
    inputs = test.loc[:, features.names]
    baselines = {}
    for name, digest in model.baselines.items():
        path = tracking.fetch(f"runs:/{model.mlflow_run_id}/baselines/{name}.skops", folder)
        baselines[name] = predict(load(path, digest), inputs)
    predictions = predict(pipeline, inputs)
    report = assess(
        spec,
        features,
        test,
        predictions,
        baselines,
        pipeline,
        model.digest,
        validation,
        train,
        intervals=intervals,
        intervals_note=model.intervals_note,
        decision=model.decision,
        predecessors=predecessors,
    )
    return report, predictions


def _log(
    report: "Report",
    predictions: "Predictions",
    test: "pd.DataFrame",
    model: ModelVersion,
    tracking: MlflowTracking,
    run: "Run",
    folder: Path,
) -> EvaluationReport:
    from mlops_assets.evaluation.report.html import render
    from mlops_assets.evaluation.stored_predictions import to_frame, write_predictions

    digest = write_predictions(to_frame(test, predictions), folder / "predictions.parquet")
    (folder / "report.json").write_text(report.to_json(), encoding="utf-8")
    (folder / "report.html").write_text(render(report), encoding="utf-8")
    for name in ("predictions.parquet", "report.json", "report.html"):
        tracking.client.log_artifact(run.info.run_id, str(folder / name), "evaluation")
    tracking.log_metrics(run, {m.name: m.value for m in report.metrics if m.value is not None}, model)
    base = f"runs:/{run.info.run_id}/evaluation"
    return EvaluationReport(
        system=report.system,
        digest=report.digest,
        model_digest=model.digest,
        model_uri=model.uri,
        features_digest=model.features_digest,
        dataset_digest=model.dataset_digest,
        mlflow_run_id=run.info.run_id,
        report_uri=f"{base}/report.json",
        html_uri=f"{base}/report.html",
        predictions_uri=f"{base}/predictions.parquet",
        predictions_digest=digest,
        rows=len(test),
        metrics=[
            MetricSummary(
                name=metric.name,
                value=metric.value,
                interval=metric.interval,
                baselines={name: baseline.value for name, baseline in metric.baselines.items()},
            )
            for metric in report.metrics
        ],
        verdicts=report.gates,
    )


def _described(gate: GateSpec) -> str:
    where = f" where {gate.slice.column} is {gate.slice.equals!r}" if gate.slice else ""
    if gate.check:
        return f"Better than the majority or mean guess by a paired bootstrap{where}."
    bound = f"at least {gate.at_least:g}" if gate.at_least is not None else f"at most {gate.at_most:g}"
    end = "the conservative end of its interval" if gate.judged_on == "interval" else "its value"
    return f"{gate.metric or gate.measure}: {end} is {bound}{where}, on {gate.min_rows} rows or more."


def _metrics_table(report: "Report") -> str:
    head = "| metric | value | interval | simple baseline | linear baseline |\n|---|---|---|---|---|"
    lines = []
    for metric in report.metrics:
        others = (metric.baselines.get(name) for name in ("simple", "linear"))
        cells = [_number(other.value if other else None) for other in others]
        lines.append(
            f"| {metric.name} | {_number(metric.value)} | {_interval(metric.interval)} | {' | '.join(cells)} |"
        )
    return "\n".join([head, *lines])


def _gates_table(report: "Report") -> str:
    head = "| gate | verdict | reason |\n|---|---|---|"
    return "\n".join([head, *(f"| {g.name} | {g.outcome} | {g.reason} |" for g in report.gates)])


def _plots(report: "Report") -> str:
    from mlops_assets.evaluation.report.plots.model_plots import plots

    images = []
    for title, svg in plots(report):
        data = base64.b64encode(svg.encode()).decode()
        images.append(f"![{title}](data:image/svg+xml;base64,{data})")
    return "\n\n".join(images)


def _number(value: float | None) -> str:
    return "not evaluated" if value is None else f"{value:.4g}"


def _interval(interval: tuple[float, float] | None) -> str:
    return "not evaluated" if interval is None else f"{interval[0]:.4g} … {interval[1]:.4g}"
