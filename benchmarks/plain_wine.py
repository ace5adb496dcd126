"""wine_quality from landed file to champion as a plain script: ``python -m benchmarks.plain_wine``.

It calls the platform's functions one after the other and keeps in memory what the next step needs.
"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow
import pandas as pd
import yaml

from mlops_assets.dataset.ingestion import ingest
from mlops_assets.dataset.profile import profile, to_markdown
from mlops_assets.dataset.table import sample_dataset
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.evaluation.assessment import assess
from mlops_assets.evaluation.report.html import render
from mlops_assets.evaluation.report.report import Report
from mlops_assets.evaluation.stored_predictions import different_rows, read_predictions, to_frame, write_predictions
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.features.building import build
from mlops_assets.features.table import read_features
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.metrics.outcomes import Predictions
from mlops_assets.model import artefact
from mlops_assets.model.environment import code_version, environment_lock, git_commit, requirements
from mlops_assets.model.onnx_copy import export_if_equal
from mlops_assets.model.prediction import predict
from mlops_assets.model.sanity_check import learned
from mlops_assets.model.training import Trained, train
from mlops_assets.model.version import ModelVersion
from mlops_assets.preflight import check_code, declaration_digest
from mlops_assets.registry.aliases import settle
from mlops_assets.registry.ledger import Entry, Ledger
from mlops_assets.registry.version import ChampionDecision, RegisteredVersion, require_own_report
from mlops_assets.resources.model_registry import REPORT_TAG, Registry
from mlops_assets.storage.storage import Storage
from mlops_assets.verdict import require_passed

SYSTEM = "wine_quality"
DECLARATION = Path(__file__).parents[1] / "mlops_assets" / "defs" / SYSTEM / "defs.yaml"


def main(home: Path, folder: Path) -> None:
    """The whole line, in one process and one MLflow run."""
    spec, storage, client = _spec(), Storage.local(home), _client(home)
    check_code(spec)
    features = _features(spec, storage)
    fitting, validation, test = (read_features(storage, features, part) for part in ("train", "validation", "test"))
    with mlflow.start_run(experiment_id=_experiment(client, home)):
        trained = train(spec, features, fitting, validation)
        predictions = predict(trained.pipeline, test.loc[:, features.names])
        model = _logged(spec, storage, features, trained, test.loc[:, features.names], predictions, folder)
        report = _evaluated(spec, storage, features, trained, model, (fitting, validation, test), predictions, folder)
    version = _registered(spec, storage, client, model, report, test, features, folder)
    _promoted(spec, storage, client, version)


def _spec() -> SystemSpec:
    """The declaration; its cron schedules are left out, because only Dagster reads them."""
    attributes = yaml.safe_load(DECLARATION.read_text(encoding="utf-8"))["attributes"]
    return SystemSpec.model_validate({key: value for key, value in attributes.items() if key != "automation"})


def _client(home: Path) -> mlflow.MlflowClient:
    mlflow.set_tracking_uri(f"sqlite:///{home / 'mlflow.db'}")
    mlflow.set_registry_uri(f"sqlite:///{home / 'mlflow.db'}")
    return mlflow.MlflowClient()


def _experiment(client: mlflow.MlflowClient, home: Path) -> str:
    found = client.get_experiment_by_name(SYSTEM)
    if found is not None:
        return found.experiment_id
    return client.create_experiment(SYSTEM, artifact_location=str(home / "mlartifacts" / SYSTEM))


def _features(spec: SystemSpec, storage: Storage) -> FeaturesVersion:
    dataset = ingest(storage, spec).version
    if dataset is None:
        raise SystemExit("nothing has landed")
    columns = list(spec.dataset.columns)
    to_markdown(profile(sample_dataset(storage, dataset, columns), columns, rows=dataset.rows))
    features = build(storage, spec, dataset)
    require_passed(f"features {features.digest[:12]}", features.verdicts, "mend the features")
    return features


def _logged(
    spec: SystemSpec,
    storage: Storage,
    features: FeaturesVersion,
    trained: Trained,
    inputs: pd.DataFrame,
    predictions: Predictions,
    folder: Path,
) -> ModelVersion:
    """The fitted pipeline as skops and ONNX, both verified, in MLflow."""
    skops, onnx = folder / "model.skops", folder / "model.onnx"
    artefact.dump(trained.pipeline, skops)
    digest = artefact.digest(skops)
    artefact.verify(skops, digest, inputs, predictions, declared=[trained.estimator])
    onnx_digest, onnx_note = export_if_equal(spec.model.onnx, trained.pipeline, inputs, predictions, onnx)
    logged = mlflow.sklearn.log_model(
        trained.pipeline,
        name="model",
        signature=mlflow.models.infer_signature(inputs, predictions.values),
        input_example=inputs.head(5),
        pip_requirements=requirements(trained.estimator),
        serialization_format="skops",
        skops_trusted_types=artefact.trusted_types(skops, declared=[trained.estimator]),
    )
    for path in (skops, *([onnx] if onnx_digest else [])):
        mlflow.MlflowClient().log_model_artifact(logged.model_id, str(path))
    run = mlflow.active_run()
    assert run is not None
    model = ModelVersion(
        system=SYSTEM,
        digest=digest,
        features_digest=features.digest,
        dataset_digest=features.dataset_digest,
        uri=logged.model_uri,
        mlflow_run_id=run.info.run_id,
        estimator=trained.estimator,
        params=trained.params,
        declared=[trained.estimator],
        seed=trained.seed,
        train_rows=trained.rows,
        seconds=trained.seconds,
        onnx_digest=onnx_digest,
        onnx_note=onnx_note,
        baselines=_logged_baselines(trained, folder),
        code_version=code_version(spec),
        git_commit=git_commit(DECLARATION.parent),
    )
    mlflow.log_params({"estimator": model.estimator, "seed": model.seed, **model.params})
    mlflow.set_tags(_tags(model) | {"mlops.features_delta_version": features.table_version})
    mlflow.log_text(environment_lock(), "environment.txt")
    storage.records.append(model)
    learned(trained, features, read_features(storage, features, "validation"), "validation")
    return model


def _logged_baselines(trained: Trained, folder: Path) -> dict[str, str]:
    digests = {}
    for name, pipeline in trained.baselines.items():
        path = folder / f"{name}.skops"
        artefact.dump(pipeline, path)
        digests[name] = artefact.digest(path)
        mlflow.log_artifact(str(path), "baselines")
    return digests


def _evaluated(
    spec: SystemSpec,
    storage: Storage,
    features: FeaturesVersion,
    trained: Trained,
    model: ModelVersion,
    rows: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
    predictions: Predictions,
    folder: Path,
) -> EvaluationReport:
    """The report with every metric, interval and gate, in MLflow."""
    fitting, validation, test = rows
    inputs = test.loc[:, features.names]
    baselines = {name: predict(pipeline, inputs) for name, pipeline in trained.baselines.items()}
    report = assess(
        spec,
        features,
        test,
        predictions,
        baselines,
        trained.pipeline,
        model.digest,
        validation,
        fitting,
        intervals=trained.intervals,
        intervals_note=trained.intervals_note,
        decision=trained.decision,
    )
    digest = write_predictions(to_frame(test, predictions), folder / "predictions.parquet")
    (folder / "report.json").write_text(report.to_json(), encoding="utf-8")
    (folder / "report.html").write_text(render(report), encoding="utf-8")
    for name in ("predictions.parquet", "report.json", "report.html"):
        mlflow.log_artifact(str(folder / name), "evaluation")
    metrics = {f"test_{metric.name}": metric.value for metric in report.metrics if metric.value is not None}
    mlflow.log_metrics(metrics, model_id=model.uri.rpartition("/")[2])
    require_own_report(report.model_digest, report.features_digest, report.gates, model)
    record = _record(report, model, digest, len(test))
    storage.records.append(record)
    return record


def _record(report: Report, model: ModelVersion, predictions_digest: str, rows: int) -> EvaluationReport:
    base = f"runs:/{model.mlflow_run_id}/evaluation"
    return EvaluationReport(
        system=SYSTEM,
        digest=report.digest,
        model_digest=model.digest,
        model_uri=model.uri,
        features_digest=model.features_digest,
        dataset_digest=model.dataset_digest,
        mlflow_run_id=model.mlflow_run_id,
        report_uri=f"{base}/report.json",
        html_uri=f"{base}/report.html",
        predictions_uri=f"{base}/predictions.parquet",
        predictions_digest=predictions_digest,
        rows=rows,
        metrics=[],
        verdicts=report.gates,
    )


def _registered(
    spec: SystemSpec,
    storage: Storage,
    client: mlflow.MlflowClient,
    model: ModelVersion,
    report: EvaluationReport,
    test: pd.DataFrame,
    features: FeaturesVersion,
    folder: Path,
) -> RegisteredVersion:
    """The registered version, fetched back and found to predict what was evaluated."""
    tags = _tags(model) | {REPORT_TAG: report.digest}
    number = Registry(client, SYSTEM).register(model.uri, model.mlflow_run_id, tags, spec.description)
    fetched = mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{SYSTEM}/{number}", dst_path=str(folder / "r"))
    pipeline = artefact.load(Path(fetched) / "model.skops", model.digest, declared=model.declared)
    stored = read_predictions(folder / "predictions.parquet", report.predictions_digest)
    if different_rows(stored, test, predict(pipeline, test.loc[:, features.names])):
        raise SystemExit("the registered version predicts something else")
    version = RegisteredVersion(
        system=SYSTEM,
        digest=report.digest,
        version=number,
        model_digest=model.digest,
        model_uri=model.uri,
        features_digest=model.features_digest,
        dataset_digest=model.dataset_digest,
        predictions_uri=report.predictions_uri,
        predictions_digest=report.predictions_digest,
    )
    storage.records.append(version)
    Ledger(storage.records).append(_entry(version, event="registered", reason="every blocking gate passed"))
    return version


def _promoted(spec: SystemSpec, storage: Storage, client: mlflow.MlflowClient, version: RegisteredVersion) -> None:
    reason = "the first registered version"
    Ledger(storage.records).append(_entry(version, event="promoted", reason=reason, generation=1))
    settle(Registry(client, SYSTEM), Ledger(storage.records))
    storage.records.append(
        ChampionDecision(
            system=SYSTEM,
            digest=version.digest,
            declaration=declaration_digest(spec),
            version=version.version,
            decision="promoted",
            champion=version.version,
            reason=reason,
        )
    )


def _tags(model: ModelVersion) -> dict[str, str]:
    return {
        "mlops.model_digest": model.digest,
        "mlops.features_digest": model.features_digest,
        "mlops.dataset_digest": model.dataset_digest,
        "mlops.code_version": model.code_version,
        "mlops.git_commit": model.git_commit or "unknown",
    }


def _entry(version: RegisteredVersion, **facts: Any) -> Entry:
    return Entry(
        system=SYSTEM,
        version=version.version,
        model_digest=version.model_digest,
        report_digest=version.digest,
        actor="script",
        **facts,
    )


if __name__ == "__main__":
    with TemporaryDirectory() as working_folder:
        main(Path(os.environ["DAGSTER_HOME"]), Path(working_folder))
    if "dagster" in sys.modules:
        raise SystemExit("the plain script has imported Dagster")
