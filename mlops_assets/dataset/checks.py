"""Checks: what can be said about offered batches and about one version of the dataset."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mlops_assets.dataset.version import BatchOutcome, DatasetVersion
from mlops_assets.verdict import Verdict

if TYPE_CHECKING:
    from mlops_assets.dataset.spec import DatasetSpec, DuplicatesSpec, FreshnessSpec, VolumeSpec


def contract_verdict(outcomes: Iterable[BatchOutcome]) -> Verdict:
    """Whether every batch that an ingestion was offered met the contract; names those that did not."""
    outcomes = list(outcomes)
    rejected = [outcome for outcome in outcomes if outcome.outcome == "rejected"]
    quarantined = sum(outcome.quarantined for outcome in outcomes)
    reason = f"{len(outcomes)} new batches, {quarantined} rows quarantined"
    if rejected:
        reason = "; ".join(f"{outcome.original!r} was rejected: {outcome.reason}" for outcome in rejected)
    return Verdict(
        name="contract",
        outcome="failed" if rejected else "passed",
        reason=reason,
        value=float(len(rejected)),
        bound=0.0,
        rows=sum(outcome.rows for outcome in outcomes),
        details={"rejected": [_shown(outcome) for outcome in rejected], "quarantined": quarantined},
    )


def content_verdicts(version: DatasetVersion, dataset: "DatasetSpec", now: datetime | None = None) -> list[Verdict]:
    """The verdicts on what the dataset holds: duplicates, volume, and freshness where that is declared."""
    verdicts = [_duplicates(version, dataset.duplicates), _volume(version, dataset.volume)]
    if dataset.freshness is not None:
        verdicts.append(_freshness(version, dataset.freshness, now or datetime.now(UTC)))
    return verdicts


def _duplicates(version: DatasetVersion, spec: "DuplicatesSpec") -> Verdict:
    share = version.duplicates / version.rows if version.rows else 0.0
    reason = f"{version.duplicates} of {version.rows} rows ({share:.1%}) repeat an earlier row, {spec.at_most:.1%} may"
    return Verdict(
        name="duplicates",
        outcome="passed" if share <= spec.at_most else "failed",
        severity=spec.severity,
        reason=reason,
        value=share,
        bound=spec.at_most,
        rows=version.rows,
    )


def _volume(version: DatasetVersion, spec: "VolumeSpec") -> Verdict:
    too_many = spec.max_rows is not None and version.rows > spec.max_rows
    expected = f"at least {spec.min_rows}" + (f" and at most {spec.max_rows}" if spec.max_rows else "")
    return Verdict(
        name="volume",
        outcome="passed" if version.rows >= spec.min_rows and not too_many else "failed",
        severity=spec.severity,
        reason=f"{version.rows} rows, expected are {expected}",
        value=float(version.rows),
        bound=float(spec.max_rows if too_many and spec.max_rows else spec.min_rows),
        rows=version.rows,
    )


def _freshness(version: DatasetVersion, spec: "FreshnessSpec", now: datetime) -> Verdict:
    days = (now - version.newest_landed_at).total_seconds() / 86_400
    return Verdict(
        name="freshness",
        outcome="passed" if days <= spec.max_age_days else "failed",
        severity=spec.severity,
        reason=f"the newest batch landed {days:.1f} days ago, {spec.max_age_days:g} are allowed",
        value=days,
        bound=spec.max_age_days,
        rows=version.rows,
    )


def _shown(outcome: BatchOutcome) -> dict[str, object]:
    return {
        "batch": outcome.digest,
        "file": outcome.original,
        "reason": outcome.reason,
        "violations": outcome.violations,
    }
