"""The schedules of a system, in UTC, as its declaration says."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from mlops_assets.automation.jobs import Jobs
from mlops_assets.automation.state import default_status
from mlops_assets.declaration.spec import SystemSpec


def schedules(spec: SystemSpec, jobs: Jobs) -> list[dg.ScheduleDefinition]:
    """One schedule per declared cron."""
    declared = ((jobs.training, spec.automation.train), (jobs.ingestion, spec.automation.ingest))
    return [_schedule(job, cron) for job, cron in declared if cron]


def _schedule(job: UnresolvedAssetJobDefinition, cron: str) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name=f"{job.name}_schedule",
        job=job,
        cron_schedule=cron,
        execution_timezone="UTC",
        description=f"Starts {job.name} at {cron!r} UTC.",
        default_status=default_status(dg.DefaultScheduleStatus),
    )
