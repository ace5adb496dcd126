"""Report format: stored reports of this release and of every earlier one, read as reports of this one."""

import json
from collections.abc import Callable
from typing import Any

from mlops_assets.errors import StorageError
from mlops_assets.evaluation.report import format_1, format_2
from mlops_assets.evaluation.report.report import FORMAT, Report

Body = dict[str, Any]
"""A report as parsed JSON."""


def read_report(stored: bytes | str) -> Report:
    """The report in the bytes of a ``report.json``; its digest is that of the bytes, which another format changes.

    Raises:
        StorageError: if a newer release wrote it, or it is no report.
    """
    try:
        return Report.model_validate(_upgraded(json.loads(stored)))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StorageError(
            f"The stored report cannot be read by this release: {error}. "
            "Remedy: run the release that wrote it, or materialise evaluation again"
        ) from error


def _upgraded(body: Body) -> Body:
    written = body.get("format", 1)
    if written > FORMAT:
        raise StorageError(
            f"The stored report has format {written}, this release reads up to {FORMAT}. Remedy: run the newer release"
        )
    for upgrade in UPGRADES[written - 1 :]:
        body = upgrade(body)
    return {**body, "format": FORMAT}


UPGRADES: tuple[Callable[[Body], Body], ...] = (format_1.upgraded, format_2.upgraded)
"""From each format to the next, the first from format 1."""
