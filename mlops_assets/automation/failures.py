"""What happens when a run fails or its process dies: a log line, failed MLflow runs, a message that waits."""

import json
import logging

import dagster as dg

from mlops_assets.automation.dead_runs import end_dead_runs
from mlops_assets.automation.state import default_status
from mlops_assets.resources.notification import Notification
from mlops_assets.resources.redaction import redacting
from mlops_assets.resources.storage import StorageResource
from mlops_assets.resources.tracking import MlflowTracking

logger = logging.getLogger("mlops_assets.failures")


def run_failures() -> dg.SensorDefinition:
    """The sensor that tells of every failed run."""

    @dg.run_failure_sensor(
        name="run_failures",
        description="Logs every failed run as one JSON line, closes its MLflow runs, and posts it to the webhook.",
        default_status=default_status(dg.DefaultSensorStatus),
    )
    @redacting()
    def sensor(
        context: dg.RunFailureSensorContext,
        storage: StorageResource,
        tracking: MlflowTracking,
        notification: Notification,
    ) -> None:
        run = context.dagster_run
        message = {
            "event": "run_failed",
            "run_id": run.run_id,
            "job": run.job_name,
            "system": run.tags.get("system", ""),
            "steps": [event.step_key for event in context.get_step_failure_events()],
            "error": context.failure_event.message,
        }
        logger.error(json.dumps(message))
        if "mlflow/run_id" in run.tags:
            tracking.fail_run(run.run_id)
        notification.send(storage.open(), message)

    return sensor


def waiting_messages() -> dg.SensorDefinition:
    """The sensor that tries again what the webhook has not taken."""

    @dg.sensor(
        name="waiting_messages",
        minimum_interval_seconds=60,
        description="Posts the messages that wait for the webhook, with growing pauses.",
        default_status=default_status(dg.DefaultSensorStatus),
    )
    @redacting()
    def sensor(
        context: dg.SensorEvaluationContext, storage: StorageResource, notification: Notification
    ) -> dg.SkipReason:
        delivery = notification.deliver(storage.open())
        return dg.SkipReason(f"{delivery.delivered} messages delivered. {delivery.error}".strip())

    return sensor


def dead_runs() -> dg.SensorDefinition:
    """The sensor that frees the queue of a run whose process is gone; it starts nothing, so it runs everywhere."""

    @dg.sensor(
        name="dead_runs",
        minimum_interval_seconds=15,
        description="Marks runs as failed whose process is gone, and their MLflow runs, so that the next can start.",
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def sensor(context: dg.SensorEvaluationContext, tracking: MlflowTracking) -> dg.SkipReason:
        dead = end_dead_runs(context.instance, tracking)
        return dg.SkipReason(" ".join(map(str, dead)) or "Every run that has started lives.")

    return sensor
