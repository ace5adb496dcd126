"""The registry's assets: a registered version with its evidence, and the champion."""

from typing import TYPE_CHECKING

import dagster as dg

from mlops_assets.asset import actor, check, check_results, refusals, require, stage_asset, versions
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.model.version import ModelVersion
from mlops_assets.registry.promotion import decide
from mlops_assets.registry.provenance import passed_report, round_trip, stored_predictions
from mlops_assets.registry.reconciliation import CHECK, reconcile, verdict
from mlops_assets.registry.session import RegistrySession
from mlops_assets.registry.version import ChampionDecision, RegisteredVersion
from mlops_assets.resources.model_registry import REPORT_TAG
from mlops_assets.resources.storage import StorageResource
from mlops_assets.resources.tracking import MlflowTracking
from mlops_assets.settings import Settings
from mlops_assets.verdict import Verdict

if TYPE_CHECKING:
    import pandas as pd

VERSION, CHAMPION = "registered_version", "champion"


def registered_version_asset(spec: SystemSpec) -> dg.AssetsDefinition:
    """The asset ``[<system>, "registered_version"]``."""

    @stage_asset(
        spec,
        VERSION,
        description=f"MLflow model version of {spec.name}. It exists only if the stored report of exactly this model "
        "passed every blocking gate, however this asset was launched.",
        kinds={"mlflow"},
        upstream=["model", "evaluation"],
        checks=[
            check(spec, VERSION, "round_trip", "Loads from the registry and repeats the stored test predictions."),
            check(spec, VERSION, "signature", "Carries a signature and an input example."),
        ],
    )
    def registered_version(
        context: dg.AssetExecutionContext, storage: StorageResource, tracking: MlflowTracking
    ) -> dg.MaterializeResult:
        session = RegistrySession(spec, storage.open(), tracking, actor(context), context.run.run_id)
        model = require(session.storage, ModelVersion, spec.name, f"materialise {spec.name}/model")
        with refusals(), tracking.answering():
            tracking.ping()
            with session.recording_refusals(model_digest=model.digest):
                report = passed_report(session, model)
            record = _registered(session, model, report)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(f"{spec.name}/{record.version}"),
            metadata={
                "version": record.version,
                "model_uri": f"models:/{spec.name}/{record.version}",
                "report": dg.MetadataValue.url(report.html_uri),
                **versions(report_digest=report.digest, model=model.digest, dataset=model.dataset_digest),
            },
            check_results=check_results(spec, VERSION, record.verdicts),
        )

    return registered_version


def champion_asset(spec: SystemSpec) -> dg.AssetsDefinition:
    """The asset ``[<system>, "champion"]``."""

    @stage_asset(
        spec,
        CHAMPION,
        description=f"The version of {spec.name} that serves, by the alias 'champion'. A challenger takes its place "
        "on the declared grounds, on rows that neither was trained on, by itself or with a person's approval.",
        kinds={"mlflow"},
        upstream=[VERSION],
        checks=[
            check(spec, CHAMPION, CHECK, "Every alias is where the ledger put it; none was moved by hand.", "warn")
        ],
        parts=("registry",),
    )
    def champion(
        context: dg.AssetExecutionContext, storage: StorageResource, tracking: MlflowTracking
    ) -> dg.MaterializeResult:
        session = RegistrySession(spec, storage.open(), tracking, actor(context), context.run.run_id)
        challenger = require(session.storage, RegisteredVersion, spec.name, f"materialise {spec.name}/{VERSION}")
        with refusals(), tracking.answering():
            tracking.ping()
            decision = decide(session, challenger, Settings().env)
            aliases = verdict(session, reconcile(session))
        session.storage.records.append(decision, context.run.run_id)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(f"{spec.name}/{decision.champion}"),
            metadata={**_outcome(decision), **versions(report_digest=challenger.digest, model=challenger.model_digest)},
            check_results=check_results(spec, CHAMPION, [aliases]),
        )

    return champion


def _registered(session: RegistrySession, model: ModelVersion, report: EvaluationReport) -> RegisteredVersion:
    """The registered version of ``report``, made or found, with its proofs; recorded and in the ledger."""
    spec, registry = session.spec, session.registry
    predictions = stored_predictions(session, report)  # refuses changed ones before a version is made
    number = registry.register(model.uri, model.mlflow_run_id, _tags(model, report, session), spec.description)
    record = RegisteredVersion(
        system=spec.name,
        digest=report.digest,
        version=number,
        model_digest=model.digest,
        model_uri=registry.version(number).source or model.uri,
        intervals_digest=model.intervals_digest,
        features_digest=model.features_digest,
        dataset_digest=model.dataset_digest,
        predictions_uri=report.predictions_uri,
        predictions_digest=report.predictions_digest,
        verdicts=_proofs(session, model, predictions, number),
    )
    if record != session.storage.records.latest(RegisteredVersion, spec.name):
        session.storage.records.append(record, session.run_id)
    session.ledger.append_once(session.entry("registered", "every blocking gate passed", record))
    session.settle()
    return record


def _outcome(decision: ChampionDecision) -> dict[str, str | int | float]:
    seen = {
        "champion": decision.champion,
        "challenger": decision.version,
        "decision": decision.decision,
        "standing": decision.standing,
        "reason": decision.reason,
        "difference": decision.difference,
        "rows_compared": decision.rows,
    }
    return {name: value for name, value in seen.items() if value is not None}


def _tags(model: ModelVersion, report: EvaluationReport, session: RegistrySession) -> dict[str, str]:
    return {
        REPORT_TAG: report.digest,
        "mlops.model_digest": model.digest,
        "mlops.features_digest": model.features_digest,
        "mlops.dataset_digest": model.dataset_digest,
        "mlops.code_version": model.code_version,
        "mlops.git_commit": model.git_commit or "unknown",
        "dagster.run_id": session.run_id,
    }


def _proofs(session: RegistrySession, model: ModelVersion, stored: "pd.DataFrame", number: int) -> list[Verdict]:
    import mlflow

    fetched = session.fetch_version(number)
    info = mlflow.models.get_model_info(str(fetched))
    described = info.signature is not None and info.saved_input_example_info is not None
    return [
        round_trip(session, model, stored, fetched),
        Verdict(
            name="signature",
            outcome="passed" if described else "failed",
            reason=f"signature {'present' if info.signature else 'missing'}, "
            f"input example {'present' if info.saved_input_example_info else 'missing'}",
        ),
    ]
