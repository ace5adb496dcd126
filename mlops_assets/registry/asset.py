"""The registry's assets: a registered version with its evidence, and the champion."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import dagster as dg

from mlops_assets.asset import check, check_results, refusals, require, stage_asset, versions
from mlops_assets.errors import GateRefused, NotEvaluated
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.model.version import ModelVersion
from mlops_assets.preflight import declaration_digest
from mlops_assets.registry.evidence import (
    features_of,
    model_of,
    passed_report,
    predictions_of,
    round_trip,
    stored_predictions,
)
from mlops_assets.registry.ledger import Entry, Ledger
from mlops_assets.registry.promotion import FEWEST_ROWS, Judgement, judge, rows_neither_was_trained_on
from mlops_assets.registry.version import ChampionDecision, RegisteredVersion
from mlops_assets.resources.registry import REPORT_TAG, Registry
from mlops_assets.resources.storage import StorageResource
from mlops_assets.resources.tracking import MlflowTracking
from mlops_assets.spec import SystemSpec
from mlops_assets.storage import Storage
from mlops_assets.verdict import Verdict, require_passed

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
        store = storage.open()
        model = require(store, ModelVersion, spec.name, f"materialise {spec.name}/model")
        with refusals(), tracking.answering(), TemporaryDirectory() as folder:
            tracking.ping()
            report = passed_report(store, tracking, model, spec.evaluation.gates, Path(folder))
            stored = stored_predictions(tracking, report, Path(folder))
            registry = Registry(tracking.client, spec.name)
            number = registry.register(model.uri, model.mlflow_run_id, _tags(model, report, context), spec.description)
            verdicts = _proofs(store, tracking, model, stored, number, Path(folder))
            record = RegisteredVersion(
                system=spec.name,
                digest=report.digest,
                version=number,
                model_digest=model.digest,
                model_uri=registry.version(number).source or model.uri,
                features_digest=model.features_digest,
                dataset_digest=model.dataset_digest,
                predictions_uri=report.predictions_uri,
                predictions_digest=report.predictions_digest,
                verdicts=verdicts,
            )
            if record != store.records.latest(RegisteredVersion, spec.name):
                store.records.append(record, context.run.run_id)
            Ledger(store.records).append_once(_entry(record, "registered", "every blocking gate passed", context))
        return dg.MaterializeResult(
            data_version=dg.DataVersion(f"{spec.name}/{number}"),
            metadata={
                "version": number,
                "model_uri": f"models:/{spec.name}/{number}",
                "report": dg.MetadataValue.url(report.html_uri),
                **versions(report_digest=report.digest, model=model.digest, dataset=model.dataset_digest),
            },
            check_results=check_results(spec, VERSION, verdicts),
        )

    return registered_version


def champion_asset(spec: SystemSpec) -> dg.AssetsDefinition:
    """The asset ``[<system>, "champion"]``."""

    @stage_asset(
        spec,
        CHAMPION,
        description=f"The version of {spec.name} that serves, by the alias 'champion'. A challenger takes its place "
        "if it is better, or not worse by more than the margin, on rows that neither was trained on.",
        kinds={"mlflow"},
        upstream=[VERSION],
        parts=("registry",),
    )
    def champion(
        context: dg.AssetExecutionContext, storage: StorageResource, tracking: MlflowTracking
    ) -> dg.MaterializeResult:
        store = storage.open()
        challenger = require(store, RegisteredVersion, spec.name, f"materialise {spec.name}/{VERSION}")
        with refusals(), tracking.answering(), TemporaryDirectory() as folder:
            tracking.ping()
            require_passed(challenger.name, challenger.verdicts, f"materialise {VERSION} again")
            model = model_of(store, challenger)
            report = passed_report(store, tracking, model, spec.evaluation.gates, Path(folder))
            if report.digest != challenger.digest:
                raise GateRefused(
                    f"{challenger.name} carries report {challenger.digest[:12]}, the model's newest report is "
                    f"{report.digest[:12]}. Remedy: materialise {VERSION}, then champion"
                )
            registry, ledger = Registry(tracking.client, spec.name), Ledger(store.records)
            in_force = settle(registry, ledger)
            previous = in_force.version if in_force else None
            judgement = _judgement(spec, store, tracking, challenger, previous, Path(folder))
            if judgement.decision == "promoted" and previous != challenger.version:
                ledger.append(_promotion(challenger, in_force, judgement, context))
                settle(registry, ledger)
            elif judgement.decision == "kept":
                ledger.append(_entry(challenger, "kept", judgement.reason, context, previous))
        decision = _decision(spec, challenger, previous, judgement)
        store.records.append(decision, context.run.run_id)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(f"{spec.name}/{decision.champion}"),
            metadata={
                "champion": decision.champion,
                "challenger": challenger.version,
                "decision": decision.decision,
                "reason": decision.reason,
                **({"difference": decision.difference} if decision.difference is not None else {}),
                **({"rows_compared": decision.rows} if decision.rows is not None else {}),
                **versions(report_digest=challenger.digest, model=challenger.model_digest),
            },
        )

    return champion


def settle(registry: Registry, ledger: Ledger) -> Entry | None:
    """The promotion in force, once the alias is on its version.

    That completes a promotion cut off before the alias moved; and where two runs move it at once, the last one
    to do so looks again, so that the alias follows the ledger in the end.
    """
    while (entry := ledger.champion(registry.system)) is not None and registry.champion() != entry.version:
        registry.set_champion(entry.version)
    return entry


def _tags(model: ModelVersion, report: EvaluationReport, context: dg.AssetExecutionContext) -> dict[str, str]:
    return {
        REPORT_TAG: report.digest,
        "mlops.model_digest": model.digest,
        "mlops.features_digest": model.features_digest,
        "mlops.dataset_digest": model.dataset_digest,
        "mlops.code_version": model.code_version,
        "mlops.git_commit": model.git_commit or "unknown",
        "dagster.run_id": context.run.run_id,
    }


def _proofs(
    store: Storage, tracking: MlflowTracking, model: ModelVersion, stored: "pd.DataFrame", number: int, folder: Path
) -> list[Verdict]:
    import mlflow

    fetched = tracking.fetch(f"models:/{model.system}/{number}", folder / "registered")
    info = mlflow.models.get_model_info(str(fetched))
    described = info.signature is not None and info.saved_input_example_info is not None
    return [
        round_trip(store, model, stored, fetched),
        Verdict(
            name="signature",
            outcome="passed" if described else "failed",
            reason=f"signature {'present' if info.signature else 'missing'}, "
            f"input example {'present' if info.saved_input_example_info else 'missing'}",
        ),
    ]


def _judgement(
    spec: SystemSpec,
    store: Storage,
    tracking: MlflowTracking,
    challenger: RegisteredVersion,
    previous: int | None,
    folder: Path,
) -> Judgement:
    if previous is None:
        return Judgement("promoted", "the first registered version")
    if previous == challenger.version:
        return Judgement("promoted", "this version is the champion already")
    champion = next((v for v in store.records.history(RegisteredVersion, spec.name) if v.version == previous), None)
    if champion is None:
        return Judgement("kept", f"champion version {previous} has no record here, so it cannot be compared")
    ours, theirs = features_of(store, model_of(store, challenger)), features_of(store, model_of(store, champion))
    if ours.columns != theirs.columns or ours.classes != theirs.classes:
        return Judgement("kept", f"champion version {previous} cannot score these rows: its features are others")
    return _compared(spec, store, tracking, challenger, champion, ours, theirs, folder)


def _compared(
    spec: SystemSpec,
    store: Storage,
    tracking: MlflowTracking,
    challenger: RegisteredVersion,
    champion: RegisteredVersion,
    ours: FeaturesVersion,
    theirs: FeaturesVersion,
    folder: Path,
) -> Judgement:
    from mlops_assets.evaluation.catalogue import PRIMARY
    from mlops_assets.evaluation.comparison import compare
    from mlops_assets.features.table import read_features

    seen = read_features(store, theirs)
    rows = rows_neither_was_trained_on(
        read_features(store, ours, "test"), seen.loc[seen["_part"].isin(["train", "validation"])]
    )
    if len(rows) < FEWEST_ROWS:
        return Judgement("kept", f"only {len(rows)} rows that neither was trained on; {FEWEST_ROWS} are needed")
    predictions = [
        predictions_of(store, tracking, version, rows.loc[:, ours.names], folder / str(version.version))
        for version in (challenger, champion)
    ]
    try:
        comparison = compare(
            spec.registry.metric or PRIMARY[spec.task],
            rows[ours.target].to_numpy(),
            *predictions,
            groups=rows[f"@{ours.group}"].to_numpy() if ours.group else None,
            resamples=spec.evaluation.resamples,
            confidence=spec.evaluation.confidence,
            seed=spec.model.seed,
            positive=spec.evaluation.positive,
        )
    except NotEvaluated as error:
        return Judgement("kept", f"not evaluated, so the champion stays: {error}")
    return judge(comparison, spec.registry.margin)


def _entry(
    version: RegisteredVersion, event, reason: str, context: dg.AssetExecutionContext, previous: int | None = None
) -> Entry:
    return Entry(
        system=version.system,
        event=event,
        version=version.version,
        previous=previous,
        reason=reason,
        model_digest=version.model_digest,
        report_digest=version.digest,
        run_id=context.run.run_id,
    )


def _promotion(
    version: RegisteredVersion, in_force: Entry | None, judgement: Judgement, context: dg.AssetExecutionContext
) -> Entry:
    """The next generation after the promotion that ``version`` was compared with, and no later one."""
    from dataclasses import replace

    previous = in_force.version if in_force else None
    generation = 1 + ((in_force.generation or 0) if in_force else 0)
    return replace(_entry(version, "promoted", judgement.reason, context, previous), generation=generation)


def _decision(
    spec: SystemSpec, challenger: RegisteredVersion, previous: int | None, judgement: Judgement
) -> ChampionDecision:
    comparison = judgement.comparison
    promoted = judgement.decision == "promoted"
    return ChampionDecision(
        system=challenger.system,
        digest=challenger.digest,
        declaration=declaration_digest(spec),
        version=challenger.version,
        decision=judgement.decision,
        champion=challenger.version if promoted or previous is None else previous,
        previous=previous,
        reason=judgement.reason,
        metric=comparison.metric if comparison else None,
        difference=comparison.difference if comparison else None,
        interval=comparison.interval if comparison else None,
        rows=comparison.rows if comparison else None,
    )
