"""Evidence: what was recorded about a model, read back from where it is stored and found unchanged."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import GateRefused, StorageError
from mlops_assets.evaluation.gate_history import CHECK as BOUNDS_CHECK
from mlops_assets.evaluation.gates_elsewhere import looser_than_elsewhere
from mlops_assets.evaluation.terms import declared_terms
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.model.artefact import digest
from mlops_assets.model.prediction_intervals import FILE, read_intervals
from mlops_assets.model.version import ModelVersion
from mlops_assets.registry.manifest import MODEL, fetched, manifest_digest, places, require_as_sealed
from mlops_assets.registry.session import RegistrySession
from mlops_assets.registry.version import RegisteredVersion, require_declared_terms, require_own_report
from mlops_assets.storage.ledger_entry import LOOSENED, LOOSER_THAN_ELSEWHERE
from mlops_assets.storage.storage import Storage
from mlops_assets.verdict import Verdict

if TYPE_CHECKING:
    import pandas as pd

    from mlops_assets.evaluation.report.report import Report
    from mlops_assets.metrics.outcomes import Predictions


def passed_report(session: RegistrySession, model: ModelVersion) -> EvaluationReport:
    """The newest report of exactly ``model`` on its own features, re-read and found unchanged and passed.

    Raises:
        GateRefused: without a report, with a blocking gate not passed, or judged by other terms than declared.
        StorageError: if the stored report is not the one that was recorded.
    """
    history = session.storage.records.history(EvaluationReport, model.system)
    reports = [report for report in history if report.is_about(model)]
    if not reports:
        raise GateRefused(
            f"{model.system} model {model.digest[:12]} has no evaluation report. Remedy: materialise evaluation"
        )
    report = _stored_report(session, reports[-1])
    require_own_report(report.model_digest, report.features_digest, report.gates, model)
    if report.intervals_digest != model.intervals_digest:
        raise GateRefused(
            f"{model.system} model {model.digest[:12]} is refused: its report examined other prediction intervals than "
            "lie beside it. Remedy: materialise evaluation"
        )
    require_declared_terms(declared_terms(session.spec), report.terms, model)
    return reports[-1]


def own_report(session: RegistrySession, version: RegisteredVersion) -> "Report":
    """The report that ``version`` was registered on, re-read, found unchanged and passed.

    Raises:
        GateRefused: if it is about another model, or a blocking gate in it did not pass.
        StorageError: if it is gone or not the one that was recorded.
    """
    model = model_of(session.storage, version)
    report = _stored_report(session, report_of(session.storage, version))
    require_own_report(report.model_digest, report.features_digest, report.gates, model)
    return report


def loosened(spec: SystemSpec, report: EvaluationReport) -> dict[str, str]:
    """What asks for less than of the champion before or in another environment, for the ledger; empty if nothing."""
    judged = next((verdict for verdict in report.verdicts if verdict.name == BOUNDS_CHECK), None)
    before = {LOOSENED: judged.reason} if judged and judged.outcome == "failed" else {}
    elsewhere = "; ".join(map(str, looser_than_elsewhere(spec)))
    return {**before, LOOSER_THAN_ELSEWHERE: elsewhere} if elsewhere else before


def _stored_report(session: RegistrySession, record: EvaluationReport) -> "Report":
    from mlops_assets.evaluation.report.report_format import read_report

    text = session.fetch(record.report_uri).read_bytes()
    computed = hashlib.sha256(text).hexdigest()
    if computed != record.digest:
        raise StorageError(
            f"The stored report of {record.system} model {record.model_digest[:12]} has digest {computed[:12]}, "
            f"recorded was {record.digest[:12]}: it was changed. Remedy: materialise evaluation again"
        )
    return read_report(text)


def stored_predictions(session: RegistrySession, report: EvaluationReport) -> "pd.DataFrame":
    """The test predictions that the report was made from."""
    from mlops_assets.evaluation.stored_predictions import read_predictions

    return read_predictions(session.fetch(report.predictions_uri), report.predictions_digest)


def round_trip(session: RegistrySession, model: ModelVersion, stored: "pd.DataFrame", fetched: Path) -> Verdict:
    """Whether the model in ``fetched`` repeats every ``stored`` test prediction bit for bit."""
    from mlops_assets.evaluation.stored_predictions import different_rows
    from mlops_assets.features.table import read_features
    from mlops_assets.model.artefact import load
    from mlops_assets.model.prediction import predict

    features = features_of(session.storage, model)
    test = read_features(session.storage, features, "test")
    pipeline = load(fetched / "model.skops", model.digest, declared=model.declared)
    different = different_rows(stored, test, predict(pipeline, test.loc[:, features.names]))
    return Verdict(
        name="round_trip",
        outcome="passed" if different == 0 else "failed",
        value=float(different),
        bound=0.0,
        rows=len(test),
        reason=f"{different} of {len(test)} test predictions differ from the stored ones; none may",
    )


def scored(session: RegistrySession, version: RegisteredVersion, rows: "pd.DataFrame") -> "tuple[Predictions, int]":
    """What a registered version, fetched from the registry, says about ``rows``; and the bytes of its artefact.

    Raises:
        StorageError: if the artefact is not the one that was registered.
    """
    from mlops_assets.model.artefact import load
    from mlops_assets.model.prediction import predict

    path = fetched_artefact(session, version)
    declared = model_of(session.storage, version).declared
    return predict(load(path, version.model_digest, declared=declared), rows), path.stat().st_size


def fetched_artefact(session: RegistrySession, version: RegisteredVersion) -> Path:
    """The artefact of a registered version, as the registry has it now, in a folder that is as it was sealed.

    Raises:
        StorageError: if a file of it was changed or added, or is missing.
    """
    folders = fetched(session.fetch, {MODEL: f"models:/{version.system}/{version.version}"})
    if version.manifest:
        require_as_sealed(version.name, version.manifest, folders)
    return folders[MODEL] / "model.skops"


def require_sealed(session: RegistrySession, version: RegisteredVersion) -> str:
    """Say that every file which ``version`` rests on in MLflow is as it was sealed when it was registered.

    Raises:
        StorageError: if one is not, or the record's manifest is not the one of the ledger.
    """
    entry = session.ledger.latest(version.system, "registered", version=version.version)
    noted = entry.details.get("manifest") if entry else manifest_digest(version.manifest)
    if noted is None and not version.manifest:
        return "registered by a release that sealed artefact, report and predictions, and no other file"
    if noted != manifest_digest(version.manifest):
        raise StorageError(
            f"{version.name} was registered with another manifest than its record has. "
            "Remedy: restore the database of the records"
        )
    files = require_as_sealed(version.name, version.manifest, fetched_places(session, version))
    return f"{files} files are as they were sealed"


def fetched_places(session: RegistrySession, version: RegisteredVersion) -> dict[str, Path]:
    """Every place that ``version`` rests on in MLflow, as it is now.

    Raises:
        StorageError: if MLflow has nothing at one.
    """
    model, report = model_of(session.storage, version), report_of(session.storage, version)
    return fetched(session.fetch, places(version.system, version.version, model, report))


def model_of(storage: Storage, version: RegisteredVersion) -> ModelVersion:
    """The record of the model that ``version`` was registered from: an equal one on other features is another.

    Of equal trainings it is the registered one, where its URI says which that was.
    """
    named, own = (ModelVersion, version.system, version.model_digest), {"features_digest": version.features_digest}
    return storage.records.find(*named, **own, uri=version.model_uri) or storage.records.get(*named, **own)


def report_of(storage: Storage, version: RegisteredVersion) -> EvaluationReport:
    """The record of the report that ``version`` was registered on; of equal ones, whose files it was sealed with."""
    named = EvaluationReport, version.system, version.digest
    return storage.records.find(*named, predictions_uri=version.predictions_uri) or storage.records.get(*named)


def features_of(storage: Storage, model: ModelVersion) -> FeaturesVersion:
    """The record of the features that ``model`` was trained on."""
    return storage.records.get(FeaturesVersion, model.system, model.features_digest)


def require_unchanged(session: RegistrySession, version: RegisteredVersion) -> None:
    """Raise StorageError or GateRefused unless every file of ``version`` is what was registered."""
    require_sealed(session, version)
    own_report(session, version)
    path = fetched_artefact(session, version)
    if version.intervals_digest is not None:
        read_intervals(path.with_name(FILE), version.intervals_digest)
    computed = digest(path)
    if computed != version.model_digest:
        raise StorageError(
            f"{version.name} holds the artefact {computed[:12]}, registered was {version.model_digest[:12]}. "
            "Remedy: restore the file, or choose another version"
        )
