"""New batches start ingestion, a new dataset version starts training once, failed runs are told."""

import json
import logging
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.automation.failures import run_failures
from mlops_assets.automation.jobs import jobs
from mlops_assets.automation.sensors import ATTEMPTS, BATCHES_TAG, new_batches, new_dataset_version
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.resources.notification import Notification
from mlops_assets.system import build_system
from mlops_assets_tests.platform import Platform


def tick(platform: Platform, spec: SystemSpec) -> dg.RunRequest | dg.SkipReason:
    sensor = new_batches(spec, jobs(spec))
    context = dg.build_sensor_context(instance=platform.instance, resources=platform.resources)
    answer = sensor(context)
    assert isinstance(answer, dg.RunRequest | dg.SkipReason)
    return answer


def run_with(platform: Platform, spec: SystemSpec, request: dg.RunRequest, status: dg.DagsterRunStatus) -> None:
    from dagster._core.test_utils import create_run_for_test

    create_run_for_test(
        platform.instance,
        job_name=f"{spec.name}_ingestion",
        status=status,
        tags={BATCHES_TAG: request.tags[BATCHES_TAG]},
    )


def test_without_a_batch_nothing_starts(platform: Platform, wine: SystemSpec):
    answer = tick(platform, wine)
    assert isinstance(answer, dg.SkipReason)


def test_a_landed_batch_starts_one_run_and_a_read_one_none(platform: Platform, wine: SystemSpec):
    platform.land(wine)
    first, second = tick(platform, wine), tick(platform, wine)
    assert isinstance(first, dg.RunRequest)
    assert isinstance(second, dg.RunRequest)
    assert first.run_key == second.run_key, "two ticks before the run started ask for the same run"
    assert platform.run(wine, "dataset").success
    assert isinstance(tick(platform, wine), dg.SkipReason)


def test_a_second_batch_is_another_run(platform: Platform, wine: SystemSpec, tmp_path: Path):
    platform.land(wine)
    first = tick(platform, wine)
    file = tmp_path / "more.csv"
    file.write_text("alcohol\n13\n")
    platform.land(wine, file)
    second = tick(platform, wine)
    assert isinstance(first, dg.RunRequest)
    assert isinstance(second, dg.RunRequest)
    assert first.run_key != second.run_key


def test_while_a_run_reads_the_batches_no_other_starts(platform: Platform, wine: SystemSpec):
    platform.land(wine)
    request = tick(platform, wine)
    assert isinstance(request, dg.RunRequest)
    run_with(platform, wine, request, dg.DagsterRunStatus.STARTED)
    answer = tick(platform, wine)
    assert isinstance(answer, dg.SkipReason)
    assert "is reading" in (answer.skip_message or "")


def test_a_run_that_died_is_tried_again_but_not_for_ever(platform: Platform, wine: SystemSpec):
    platform.land(wine)
    keys = []
    for _ in range(ATTEMPTS):
        request = tick(platform, wine)
        assert isinstance(request, dg.RunRequest)
        keys.append(request.run_key)
        run_with(platform, wine, request, dg.DagsterRunStatus.FAILURE)
    assert len(set(keys)) == ATTEMPTS
    answer = tick(platform, wine)
    assert isinstance(answer, dg.SkipReason)
    assert "Look at run" in (answer.skip_message or "")


def train_tick(platform: Platform, spec: SystemSpec, cursor: str | None) -> tuple[list[str | None], str | None]:
    sensor = new_dataset_version(spec, jobs(spec))
    context = dg.build_sensor_context(
        instance=platform.instance,
        definitions=dg.Definitions.merge(build_system(spec), dg.Definitions(resources=platform.resources)),
        cursor=cursor,
    )
    data = sensor.evaluate_tick(context)
    return [request.run_key for request in data.run_requests or []], data.cursor or cursor


def test_a_dataset_version_is_trained_on_once(platform: Platform, wine: SystemSpec):
    platform.land(wine)
    assert platform.run(wine, "dataset").success
    first, cursor = train_tick(platform, wine, None)
    assert len(first) == 1
    assert platform.run(wine, "dataset").success, "nothing new has landed"
    again, cursor = train_tick(platform, wine, cursor)
    assert again in ([], first), "the same version asks for the same run, which Dagster starts once"


def test_a_failed_run_is_one_line_of_json_a_failed_mlflow_run_and_a_message(
    platform: Platform, wine: SystemSpec, caplog: pytest.LogCaptureFixture
):
    @dg.op
    def bad() -> None:
        raise ValueError("boom")

    @dg.job(tags={"system": "wine_quality"})
    def job() -> None:
        bad()

    result = job.execute_in_process(instance=platform.instance, raise_on_error=False)
    client = platform.tracking.client
    tags = {"dagster.run_id": result.run_id, "dagster.role": "run"}
    mlflow_run = client.create_run(client.create_experiment("wine_quality"), tags=tags).info.run_id
    platform.instance.add_run_tags(result.run_id, {"mlflow/run_id": mlflow_run})
    run = platform.instance.get_run_by_id(result.run_id)
    assert run is not None
    context = dg.build_run_status_sensor_context(
        sensor_name="run_failures",
        dagster_instance=platform.instance,
        dagster_run=run,
        dagster_event=result.get_run_failure_event(),
        resources={**platform.resources, "notification": Notification()},
    ).for_run_failure()
    with caplog.at_level(logging.ERROR, logger="mlops_assets.failures"):
        run_failures()(context)
    told = json.loads(caplog.records[-1].message)
    assert (told["event"], told["run_id"], told["system"]) == ("run_failed", result.run_id, "wine_quality")
    assert client.get_run(mlflow_run).info.status == "FAILED"
