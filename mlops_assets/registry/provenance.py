"""Evidence: what was recorded about a model, read back from where it is stored and found unchanged."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_assets.errors import GateRefused, StorageError
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.model.artefact import digest
from mlops_assets.model.prediction_intervals import FILE, read_intervals
from mlops_assets.model.version import ModelVersion
from mlops_assets.registry.session import RegistrySession
from mlops_assets.registry.version import RegisteredVersion, require_declared_gates, require_own_report
from mlops_assets.storage.storage import Storage
from mlops_assets.verdict import Verdict

if TYPE_CHECKING:
    import pandas as pd

    from mlops_assets.evaluation.report.report import Report
    from mlops_assets.metrics.outcomes import Predictions


def passed_report(session: RegistrySession, model: ModelVersion) -> EvaluationReport:
    """The newest report of exactly ``model``, re-read from where it is stored and found unchanged and passed.

    Raises:
        GateRefused: without a report, with a blocking gate not passed, or judged by other gates than declared.
        StorageError: if the stored report is not the one that was recorded.
    """
    history = session.storage.records.history(EvaluationReport, model.system)
    reports = [report for report in history if report.model_digest == model.digest]
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
    require_declared_gates(session.spec.evaluation.gates, report.gates, model)
    return reports[-1]


def own_report(session: RegistrySession, version: RegisteredVersion) -> "Report":
    """The report that ``version`` was registered on, re-read, found unchanged and passed.

    Raises:
        GateRefused: if it is about another model, or a blocking gate in it did not pass.
        StorageError: if it is gone or not the one that was recorded.
    """
    record = session.storage.records.get(EvaluationReport, version.system, version.digest)
    report = _stored_report(session, record)
    require_own_report(report.model_digest, report.features_digest, report.gates, model_of(session.storage, version))
    return report


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
    """The artefact of a registered version, as the registry has it now."""
    return session.fetch_version(version.version) / "model.skops"


def model_of(storage: Storage, version: RegisteredVersion) -> ModelVersion:
    """The record of the model that ``version`` was registered from."""
    return storage.records.get(ModelVersion, version.system, version.model_digest)


def features_of(storage: Storage, model: ModelVersion) -> FeaturesVersion:
    """The record of the features that ``model`` was trained on."""
    return storage.records.get(FeaturesVersion, model.system, model.features_digest)


def require_unchanged(session: RegistrySession, version: RegisteredVersion) -> None:
    """Raise StorageError or GateRefused unless artefact and report of ``version`` are what was registered."""
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
