"""What role a launched run asks for: training as it is declared, a hand on what is decided, or anything else."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from mlops_assets.settings import UiRole

DECIDING = {
    "registered_version": {"model", "evaluation"},
    "champion": {"model", "evaluation", "registered_version"},
}
"""Stages that decide over a version, and those that a run must hold as well to decide over what it has trained."""
TARGETS = {"jobName", "pipelineName", "repositoryName", "repositoryLocationName", "assetSelection"}
CHECKS = "assetCheckSelection"
"""The UI lists the checks of the selected assets beside them."""
KEYS = {"selector", "runConfigData", "mode", "executionMetadata", "stepKeys", "preset"}
TAGS = {
    *("dagster/from_ui", "dagster/solid_selection", "dagster/step_selection"),
    *("dagster/max_runtime", "dagster/priority", "system"),
}
"""Tags that anyone may give a run. Others choose images, pods and queues: an administrator's business."""


def role_for_run(parameters: object) -> UiRole:
    """The least role that may launch a run with these ``executionParams``.

    A trainer launches jobs as they are declared, and selections of assets in which nothing is decided over a model
    that the run does not train. A promoter selects freely. Run configuration reaches databases, images and commands:
    it is for an admin.

    Example:
        >>> role_for_run({"selector": {"jobName": "wine_quality_training"}, "runConfigData": "{}"})
        'trainer'
        >>> role_for_run({"selector": {"jobName": "wine_quality_training"}, "stepKeys": ["wine_quality__champion"]})
        'promoter'
        >>> role_for_run({"selector": {"jobName": "wine_quality_training"}, "runConfigData": "{resources: {}}"})
        'admin'
    """
    if not isinstance(parameters, Mapping) or not set(_given(parameters)) <= KEYS:
        return "admin"
    if not (_is_plain_config(parameters) and _has_plain_tags(parameters.get("executionMetadata"))):
        return "admin"
    selector = parameters.get("selector")
    if not isinstance(selector, Mapping):
        return "admin"
    whole = not parameters.get("stepKeys") and set(_given(selector)) <= {*TARGETS, CHECKS} and _has_own_checks(selector)
    return "trainer" if whole and _judges_what_it_decides(selector.get("assetSelection")) else "promoter"


def _given(values: Mapping[str, object]) -> Iterator[str]:
    return (key for key, value in values.items() if value)


def _is_plain_config(parameters: Mapping[str, object]) -> bool:
    config = parameters.get("runConfigData")
    empty = config.strip() in ("", "{}") if isinstance(config, str) else not config
    return empty and not parameters.get("preset") and parameters.get("mode") in (None, "", "default")


def _has_plain_tags(metadata: object) -> bool:
    if not metadata:
        return True
    if not isinstance(metadata, Mapping):
        return False
    tags = metadata.get("tags") or []
    tags = tags if isinstance(tags, list) else [tags]
    return set(_given(metadata)) <= {"tags"} and all(
        isinstance(tag, Mapping) and tag.get("key") in TAGS for tag in tags
    )


def _has_own_checks(selector: Mapping[str, object]) -> bool:
    """Whether every selected check belongs to a selected asset."""
    assets = [_path(key) for key in _listed(selector.get("assetSelection"))]
    checks = [check.get("assetKey") if isinstance(check, Mapping) else None for check in _listed(selector.get(CHECKS))]
    return all((path := _path(key)) is not None and path in assets for key in checks)


def _judges_what_it_decides(selection: object) -> bool:
    stages: dict[str, set[str]] = defaultdict(set)
    for key in _listed(selection):
        if (path := _path(key)) is None:
            return False
        stages[path[0]].add(path[1])
    return all(DECIDING.get(stage, set()) <= chosen for chosen in stages.values() for stage in chosen)


def _path(key: object) -> tuple[str, str] | None:
    """System and stage; None for a key of another form."""
    path = key.get("path") if isinstance(key, Mapping) else None
    return (str(path[0]), str(path[1])) if isinstance(path, list) and len(path) == 2 else None


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value] if value else []
