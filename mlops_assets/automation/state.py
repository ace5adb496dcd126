"""Whether schedules and sensors start by themselves: on a shared environment, not on a laptop."""

from typing import TypeVar

import dagster as dg

from mlops_assets.settings import Settings

Status = TypeVar("Status", dg.DefaultScheduleStatus, dg.DefaultSensorStatus)


def default_status(kind: type[Status]) -> Status:
    """RUNNING in staging and prod, STOPPED elsewhere (the UI switches them on)."""
    return kind.STOPPED if Settings().strict else kind.RUNNING
