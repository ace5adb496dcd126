"""Dead runs: their process is gone, yet they stand as started and hold their system's place in the queue."""

import logging
import time
from dataclasses import dataclass
from datetime import datetime

import dagster as dg
from dagster._core.storage.dagster_run import RunRecord
from dagster._core.storage.tags import PARENT_RUN_ID_TAG

from mlops_assets.automation.run_process import LOST, RunProcess, last_sign
from mlops_assets.resources.tracking import MlflowTracking

LAUNCHER_TAG = "mlops/launcher"
"""Run tag: the command that started the run, which the run does not outlive."""
STATUSES = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
BROKEN_OFF = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
CLOSED_UNTIL = "mlops/mlflow runs closed until"
"""Cursor: when the last run was broken off whose MLflow runs are known to be closed."""
EPOCH = "1970-01-01T00:00:00+00:00"
logger = logging.getLogger("mlops_assets.dead_runs")


@dataclass(frozen=True)
class DeadRun:
    """A run that was found dead and is marked as failed."""

    run_id: str
    job: str
    reason: str
    mlflow: str
    """What became of its MLflow runs."""

    def __str__(self) -> str:
        return f"Run {self.run_id} of {self.job} is marked as failed: {self.reason}. {self.mlflow}"


def end_dead_runs(instance: dg.DagsterInstance, tracking: MlflowTracking) -> list[DeadRun]:
    """Mark every run as failed whose process is gone, and its MLflow runs; that frees their systems' queues.

    A run that was interrupted may end in Dagster and be killed before it ends in MLflow: those are closed too.
    """
    records = instance.get_run_records(dg.RunsFilter(statuses=STATUSES))
    causes = [(record, _cause_of_death(instance, record)) for record in records]
    dead = [_ended(instance, tracking, record, cause) for record, cause in causes if cause]
    _close_new_mlflow_runs(instance, tracking)
    return dead


def _close_new_mlflow_runs(instance: dg.DagsterInstance, tracking: MlflowTracking) -> None:
    """Ask MLflow, whose import takes seconds, only when a run was broken off since it was last asked."""
    until = instance.run_storage.get_cursor_values({CLOSED_UNTIL}).get(CLOSED_UNTIL, EPOCH)
    since = dg.RunsFilter(statuses=BROKEN_OFF, updated_after=datetime.fromisoformat(until))
    newest = instance.get_run_records(since, limit=1, order_by="update_timestamp")
    if not newest:
        return
    try:
        close_mlflow_runs(instance, tracking)
    except Exception as error:  # the queue is free all the same, and MLflow is asked again the next time
        logger.warning("MLflow cannot be asked for runs that were broken off: %s", error)
        return
    instance.run_storage.set_cursor_values({CLOSED_UNTIL: newest[0].update_timestamp.isoformat()})


def close_mlflow_runs(instance: dg.DagsterInstance, tracking: MlflowTracking) -> int:
    """Mark MLflow runs as failed that are still running although their Dagster run has ended; return how many."""
    dagster_runs = {run: instance.get_run_by_id(run) for run in tracking.running()}
    return sum(tracking.fail_run(run_id) for run_id, run in dagster_runs.items() if run and run.is_finished)


def _cause_of_death(instance: dg.DagsterInstance, record: RunRecord) -> str:
    """Empty for a run that lives, or of which nothing is known."""
    run = record.dagster_run
    sign = last_sign(instance, run.run_id)
    process, at = (sign.process, sign.at) if sign else (_launcher(run), record.update_timestamp.timestamp())
    if process is None:
        return _never_began(record)
    where = f"process {process.pid} on {process.host.split()[0]}"
    if process.is_here:
        return "" if process.is_running else f"its {where} is gone"
    silent = time.time() - at
    return f"its {where} has given no sign of life for {silent:.0f} s" if silent > LOST else ""


def _never_began(record: RunRecord) -> str:
    """A run of ours gives a sign as soon as it starts; one without was killed before, or is not ours."""
    run, started = record.dagster_run, record.start_time
    if "system" not in run.tags or run.status != dg.DagsterRunStatus.STARTED or started is None:
        return ""
    silent = time.time() - started
    return f"it has not begun to execute in the {silent:.0f} s since its start" if silent > LOST else ""


def _launcher(run: dg.DagsterRun) -> RunProcess | None:
    """Re-executed runs have the tags of the first, and another process."""
    text = run.tags.get(LAUNCHER_TAG)
    return RunProcess.parsed(text) if text and PARENT_RUN_ID_TAG not in run.tags else None


def _ended(instance: dg.DagsterInstance, tracking: MlflowTracking, record: RunRecord, reason: str) -> DeadRun:
    run = record.dagster_run
    mlflow = _mlflow_ended(tracking, run.run_id)
    dead = DeadRun(run.run_id, run.job_name, reason, mlflow)
    if run.status == dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, str(dead))
    else:
        instance.report_run_failed(run, str(dead))
    logger.error(str(dead))
    return dead


def _mlflow_ended(tracking: MlflowTracking, run_id: str) -> str:
    """The queue must become free also where MLflow is out of reach; a later look closes them."""
    try:
        return f"Its MLflow runs, {tracking.fail_run(run_id)}, are marked as failed"
    except Exception as error:
        logger.exception("the MLflow runs of run %s stay open", run_id)
        return f"Its MLflow runs stay open ({type(error).__name__}). Remedy: mlops doctor"
