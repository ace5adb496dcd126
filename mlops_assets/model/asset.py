"""The model asset: preprocessing and estimator fitted as one artefact, on train rows only."""

from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg

from mlops_assets.asset import CodeCheck, Metadata, check, check_results, refusals, require, stage_asset, versions
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.model.version import ModelVersion
from mlops_assets.resources.mlflow_run import MlflowRun
from mlops_assets.resources.storage import StorageResource
from mlops_assets.resources.tracking import MlflowTracking
from mlops_assets.verdict import require_passed

STAGE = "model"


def model_asset(spec: SystemSpec, check_code: CodeCheck) -> dg.AssetsDefinition:
    """The asset ``[<system>, "model"]``; ``check_code`` goes before the work."""

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
        from mlops_assets.features.table import read_parts
        from mlops_assets.model.publication import publish_model
        from mlops_assets.model.sanity_check import learned
        from mlops_assets.model.training import train

        opened = storage.open()
        features = require(opened, FeaturesVersion, spec.name, f"materialise {spec.name}/features")
        with refusals(), TemporaryDirectory() as folder:
            check_code(spec)
            require_passed(
                f"{spec.name} features {features.digest[:12]}", features.verdicts, "mend the features, then build again"
            )
            with tracking.asset_run(context, experiment=spec.name) as run:
                context.log.info(f"Training on {features.rows['train']} rows")
                parts = read_parts(opened, features)
                trained = train(spec, features, parts.train, parts.validation)
                inputs = parts.test.loc[:, features.names]
                published = publish_model(spec, features, trained, inputs, MlflowRun(run.info.run_id), Path(folder))
                checked = learned(trained, features, parts.train, *parts.held_out)
                version = published.model_copy(update={"verdicts": [checked]})
        opened.records.append(version, context.run.run_id)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(version.data_version),
            metadata=_metadata(version, tracking.run_url(version.mlflow_run_id)),
            check_results=check_results(spec, STAGE, version.verdicts),
        )

    return model


def _metadata(version: ModelVersion, run_url: str) -> Metadata:
    return {
        "estimator": version.estimator,
        "params": dg.MetadataValue.json(version.params),
        "train_rows": version.train_rows,
        "fit_seconds": round(version.seconds, 3),
        "model_uri": version.uri,
        "mlflow_run": dg.MetadataValue.url(run_url),
        "calibration": version.calibration,
        **({"decision": version.decision.sentence} if version.decision else {}),
        "intervals": version.intervals_note,
        "onnx": version.onnx_note,
        "digest": version.digest,
        **versions(features=version.features_digest, dataset=version.dataset_digest, git_commit=version.git_commit),
    }
