"""Announcement: the champion of the ledger, shown by Dagster also where no run made it champion."""

import logging

import dagster as dg

from mlops_assets.asset import asset_key
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.resources.instance import opened_instance, prepare_instance
from mlops_assets.settings import Settings
from mlops_assets.storage.ledger_entry import Entry

STAGE = "champion"
logger = logging.getLogger("mlops_assets.announcement")


def announce(settings: Settings, spec: SystemSpec, entry: Entry) -> str:
    """Tell the instance of the champion that ``entry`` made; return why that was not possible, empty if it was.

    The ledger is right in any case: what Dagster did not learn now, the sensor of the registry shows it later.
    """
    try:
        prepare_instance(settings)
        with opened_instance(settings) as instance:
            instance.report_runless_asset_event(materialization(spec, entry))
    except Exception as error:
        logger.exception("Dagster was not told of %s version %s", spec.name, entry.version)
        return f"Dagster does not show it yet ({type(error).__name__}). Remedy: mlops doctor"
    return ""


def materialization(spec: SystemSpec, entry: Entry) -> dg.AssetMaterialization:
    """What a run that made this champion would have reported."""
    shown = {
        "champion": entry.version,
        "decision": entry.event,
        "reason": entry.reason,
        "actor": entry.actor,
        "generation": entry.generation,
    }
    return dg.AssetMaterialization(
        asset_key=asset_key(spec, STAGE),
        description=f"{entry.event} by {entry.by}, outside a run",
        metadata={name: value for name, value in shown.items() if value is not None},
        tags={
            "dagster/data_version": _data_version(spec, entry),
            "dagster/code_version": spec.digest("registry")[:16],
        },
    )


def is_shown(instance: dg.DagsterInstance, spec: SystemSpec, entry: Entry) -> bool:
    """Whether the newest champion that Dagster shows is that of ``entry``."""
    event = instance.get_latest_materialization_event(asset_key(spec, STAGE))
    newest = event.asset_materialization if event else None
    return bool(newest and (newest.tags or {}).get("dagster/data_version") == _data_version(spec, entry))


def _data_version(spec: SystemSpec, entry: Entry) -> str:
    return f"{spec.name}/{entry.version}"
