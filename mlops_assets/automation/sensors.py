"""The sensors of a system: new batches start ingestion, a new dataset version starts training."""

import hashlib
from collections.abc import Sequence

import dagster as dg

from mlops_assets.automation.jobs import Jobs
from mlops_assets.automation.registry_watch import registry_watch
from mlops_assets.automation.state import default_status
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.resources.redaction import redacting
from mlops_assets.resources.storage import StorageResource

ATTEMPTS = 3
"""Runs tried for one set of pending batches before a person must look."""
BATCHES_TAG = "mlops/batches"


def sensors(spec: SystemSpec, jobs: Jobs) -> list[dg.SensorDefinition]:
    """The watch over the registry; and over new data, unless the declaration says ``on_new_data: false``."""
    on_new_data = [new_batches(spec, jobs), new_dataset_version(spec, jobs)] if spec.automation.on_new_data else []
    return [*on_new_data, registry_watch(spec)]


def new_batches(spec: SystemSpec, jobs: Jobs) -> dg.SensorDefinition:
    """Start ingestion when batches have landed that no run has read."""

    @dg.sensor(
        name=f"{spec.name}_new_batches",
        job=jobs.ingestion,
        minimum_interval_seconds=30,
        description=f"Starts {jobs.ingestion.name} when a file has landed.",
        default_status=default_status(dg.DefaultSensorStatus),
    )
    @redacting()
    def sensor(context: dg.SensorEvaluationContext, storage: StorageResource) -> dg.RunRequest | dg.SkipReason:
        from mlops_assets.dataset.landing import pending_names

        names = pending_names(storage.open(), spec.name)
        if not names:
            return dg.SkipReason("No new batch.")
        return _request(context, names)

    return sensor


def new_dataset_version(spec: SystemSpec, jobs: Jobs) -> dg.SensorDefinition:
    """Start training once per dataset version; a lifecycle run trains by itself."""

    @dg.asset_sensor(
        asset_key=dg.AssetKey([spec.name, "dataset"]),
        name=f"{spec.name}_new_dataset_version",
        job=jobs.training,
        minimum_interval_seconds=30,
        description=f"Starts {jobs.training.name} once for every new version of the dataset.",
        default_status=default_status(dg.DefaultSensorStatus),
    )
    def sensor(context: dg.SensorEvaluationContext, asset_event: dg.EventLogEntry) -> dg.RunRequest | dg.SkipReason:
        version = _data_version(asset_event)
        if version is None:
            return dg.SkipReason("The materialisation carries no data version.")
        if asset_event.job_name == jobs.lifecycle.name:
            return dg.SkipReason(f"Run {asset_event.run_id} trains on this version itself.")
        return dg.RunRequest(run_key=f"{spec.name}-{version}", tags={"mlops/dataset": version[:24]})

    return sensor


def _data_version(event: dg.EventLogEntry) -> str | None:
    materialization = event.asset_materialization
    return (materialization.tags or {}).get("dagster/data_version") if materialization else None


def _request(context: dg.SensorEvaluationContext, names: Sequence[str]) -> dg.RunRequest | dg.SkipReason:
    """One run at a time for one set of batches, and a new attempt when it ended without reading them."""
    key = hashlib.sha256("\n".join(sorted(names)).encode(errors="surrogateescape")).hexdigest()[:16]
    runs = context.instance.get_runs(dg.RunsFilter(tags={BATCHES_TAG: key}), limit=ATTEMPTS)
    if any(not run.is_finished for run in runs):
        return dg.SkipReason(f"A run is reading these {len(names)} batches.")
    if len(runs) >= ATTEMPTS:
        return dg.SkipReason(f"{ATTEMPTS} runs did not read these {len(names)} batches. Look at run {runs[0].run_id}.")
    return dg.RunRequest(run_key=f"{key}-{len(runs)}", tags={BATCHES_TAG: key})
