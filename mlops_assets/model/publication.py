"""Publication: the fitted pipeline as files that were loaded back and compared, logged with the active MLflow run."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from mlops_assets.features.version import FeaturesVersion
from mlops_assets.metrics.outcomes import Predictions
from mlops_assets.model import artefact
from mlops_assets.model.environment import code_version, environment_lock, git_commit, owner_commits, requirements
from mlops_assets.model.onnx_copy import export_if_equal
from mlops_assets.model.prediction import predict
from mlops_assets.model.prediction_intervals import FILE
from mlops_assets.model.sealed.seal import seal
from mlops_assets.model.training import Trained
from mlops_assets.model.version import ModelVersion
from mlops_assets.resources.mlflow_run import MlflowRun

if TYPE_CHECKING:
    from mlops_assets.declaration.spec import SystemSpec


@dataclass(frozen=True)
class StoredModel:
    """The files of one model and what names them."""

    digest: str
    skops: Path
    declared: list[str]
    """Dotted paths of the declared classes that the artefact may hold."""
    beside: list[Path]
    """Prediction intervals and ONNX copy, where there are any."""
    onnx_digest: str | None
    onnx_note: str

    @property
    def files(self) -> list[Path]:
        return [self.skops, *self.beside]


def publish_model(
    spec: "SystemSpec", features: FeaturesVersion, trained: Trained, inputs: pd.DataFrame, run: MlflowRun, folder: Path
) -> ModelVersion:
    """Log everything with the MLflow run and return the record that says where it lies.

    Raises:
        StorageError: if the stored artefact does not predict for ``inputs`` what the fitted pipeline does.
    """
    predictions = predict(trained.pipeline, inputs)
    stored = store_model(spec, trained, inputs, predictions, folder)
    trusted = artefact.trusted_types(stored.skops, declared=stored.declared)
    uri = run.log_model(trained.pipeline, inputs, predictions.values, trusted, requirements(trained.estimator))
    run.log_beside_model(uri, stored.files)
    sealed = seal(spec, folder)
    for file, place in sealed.files:
        run.log_files([file], place)
    version = ModelVersion(
        system=spec.name,
        digest=stored.digest,
        features_digest=features.digest,
        dataset_digest=features.dataset_digest,
        uri=uri,
        mlflow_run_id=run.run_id,
        estimator=trained.estimator,
        params=trained.params,
        declared=stored.declared,
        seed=trained.seed,
        train_rows=trained.rows,
        seconds=trained.seconds,
        onnx_digest=stored.onnx_digest,
        onnx_note=stored.onnx_note,
        baselines=_log_baselines(run, trained, folder),
        calibration=trained.calibration,
        calibration_note=trained.calibration_note,
        calibration_rows=trained.calibration_rows,
        decision=trained.decision,
        intervals_digest=trained.intervals.digest if trained.intervals else None,
        intervals_note=trained.intervals_note,
        code_version=code_version(spec),
        git_commit=git_commit(Path(__file__).parent),
        owner_commits=owner_commits(spec),
        code_digest=sealed.code_digest,
        sealed_code=sealed.digest,
    )
    _describe(run, version, features)
    return version


def store_model(
    spec: "SystemSpec", trained: Trained, inputs: pd.DataFrame, predictions: Predictions, folder: Path
) -> StoredModel:
    """Write the pipeline, its intervals and its ONNX copy into ``folder``, each found to predict the same."""
    declared = [path for path in (trained.estimator, spec.model.transformer) if path]
    skops, onnx = folder / "model.skops", folder / "model.onnx"
    artefact.dump(trained.pipeline, skops)
    digest = artefact.digest(skops)
    artefact.verify(skops, digest, inputs, predictions, declared=declared)
    intervals = _write_intervals(trained, folder)
    onnx_digest, onnx_note = export_if_equal(spec.model.onnx, trained.pipeline, inputs, predictions, onnx)
    beside = [*intervals, *([onnx] if onnx_digest else [])]
    return StoredModel(digest, skops, declared, beside, onnx_digest, onnx_note)


def _describe(run: MlflowRun, version: ModelVersion, features: FeaturesVersion) -> None:
    params = {"estimator": version.estimator, "seed": version.seed, **_choices(version), **version.params}
    tags = {
        "mlops.model_digest": version.digest,
        "mlops.features_digest": version.features_digest,
        "mlops.features_delta_version": features.table_version,
        "mlops.dataset_digest": version.dataset_digest,
        "mlops.dataset_delta_version": features.dataset_table_version,
        "mlops.code_version": version.code_version,
        "mlops.git_commit": version.git_commit or "unknown",
    }
    run.log_facts(params, tags, texts={"environment.txt": environment_lock()})


def _write_intervals(trained: Trained, folder: Path) -> list[Path]:
    """Nothing where there are none."""
    if trained.intervals is None:
        return []
    path = folder / FILE
    path.write_text(trained.intervals.to_json(), encoding="utf-8")
    return [path]


def _choices(version: ModelVersion) -> dict[str, str | float | int]:
    """What was chosen on validation rows, as parameters of the MLflow run."""
    chosen: dict[str, str | float | int] = {"calibration": version.calibration}
    decision = version.decision
    if decision is None:
        return chosen
    return chosen | {
        "decision_threshold": decision.threshold,
        "decision_objective": decision.objective,
        "decision_validation_value": decision.value,
        "decision_validation_rows": decision.rows,
    }


def _log_baselines(run: MlflowRun, trained: Trained, folder: Path) -> dict[str, str]:
    digests = {}
    for name, pipeline in trained.baselines.items():
        path = folder / f"{name}.skops"
        artefact.dump(pipeline, path)
        digests[name] = artefact.digest(path)
        run.log_files([path], "baselines")
    return digests
