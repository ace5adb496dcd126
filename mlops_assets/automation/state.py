"""Whether schedules and sensors start by themselves: on a shared environment, not on a laptop."""

import os
from functools import cache
from typing import TypeVar

import dagster as dg

from mlops_assets.settings import Settings

Status = TypeVar("Status", dg.DefaultScheduleStatus, dg.DefaultSensorStatus)


def default_status(kind: type[Status]) -> Status:
    """RUNNING in staging and prod, STOPPED elsewhere (the UI switches them on)."""
    return kind.STOPPED if _strict(os.environ.get("MLOPS_ENV")) else kind.RUNNING


@cache
def _strict(_: str | None) -> bool:
    """Settings are read once per environment: a hundred systems ask three hundred times."""
    return Settings().strict
