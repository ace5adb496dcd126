"""Who may do what in the Dagster UI: four roles, and the mutations that each adds to the one before."""

from collections.abc import Sequence
from typing import get_args

from mlops_assets.settings import UiRole
from mlops_assets.webserver.launches import role_for_run
from mlops_assets.webserver.operations import Call

ROLES: tuple[UiRole, ...] = get_args(UiRole)
"""From the least to the most."""
NEEDS: dict[str, UiRole] = {
    **dict.fromkeys(("__typename", "logTelemetry", "setNuxSeen"), "viewer"),
    **dict.fromkeys(("terminateRun", "terminateRuns", "terminatePipelineExecution"), "trainer"),
    **dict.fromkeys(("cancelPartitionBackfill",), "trainer"),
    **dict.fromkeys(("launchRun", "launchPipelineExecution", "launchMultipleRuns"), "trainer"),
}
"""The least role for each mutation. Of one that is not here, as of any that a later Dagster brings: admin."""
RUNS = {"launchRun", "launchPipelineExecution", "launchMultipleRuns"}


def allows(role: UiRole, needed: UiRole) -> bool:
    """Whether ``role`` is at least the ``needed`` one."""
    return ROLES.index(role) >= ROLES.index(needed)


def highest(roles: Sequence[UiRole]) -> UiRole | None:
    """The one of ``roles`` that may most."""
    return next((role for role in reversed(ROLES) if role in roles), None)


def needed_for(call: Call) -> UiRole:
    """The least role that may make this call of a mutation; for runs it depends on what is launched.

    Example:
        >>> needed_for(Call("terminateRun", {"runId": "1"})), needed_for(Call("wipeAssets", {}))
        ('trainer', 'admin')
        >>> selector = {"jobName": "__ASSET_JOB", "assetSelection": [{"path": ["wine", "champion"]}]}
        >>> needed_for(Call("launchRun", {"executionParams": {"selector": selector}}))
        'promoter'
    """
    if call.name not in RUNS:
        return NEEDS.get(call.name, "admin")
    runs = [*_listed(call.arguments.get("executionParams")), *_listed(call.arguments.get("executionParamsList"))]
    needed: list[UiRole] = [NEEDS[call.name], *map(role_for_run, runs)]
    return highest(needed) or "admin"


def _listed(value: object) -> list[object]:
    """GraphQL takes one value where a list is asked for."""
    if isinstance(value, list):
        return value
    return [value] if value else []
