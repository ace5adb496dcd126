"""What a system declares about when and where it runs."""

from pydantic import Field, field_validator

from mlops_assets.declaration.base import Declared


class AutomationSpec(Declared):
    """When the jobs of a system start."""

    train: str | None = None
    """Cron schedule of training, in UTC."""
    ingest: str | None = None
    """Cron schedule of ingestion, in UTC."""
    on_new_data: bool = True
    """Ingest when a batch has landed, and train when that gave a new dataset version."""

    @field_validator("train", "ingest")
    @classmethod
    def _is_cron(cls, schedule: str | None) -> str | None:
        if schedule is not None:
            from dagster._utils.schedules import is_valid_cron_schedule

            if not is_valid_cron_schedule(schedule):
                raise ValueError(f"{schedule!r} is not a cron schedule such as '0 2 * * *'")
        return schedule


class ResourcesSpec(Declared):
    """What one step may use on a cluster."""

    cpu: float = Field(default=1, gt=0)
    """Cores."""
    memory: str = Field(default="2Gi", pattern=r"^\d+(\.\d+)?(Ki|Mi|Gi|Ti)$")
    """Memory, as Kubernetes writes it."""
    gpu: int = Field(default=0, ge=0)
    """GPUs of the model step."""
