"""The registry's assets: a registered version with its evidence, and the champion."""

from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from mlops_assets.asset import check, check_results, claims, refusals, require, stage_asset, versions
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.model.version import ModelVersion
from mlops_assets.registry.manifest import MODEL, manifest_digest, sealed
from mlops_assets.registry.promotion import decide
from mlops_assets.registry.provenance import (
    fetched_places,
    loosened,
    passed_report,
    require_sealed,
    round_trip,
    stored_predictions,
)
from mlops_assets.registry.reconciliation import CHECK, reconcile, verdict
from mlops_assets.registry.session import RegistrySession
from mlops_assets.registry.version import ChampionDecision, RegisteredVersion
from mlops_assets.resources.model_registry import REPORT_TAG, LoggedModel
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
        session = _session(spec, storage, tracking, context)
        model = require(session.storage, ModelVersion, spec.name, f"materialise {spec.name}/model")
        with refusals(), tracking.answering():
            tracking.ping()
            session.require_continued()
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
        session = _session(spec, storage, tracking, context)
        newest = require(session.storage, RegisteredVersion, spec.name, f"materialise {spec.name}/{VERSION}")
        challenger = session.version(newest.version)
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


def _session(
    spec: SystemSpec, storage: StorageResource, tracking: MlflowTracking, context: dg.AssetExecutionContext
) -> RegistrySession:
    """In the name of whom the run's process runs as; its tags are claims."""
    run_id, who = context.run.run_id, Settings().who
    return RegistrySession(spec, storage.open(), tracking, who, run_id, door="run", claims=claims(context))


def _registered(session: RegistrySession, model: ModelVersion, report: EvaluationReport) -> RegisteredVersion:
    """The registered version of ``report``, made or found, with its proofs; recorded and in the ledger."""
    spec, registry = session.spec, session.registry
    predictions = stored_predictions(session, report)  # refuses changed ones before a version is made
    logged = LoggedModel(model.uri, model.mlflow_run_id, _tags(model, report, session), spec.description)
    number = registry.register(logged, _given_to_others(session, report))
    draft = RegisteredVersion(
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
    )
    folders = fetched_places(session, draft)
    proofs = _proofs(session, model, predictions, folders[MODEL])
    record = _sealed_once(session, draft, folders).model_copy(update={"verdicts": proofs})
    if record != session.storage.records.latest(RegisteredVersion, spec.name):
        session.storage.records.append(record, session.run_id)
    details = {"manifest": manifest_digest(record.manifest), **loosened(spec, report)}
    entry = session.entry("registered", "every blocking gate passed", record, details=details)
    session.ledger.append_once(entry)
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


def _sealed_once(session: RegistrySession, draft: RegisteredVersion, folders: dict[str, Path]) -> RegisteredVersion:
    """The record that already sealed this version, found to be true, or ``draft`` with its files sealed.

    Sealing a second time would take over whatever was done to the files since.
    """
    for known in session.versions():
        if (known.version, known.digest) == (draft.version, draft.digest):
            require_sealed(session, known)
            return known
    return draft.model_copy(update={"manifest": sealed(folders)})


def _given_to_others(session: RegistrySession, report: EvaluationReport) -> set[int]:
    """Numbers that name another report in the ledger: MLflow gives the number of a deleted version again."""
    registered = session.ledger.entries(session.system, "registered")
    return {entry.version for entry in registered if entry.version and entry.report_digest != report.digest}


def _proofs(session: RegistrySession, model: ModelVersion, stored: "pd.DataFrame", folder: Path) -> list[Verdict]:
    import mlflow

    info = mlflow.models.get_model_info(str(folder))
    described = info.signature is not None and info.saved_input_example_info is not None
    return [
        round_trip(session, model, stored, folder),
        Verdict(
            name="signature",
            outcome="passed" if described else "failed",
            reason=f"signature {'present' if info.signature else 'missing'}, "
            f"input example {'present' if info.saved_input_example_info else 'missing'}",
        ),
    ]
