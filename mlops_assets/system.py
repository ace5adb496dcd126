"""One system's definitions: the stages of its declaration, wired."""

from functools import partial

import dagster as dg

from mlops_assets.automation.jobs import jobs
from mlops_assets.automation.schedules import schedules
from mlops_assets.automation.sensors import sensors
from mlops_assets.dataset.asset import dataset_asset
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import SpecError
from mlops_assets.evaluation.asset import evaluation_asset
from mlops_assets.features.asset import features_asset
from mlops_assets.model.asset import model_asset
from mlops_assets.preflight import check_code
from mlops_assets.registry.asset import champion_asset, registered_version_asset
from mlops_assets.registry.predecessors import predecessors

STAGES = (
    partial(dataset_asset, check_code=check_code),
    partial(features_asset, check_code=check_code),
    partial(model_asset, check_code=check_code),
    partial(evaluation_asset, predecessors=predecessors),
    registered_version_asset,
    champion_asset,
)


def build_system(spec: SystemSpec) -> dg.Definitions:
    """Assets, checks, jobs, schedules and sensors of one system; resources come from the code location."""
    made = jobs(spec)
    return dg.Definitions(
        assets=[stage(spec) for stage in STAGES],
        jobs=list(made),
        schedules=schedules(spec, made),
        sensors=sensors(spec, made),
    )


def broken_system(name: str, error: SpecError) -> dg.Definitions:
    """A failing asset that carries the error of a declaration that could not be read."""

    @dg.asset(
        key=dg.AssetKey([name, "declaration"]),
        group_name=name,
        description=f"**This system's declaration is wrong; nothing of it runs.**\n\n```\n{error}\n```",
        tags={"system": name},
        metadata={"error": str(error)},
    )
    def declaration() -> None:
        raise dg.Failure(str(error), allow_retries=False)

    return dg.Definitions(assets=[declaration])
