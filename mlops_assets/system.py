"""One system's definitions: the stages of its declaration, wired."""

from collections.abc import Callable
from functools import partial

import dagster as dg

from mlops_assets.automation.jobs import jobs
from mlops_assets.automation.schedules import schedules
from mlops_assets.automation.sensors import sensors
from mlops_assets.dataset.asset import dataset_asset
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import SpecError
from mlops_assets.evaluation.asset import evaluation_asset
from mlops_assets.evaluation.check_name import is_safe, made_safe, mark_of
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
_LONGEST_ERROR = 5_000


def build_system(spec: SystemSpec) -> dg.Definitions:
    """Assets, checks, jobs, schedules and sensors of one system; resources come from the code location."""
    made = jobs(spec)
    return dg.Definitions(
        assets=[stage(spec) for stage in STAGES],
        jobs=list(made),
        schedules=schedules(spec, made),
        sensors=sensors(spec, made),
    )


def built(name: str, build: Callable[[], dg.Definitions], strict: bool) -> dg.Definitions:
    """What ``build`` makes; where it cannot and ``strict`` is off, a failing asset for the folder ``name``."""
    try:
        return build()
    except Exception as error:
        if strict:
            raise
        return broken_system(name, error)


def broken_system(name: str, error: Exception) -> dg.Definitions:
    """A failing asset that carries the error of a declaration from which no system can be made."""
    shown = str(error) if isinstance(error, SpecError) else f"{type(error).__name__}: {error}"
    shown = shown.encode(errors="backslashreplace").decode()[:_LONGEST_ERROR]
    key = made_safe(name) if is_safe(name) else f"{made_safe(name)}_{mark_of([name])}"

    @dg.asset(
        key=dg.AssetKey([key, "declaration"]),
        group_name=key,
        description=f"**This system's declaration is wrong; nothing of it runs.**\n\n```\n{shown}\n```",
        tags={"system": key[:63]},
        metadata={"error": shown},
    )
    def declaration() -> None:
        raise dg.Failure(shown, allow_retries=False)

    return dg.Definitions(assets=[declaration])
