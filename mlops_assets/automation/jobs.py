"""The jobs of a system: ingestion, training, and the whole lifecycle."""

from typing import NamedTuple

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.storage.tags import MAX_RUNTIME_SECONDS_TAG

from mlops_assets.declaration.spec import SystemSpec

TRAINING = ("features", "model", "evaluation", "registered_version", "champion")


class Jobs(NamedTuple):
    """The three jobs of one system; runs that carry one ``system`` tag never overlap."""

    ingestion: UnresolvedAssetJobDefinition
    training: UnresolvedAssetJobDefinition
    lifecycle: UnresolvedAssetJobDefinition


def jobs(spec: SystemSpec) -> Jobs:
    """The jobs of ``spec``."""
    return Jobs(
        ingestion=_job(spec, "ingestion", ("dataset",), "Read every landed batch into the dataset."),
        training=_job(spec, "training", TRAINING, "Train on the dataset as it is, evaluate, register, promote."),
        lifecycle=_job(spec, "lifecycle", ("dataset", *TRAINING), "Everything: from landed files to the champion."),
    )


def _job(spec: SystemSpec, name: str, stages: tuple[str, ...], description: str) -> UnresolvedAssetJobDefinition:
    return dg.define_asset_job(
        f"{spec.name}_{name}",
        selection=dg.AssetSelection.assets(*(dg.AssetKey([spec.name, stage]) for stage in stages)),
        description=description,
        tags={"system": spec.name, MAX_RUNTIME_SECONDS_TAG: str(spec.automation.timeout.of(*stages))},
    )
