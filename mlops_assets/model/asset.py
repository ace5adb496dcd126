"""The model asset: preprocessing and estimator fitted as one artefact, on train rows only."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import dagster as dg

from mlops_assets.asset import check, check_results, refusals, require, stage_asset, versions
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.model.version import ModelVersion
from mlops_assets.preflight import check_code
from mlops_assets.resources.storage import StorageResource
from mlops_assets.resources.tracking import MlflowTracking
from mlops_assets.storage.storage import Storage
from mlops_assets.verdict import require_passed

if TYPE_CHECKING:
    from mlflow.entities import Run

    from mlops_assets.model.training import Trained

STAGE = "model"


def model_asset(spec: SystemSpec) -> dg.AssetsDefinition:
    """The asset ``[<system>, "model"]``."""

    @stage_asset(
        spec,
        STAGE,
        description=f"Fitted pipeline of {spec.name}: preparation and estimator in one artefact, logged with MLflow "
        "without pickle, loaded back and compared before the asset succeeds.",
        kinds={"sklearn", "mlflow"},
        upstream=["features"],
        checks=[check(spec, STAGE, "learned", "Scores better on held-out rows than a constant guess.", "warn")],
        # The positive class, which a threshold is chosen for, is declared with the evaluation.
        parts=("dataset", "features", "model", *(["evaluation"] if spec.model.threshold else [])),
        pool="gpu" if spec.resources.gpu else None,
    )
    def model(
        context: dg.AssetExecutionContext, storage: StorageResource, tracking: MlflowTracking
    ) -> dg.MaterializeResult:
        from mlops_assets.features.table import read_features
        from mlops_assets.model.sanity_check import learned
        from mlops_assets.model.training import train

        store = storage.open()
        features = require(store, FeaturesVersion, spec.name, f"materialise {spec.name}/features")
        with refusals(), TemporaryDirectory() as folder:
            check_code(spec)
            require_passed(
                f"{spec.name} features {features.digest[:12]}", features.verdicts, "mend the features, then build again"
            )
            with tracking.asset_run(context, experiment=spec.name) as run:
                context.log.info(f"Training on {features.rows['train']} rows")
                validation = read_features(store, features, "validation")
                trained = train(spec, features, read_features(store, features, "train"), validation)
                version = _log(spec, store, tracking, features, trained, run, Path(folder))
        store.records.append(version, context.run.run_id)
        held_out = "train" if validation.empty else "validation"
        rows = read_features(store, features, "train") if validation.empty else validation
        verdict = learned(trained, features, rows, held_out)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(version.data_version),
            metadata={
                "estimator": version.estimator,
                "params": dg.MetadataValue.json(version.params),
                "train_rows": version.train_rows,
                "fit_seconds": round(version.seconds, 3),
                "model_uri": version.uri,
                "mlflow_run": dg.MetadataValue.url(tracking.run_url(version.mlflow_run_id)),
                "calibration": version.calibration,
                **({"decision": version.decision.sentence} if version.decision else {}),
                "intervals": version.intervals_note,
                "onnx": version.onnx_note,
                "digest": version.digest,
                **versions(features=features.digest, dataset=features.dataset_digest, git_commit=version.git_commit),
            },
            check_results=check_results(spec, STAGE, [verdict]),
        )

    return model


def _log(
    spec: SystemSpec,
    store: Storage,
    tracking: MlflowTracking,
    features: FeaturesVersion,
    trained: "Trained",
    run: "Run",
    folder: Path,
) -> ModelVersion:
    import mlflow

    from mlops_assets.features.table import read_features
    from mlops_assets.model import artefact
    from mlops_assets.model.environment import code_version, environment_lock, git_commit, requirements
    from mlops_assets.model.onnx_copy import export_if_equal
    from mlops_assets.model.prediction import predict

    test = read_features(store, features, "test").loc[:, features.names]
    predictions = predict(trained.pipeline, test)
    declared = [path for path in (trained.estimator, spec.model.transformer) if path]
    skops, onnx = folder / "model.skops", folder / "model.onnx"
    artefact.dump(trained.pipeline, skops)
    digest = artefact.digest(skops)
    artefact.verify(skops, digest, test, predictions, declared=declared)
    stored = [skops, *_write_intervals(trained, folder)]
    onnx_digest, onnx_note = export_if_equal(spec.model.onnx, trained.pipeline, test, predictions, onnx)
    uri = tracking.log_model(
        run,
        trained.pipeline,
        test,
        predictions.values,
        trusted_types=artefact.trusted_types(skops, declared=declared),
        requirements=requirements(trained.estimator),
        extra_files=[*stored, *([onnx] if onnx_digest else [])],
    )
    version = ModelVersion(
        system=spec.name,
        digest=digest,
        features_digest=features.digest,
        dataset_digest=features.dataset_digest,
        uri=uri,
        mlflow_run_id=run.info.run_id,
        estimator=trained.estimator,
        params=trained.params,
        declared=declared,
        seed=trained.seed,
        train_rows=trained.rows,
        seconds=trained.seconds,
        onnx_digest=onnx_digest,
        onnx_note=onnx_note,
        baselines=_log_baselines(trained, folder),
        calibration=spec.model.calibration,
        calibration_rows=trained.calibration_rows,
        decision=trained.decision,
        intervals_digest=trained.intervals.digest if trained.intervals else None,
        intervals_note=trained.intervals_note,
        code_version=code_version(spec),
        git_commit=git_commit(Path(__file__).parent),
    )
    mlflow.log_params({"estimator": version.estimator, "seed": version.seed, **_choices(version), **version.params})
    mlflow.set_tags(
        {
            "mlops.model_digest": version.digest,
            "mlops.features_digest": version.features_digest,
            "mlops.features_delta_version": features.table_version,
            "mlops.dataset_digest": version.dataset_digest,
            "mlops.dataset_delta_version": features.dataset_table_version,
            "mlops.code_version": version.code_version,
            "mlops.git_commit": version.git_commit or "unknown",
        }
    )
    mlflow.log_text(environment_lock(), "environment.txt")
    return version


def _write_intervals(trained: "Trained", folder: Path) -> list[Path]:
    """Nothing where there are none."""
    from mlops_assets.model.prediction_intervals import FILE

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


def _log_baselines(trained: "Trained", folder: Path) -> dict[str, str]:
    import mlflow

    from mlops_assets.model import artefact

    digests = {}
    for name, pipeline in trained.baselines.items():
        path = folder / f"{name}.skops"
        artefact.dump(pipeline, path)
        digests[name] = artefact.digest(path)
        mlflow.log_artifact(str(path), "baselines")
    return digests
