"""What a system declares about when and where it runs."""

from pydantic import Field, field_validator

from mlops_assets.declaration.base import Declared

HOUR = 3600


class TimeoutSpec(Declared):
    """Seconds that each step may take; past them it fails by name, and the queue of the system is free again."""

    dataset: int = Field(default=2 * HOUR, gt=0)
    """Reading what has landed."""
    features: int = Field(default=2 * HOUR, gt=0)
    """Engineering, split and checks."""
    model: int = Field(default=12 * HOUR, gt=0)
    """Fitting, with every trial of a search."""
    evaluation: int = Field(default=2 * HOUR, gt=0)
    """Metrics, gates and report."""
    registered_version: int = Field(default=HOUR, gt=0)
    """Registration and its proofs."""
    champion: int = Field(default=HOUR, gt=0)
    """Comparison with the champion, and promotion."""

    def of(self, *stages: str) -> int:
        """The limits of ``stages``, added up."""
        return sum(getattr(self, stage) for stage in stages)


class AutomationSpec(Declared):
    """When the jobs of a system start."""

    train: str | None = None
    """Cron schedule of training, in UTC."""
    ingest: str | None = None
    """Cron schedule of ingestion, in UTC."""
    on_new_data: bool = True
    """Ingest when a batch has landed, and train when that gave a new dataset version."""
    timeout: TimeoutSpec = TimeoutSpec()
    """How long a step may take; a job may take as long as its steps together."""

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
