"""The watch over a system's registry: aliases that a hand has moved, and approvals given in the MLflow UI."""

from dataclasses import replace

import dagster as dg

from mlops_assets.asset import check_evaluation
from mlops_assets.automation.announcement import is_shown, materialization
from mlops_assets.automation.state import default_status
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import MlopsError
from mlops_assets.registry.aliases import MovedAlias
from mlops_assets.registry.approval import approve
from mlops_assets.registry.reconciliation import reconcile, verdict
from mlops_assets.registry.session import RegistrySession
from mlops_assets.resources.model_registry import APPROVAL_REASON_TAG, APPROVED_TAG, REFUSED_TAG
from mlops_assets.resources.notification import Notification
from mlops_assets.resources.redaction import redacted, redacting
from mlops_assets.resources.storage import StorageResource
from mlops_assets.resources.tracking import MlflowTracking

LONGEST_NAME = 200


def registry_watch(spec: SystemSpec) -> dg.SensorDefinition:
    """The sensor that keeps the registry's aliases and the ledger together."""

    @dg.sensor(
        name=f"{spec.name}_registry_watch",
        minimum_interval_seconds=60,
        description="Marks an alias that was moved by hand as ungated, and carries out approvals given as a tag.",
        default_status=default_status(dg.DefaultSensorStatus),
    )
    @redacting()
    def sensor(
        context: dg.SensorEvaluationContext,
        storage: StorageResource,
        tracking: MlflowTracking,
        notification: Notification,
    ) -> dg.SensorResult | dg.SkipReason:
        session = RegistrySession(spec, storage.open(), tracking, f"sensor {spec.name}_registry_watch")
        tracking.ping()
        answers = _approvals(session)
        moved = reconcile(session)
        seen = verdict(session, moved)
        if moved and context.cursor != seen.model_dump_json():
            notification.send(session.storage, _message(spec, moved))
        context.log.info(f"{seen.reason}. {' '.join(answers)}")
        changed = context.cursor != seen.model_dump_json()
        events = [*([check_evaluation(spec, "champion", seen)] if changed else []), *_unseen(context, session)]
        if not events:
            return dg.SkipReason(" ".join([f"{seen.reason}.", *answers]))
        return dg.SensorResult(asset_events=events, cursor=seen.model_dump_json())

    return sensor


def _unseen(context: dg.SensorEvaluationContext, session: RegistrySession) -> list[dg.AssetMaterialization]:
    """The champion in force, where Dagster shows another: it was made so outside a run."""
    entry = session.ledger.champion(session.system)
    shown = entry is None or is_shown(context.instance, session.spec, entry)
    return [] if entry is None or shown else [materialization(session.spec, entry)]


def _approvals(session: RegistrySession) -> list[str]:
    """Carry out, or refuse, what was approved by tag since, in the name that the tag claims; it is taken off."""
    answers = []
    for version in session.registry.versions():
        if (who := version.tags.get(APPROVED_TAG)) is None:
            continue
        number, reason = int(version.version), version.tags.get(APPROVAL_REASON_TAG, "")
        answers.append(_approved(session, number, who.strip()[:LONGEST_NAME], reason))
        session.registry.untag(number, APPROVED_TAG)
    return answers


def _approved(session: RegistrySession, number: int, who: str, reason: str) -> str:
    try:
        approve(replace(session, actor=who, door="MLflow tag"), number, reason)
    except MlopsError as error:  # said to the person where they asked, and kept in the ledger
        session.registry.tag(number, REFUSED_TAG, redacted(str(error))[:5000])
        return f"The approval of version {number} by {who} is refused: {error}."
    session.registry.untag(number, REFUSED_TAG)
    return f"Version {number} is champion, approved by {who}."


def _message(spec: SystemSpec, moved: list[MovedAlias]) -> dict[str, object]:
    return {
        "event": "alias_moved_by_hand",
        "system": spec.name,
        "aliases": [vars(alias) for alias in moved],
        "restored": spec.registry.moved_alias == "restore",
    }
