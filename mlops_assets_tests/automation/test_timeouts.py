"""A step that takes longer than its declared limit ends by name, also where it cannot be interrupted."""

import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.asset import stage_asset
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.resources import time_limit
from mlops_assets_tests.crash import Child, Killed
from mlops_assets_tests.platform import changed


@pytest.fixture
def hasty(wine: SystemSpec) -> SystemSpec:
    """Its features step may take one second."""
    return changed(wine, automation={"timeout": {"features": 1}})


def step(spec: SystemSpec, wait: Callable[[], object]) -> dg.AssetsDefinition:
    @stage_asset(spec, "features", description="Waits.", kinds=set())
    def features(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        try:
            wait()
        except Exception:  # what reads a hostile file does this
            context.log.info("swallowed")
        return dg.MaterializeResult()

    return features


def wait_deaf() -> None:
    """No signal reaches this wait, as none reaches compiled code."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    time.sleep(60)


def compute() -> int:
    """For an hour, and no other thread runs meanwhile."""
    return sum(range(10**12))


def test_a_step_past_its_limit_fails_and_names_it(hasty: SystemSpec):
    before = time.monotonic()
    result = dg.materialize([step(hasty, partial(time.sleep, 30))], raise_on_error=False)
    assert time.monotonic() - before < 10
    assert not result.success
    told = str(result.failure_data_for_node("wine_quality__features"))
    assert "StageTimeout: wine_quality/features took longer than its 1 s" in told
    assert "automation.timeout.features" in told


def test_a_step_within_its_limit_is_let_be(hasty: SystemSpec):
    assert dg.materialize([step(hasty, lambda: None)]).success
    time.sleep(1.2)


def test_a_step_that_cannot_be_interrupted_is_killed_and_its_run_failed_by_name(hasty: SystemSpec, tmp_path: Path):
    with pytest.raises(Killed):
        Child(executed, hasty, tmp_path, wait_deaf, log=tmp_path / "log").result()
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        (run,) = instance.get_runs()
        assert run.status == dg.DagsterRunStatus.FAILURE
        assert "wine_quality/features took longer than its 1 s" in str(instance.all_logs(run.run_id))


def test_compiled_code_that_lets_nothing_else_run_is_ended_too(hasty: SystemSpec, tmp_path: Path):
    with pytest.raises(AssertionError, match="exit code 1"):
        Child(executed, hasty, tmp_path, compute, log=tmp_path / "log").result()


def executed(spec: SystemSpec, home: Path, wait: Callable[[], object]) -> None:
    time_limit.GRACE = 1
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        dg.materialize([step(spec, wait)], instance=instance, raise_on_error=False)
