"""Runs whose process is gone are marked as failed, with their MLflow runs; those that live are left alone."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from mlops_assets.automation import dead_runs as dead_runs_module
from mlops_assets.automation import run_process
from mlops_assets.automation.dead_runs import LAUNCHER_TAG, close_mlflow_runs, end_dead_runs
from mlops_assets.automation.executor import LAUNCHER, watched
from mlops_assets.automation.failures import dead_runs
from mlops_assets.automation.run_process import LOST, RunProcess, give_sign, last_sign
from mlops_assets_tests.platform import Platform

STARTED = dg.DagsterRunStatus.STARTED


@pytest.fixture
def gone() -> RunProcess:
    """A process that has ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        started = run_process._started(child.pid)
        process = replace(RunProcess.current(), pid=child.pid, started=started)
        assert process.is_running
        child.kill()
    return process


def started_run(platform: Platform, **tags: str) -> dg.DagsterRun:
    return create_run_for_test(platform.instance, job_name="wine_quality_lifecycle", status=STARTED, tags=tags)


def status(platform: Platform, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    return platform.instance.get_runs(dg.RunsFilter(run_ids=[run.run_id]))[0].status


def test_a_run_of_a_dead_process_is_failed_with_its_mlflow_runs(platform: Platform, gone: RunProcess):
    run = started_run(platform, system="wine_quality")
    give_sign(platform.instance, run.run_id, gone)
    client = platform.tracking.client
    experiment = client.create_experiment("wine_quality")
    tags = {"dagster.run_id": run.run_id}
    parent = client.create_run(experiment, tags={**tags, "dagster.role": "run"}).info.run_id
    child = client.create_run(experiment, tags={**tags, "dagster.role": "asset"}).info.run_id
    (dead,) = end_dead_runs(platform.instance, platform.tracking)
    assert f"process {gone.pid}" in dead.reason
    assert status(platform, run) == dg.DagsterRunStatus.FAILURE
    assert [client.get_run(one).info.status for one in (parent, child)] == ["FAILED", "FAILED"]


def test_a_later_process_with_the_same_number_is_not_taken_for_the_run(platform: Platform):
    run, now = started_run(platform), RunProcess.current()
    give_sign(platform.instance, run.run_id, replace(now, started=now.started - 60))
    assert [dead.run_id for dead in end_dead_runs(platform.instance, platform.tracking)] == [run.run_id]


def test_a_run_that_lives_is_left_alone(platform: Platform):
    run = started_run(platform, system="wine_quality")
    give_sign(platform.instance, run.run_id, RunProcess.current())
    assert end_dead_runs(platform.instance, platform.tracking) == []
    assert status(platform, run) == STARTED


@pytest.mark.parametrize(("silent", "dead"), [(LOST - 10, False), (LOST + 10, True)])
def test_on_another_host_the_signs_of_life_decide(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, silent: float, dead: bool
):
    run, now = started_run(platform), time.time()
    with monkeypatch.context() as patch:
        patch.setattr(run_process.time, "time", lambda: now - silent)
        give_sign(platform.instance, run.run_id, replace(RunProcess.current(), host="elsewhere"))
    assert bool(end_dead_runs(platform.instance, platform.tracking)) is dead


def test_a_run_killed_before_it_executed_anything_is_known_by_its_launcher(platform: Platform, gone: RunProcess):
    run = started_run(platform, **{"system": "wine_quality", LAUNCHER_TAG: str(gone)})
    retried = started_run(platform, **{LAUNCHER_TAG: str(gone), "dagster/parent_run_id": run.run_id})
    assert [dead.run_id for dead in end_dead_runs(platform.instance, platform.tracking)] == [run.run_id]
    assert status(platform, retried) == STARTED, "a retry has the tags of the first and a process of its own"


def test_the_queue_is_freed_though_mlflow_is_away_and_doctor_closes_its_runs_later(
    platform: Platform, gone: RunProcess
):
    run = started_run(platform)
    give_sign(platform.instance, run.run_id, gone)
    client = platform.tracking.client
    child = client.create_run(client.create_experiment("w"), tags={"dagster.run_id": run.run_id}).info.run_id
    away = platform.tracking.model_copy(update={"tracking_uri": "http://127.0.0.1:1"})
    (dead,) = end_dead_runs(platform.instance, away)
    assert "Remedy: mlops doctor" in dead.mlflow
    assert status(platform, run) == dg.DagsterRunStatus.FAILURE
    assert close_mlflow_runs(platform.instance, platform.tracking) == 1
    assert client.get_run(child).info.status == "FAILED"


def test_mlflow_runs_of_a_run_that_was_interrupted_and_then_killed_are_closed_by_the_next_look(platform: Platform):
    run = create_run_for_test(platform.instance, job_name="lifecycle", status=dg.DagsterRunStatus.FAILURE)
    client = platform.tracking.client
    child = client.create_run(client.create_experiment("w"), tags={"dagster.run_id": run.run_id}).info.run_id
    away = platform.tracking.model_copy(update={"tracking_uri": "http://127.0.0.1:1"})
    assert end_dead_runs(platform.instance, away) == []
    assert client.get_run(child).info.status == "RUNNING"
    assert end_dead_runs(platform.instance, platform.tracking) == []
    assert client.get_run(child).info.status == "FAILED"


def test_mlflow_is_asked_only_when_a_run_was_broken_off_since(platform: Platform, monkeypatch: pytest.MonkeyPatch):
    asked = []
    monkeypatch.setattr(dead_runs_module, "close_mlflow_runs", lambda *_: asked.append("asked"))
    end_dead_runs(platform.instance, platform.tracking)
    assert asked == []
    for _ in range(2):
        platform.instance.report_run_canceled(started_run(platform))
        for _ in range(2):
            end_dead_runs(platform.instance, platform.tracking)
    assert asked == ["asked", "asked"]


def test_the_sensor_tells_of_the_dead(platform: Platform, gone: RunProcess):
    run = started_run(platform)
    give_sign(platform.instance, run.run_id, gone)
    context = dg.build_sensor_context(instance=platform.instance, resources={"tracking": platform.tracking})
    answer = dead_runs()(context)
    assert isinstance(answer, dg.SkipReason)
    assert run.run_id in (answer.skip_message or "")


@dg.job(executor_def=watched(dg.in_process_executor))
def looking():
    @dg.op
    def look(context: dg.OpExecutionContext) -> None:
        sign = last_sign(context.instance, context.run_id)
        assert sign is not None
        assert sign.process == RunProcess.current()

    look()


def execute(instance: dg.DagsterInstance) -> dg.JobExecutionResult:
    return dg.execute_job(dg.reconstructable(job), instance=instance)


def job() -> dg.JobDefinition:
    return looking


def test_every_run_says_which_process_executes_it(tmp_path: Path):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance, execute(instance) as result:
        assert result.success


def test_a_run_whose_launcher_is_gone_does_not_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(LAUNCHER, "999999999")
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance, execute(instance) as result:
        assert not result.success
        assert "The command that started this run has ended" in str(instance.all_logs(result.run_id))
