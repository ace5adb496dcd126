"""History: which version was champion when, who put it there, why, and on what evidence."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlops_assets.model.version import ModelVersion
from mlops_assets.registry.version import RegisteredVersion
from mlops_assets.storage.ledger import SUCCESSIONS
from mlops_assets.storage.ledger_entry import moment
from mlops_assets.storage.records import Published

if TYPE_CHECKING:
    from mlops_assets.storage.ledger import Ledger
    from mlops_assets.storage.ledger_entry import Entry, Event
    from mlops_assets.storage.storage import Storage


@dataclass(frozen=True)
class Generation:
    """The time for which one version was champion."""

    system: str
    number: int
    version: int
    since: str
    """UTC, as in the ledger."""
    until: str | None
    """None: it is champion still."""
    event: "Event"
    by: str
    reason: str
    run_id: str
    """Dagster run that promoted it; empty where a person did."""
    model_digest: str
    report_digest: str
    sequence: int
    """Number of its ledger entry."""


@dataclass(frozen=True)
class GenerationEvidence:
    """On what a generation rests: its data, its training, and the comparison that it won."""

    dataset_digest: str
    features_digest: str
    mlflow_run_id: str
    """MLflow run that trained it."""
    dagster_run_id: str
    """Dagster run that trained it."""
    trained_at: str
    judged_at: str = ""
    """When it was compared, or admitted as the first; empty where the ledger has no verdict of it."""
    judged_against: int | None = None
    standing: str = ""
    rows_compared: int | None = None
    rows_digest: str = ""
    """SHA-256 of the identities of the compared rows."""
    comparison: dict[str, Any] = field(default_factory=dict)


def generations(ledger: "Ledger", system: str) -> list[Generation]:
    """Every generation, oldest first."""
    entries = ledger.entries(system, *SUCCESSIONS)
    ends = [entry.at for entry in entries[1:]]
    return [_generation(entry, end) for entry, end in zip(entries, [*ends, None], strict=False)]


def generation_at(ledger: "Ledger", system: str, at: str) -> Generation | None:
    """The generation at a moment (UTC, as the ledger writes it), None before the first; found by index alone."""
    last = ledger.sequence_at(system, at)
    entry = ledger.champion(system, before=last + 1)
    if entry is None:
        return None
    following = ledger.generation(system, (entry.generation or 0) + 1)
    return _generation(entry, following.at if following else None)


def evidence(storage: "Storage", ledger: "Ledger", generation: Generation) -> GenerationEvidence | None:
    """What the records and the ledger keep about ``generation``; None where its registration has no record.

    A version that came back by a rollback was not compared again: its comparison is that of its own promotion.
    """
    system = generation.system
    version = storage.records.find(RegisteredVersion, system, generation.report_digest)
    if version is None:
        return None
    trained = trainings_of(storage, version)
    # Training again gives the same digest in another run; the registered one is named by its URI.
    own = next((model for model in trained if model.record.uri == version.model_uri), trained[0] if trained else None)
    verdict = ledger.latest(system, "verdict", version=generation.version, before=generation.sequence)
    return GenerationEvidence(
        dataset_digest=version.dataset_digest,
        features_digest=version.features_digest,
        mlflow_run_id=own.record.mlflow_run_id if own else "",
        dagster_run_id=own.run_id if own else "",
        trained_at=moment(own.at) if own else "",
        **(_judged(verdict) if verdict else {}),
    )


def trainings_of(storage: "Storage", version: RegisteredVersion) -> list[Published[ModelVersion]]:
    """Every training that gave the model of ``version``, on the features it was registered with, oldest first."""
    models = storage.records.published(ModelVersion, version.system, version.model_digest)
    return [model for model in models if model.record.features_digest == version.features_digest]


def parsed_moment(text: str) -> str:
    """An ISO 8601 date or time as the ledger writes times: UTC, with microseconds; without a zone it is UTC.

    Raises:
        ValueError: if it is no such time.
    """
    try:
        return moment(datetime.fromisoformat(text.strip()))
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{text!r} is not a time in ISO 8601. Remedy: such as 2026-05-01T14:00Z, '2026-05-01 14:00+02:00' or "
            "2026-05-01; without a zone it is UTC"
        ) from error


def _generation(entry: "Entry", until: str | None) -> Generation:
    return Generation(
        system=entry.system,
        number=entry.generation or 0,
        version=entry.version or 0,
        since=entry.at,
        until=until,
        event=entry.event,
        by=entry.by,
        reason=entry.reason,
        run_id=entry.run_id,
        model_digest=entry.model_digest,
        report_digest=entry.report_digest,
        sequence=entry.sequence,
    )


def _judged(verdict: "Entry") -> dict[str, Any]:
    details = verdict.details
    comparison = details.get("comparison", {})
    return {
        "judged_at": verdict.at,
        "judged_against": verdict.previous,
        "standing": details.get("standing", ""),
        "rows_compared": comparison.get("rows"),
        "rows_digest": details.get("rows_digest", ""),
        "comparison": comparison,
    }
