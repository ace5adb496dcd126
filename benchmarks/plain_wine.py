"""wine_quality from landed file to champion as a plain script: ``python -m benchmarks.plain_wine``.

It calls the platform's functions one after the other and keeps in memory what the next step needs.
"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow
import yaml

from mlops_assets.dataset.ingestion import ingest
from mlops_assets.dataset.profile import profile, to_markdown
from mlops_assets.dataset.table import sample_dataset
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.evaluation.assessment import assess, subject_of
from mlops_assets.evaluation.diagnosis import Subject
from mlops_assets.evaluation.publication import publish_report
from mlops_assets.evaluation.stored_predictions import different_rows, read_predictions
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.features.building import build
from mlops_assets.features.table import read_parts
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.model import artefact
from mlops_assets.model.fitted_model import FittedModel
from mlops_assets.model.prediction import predict
from mlops_assets.model.publication import publish_model
from mlops_assets.model.sanity_check import learned
from mlops_assets.model.training import train
from mlops_assets.model.version import ModelVersion
from mlops_assets.preflight import check_code, declaration_digest
from mlops_assets.registry.aliases import settle
from mlops_assets.registry.version import ChampionDecision, RegisteredVersion, require_own_report
from mlops_assets.resources.mlflow_run import MlflowRun
from mlops_assets.resources.model_registry import REPORT_TAG, LoggedModel, Registry
from mlops_assets.storage.ledger import Ledger
from mlops_assets.storage.ledger_entry import Entry
from mlops_assets.storage.storage import Storage
from mlops_assets.verdict import require_passed

SYSTEM = "wine_quality"
DECLARATION = Path(__file__).parents[1] / "mlops_assets" / "defs" / SYSTEM / "defs.yaml"


def main(home: Path, folder: Path) -> None:
    """The whole line, in one process and one MLflow run."""
    spec, storage, client = _spec(), Storage.local(home), _client(home)
    check_code(spec)
    features = _features(spec, storage)
    parts = read_parts(storage, features)
    with mlflow.start_run(experiment_id=_experiment(client, home)) as started:
        run = MlflowRun(started.info.run_id)
        trained = train(spec, features, parts.train, parts.validation)
        model = publish_model(spec, features, trained, parts.test.loc[:, features.names], run, folder)
        storage.records.append(model)
        learned(trained, features, parts.train, *parts.held_out)
        fitted = FittedModel.of(trained, model.digest)
        subject = subject_of(spec, features, parts, fitted)
        report = _evaluated(storage, subject, fitted, model, run, folder)
    version = _registered(storage, Registry(client, SYSTEM), model, report, subject, folder)
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
    experiment = client.get_experiment_by_name(SYSTEM)
    if experiment is not None:
        return experiment.experiment_id
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


def _evaluated(
    storage: Storage, subject: Subject, fitted: FittedModel, model: ModelVersion, run: MlflowRun, folder: Path
) -> EvaluationReport:
    """The report with every metric, interval and gate, in MLflow."""
    report = assess(subject, fitted.baseline_predictions(subject.inputs), fitted.decision)
    record = publish_report(report, subject, model, run, folder)
    require_own_report(report.model_digest, report.features_digest, report.gates, model)
    storage.records.append(record)
    return record


def _registered(
    storage: Storage, registry: Registry, model: ModelVersion, report: EvaluationReport, subject: Subject, folder: Path
) -> RegisteredVersion:
    """The registered version, fetched back and found to predict what was evaluated."""
    tags = _tags(model) | {REPORT_TAG: report.digest}
    number = registry.register(LoggedModel(model.uri, model.mlflow_run_id, tags, subject.spec.description))
    fetched = mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{SYSTEM}/{number}", dst_path=str(folder / "r"))
    pipeline = artefact.load(Path(fetched) / "model.skops", model.digest, declared=model.declared)
    stored = read_predictions(folder / "predictions.parquet", report.predictions_digest)
    if different_rows(stored, subject.test, predict(pipeline, subject.inputs)):
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
