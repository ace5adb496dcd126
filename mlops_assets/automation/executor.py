"""The executor of every job: Dagster's own, and while it executes a run it gives signs of life."""

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from mlops_assets.automation.run_process import BEAT, RunProcess, give_sign

if TYPE_CHECKING:
    from dagster._core.definitions.executor_definition import ExecutorCreationFunction
    from dagster._core.events import DagsterEvent
    from dagster._core.execution.context.system import PlanOrchestrationContext
    from dagster._core.execution.plan.plan import ExecutionPlan
    from dagster._core.execution.retries import RetryMode
    from dagster._core.execution.step_dependency_config import StepDependencyConfig

LAUNCHER = "MLOPS_LAUNCHER"
"""Environment variable: number of the process that started this one, which must not outlive it."""
LOOK = 0.5
"""Seconds between two looks at the launcher."""
PATIENCE = 10
"""Seconds that a run gets to end in good order when its launcher is gone."""
logger = logging.getLogger("mlops_assets.executor")


def watched(executor: dg.ExecutorDefinition) -> dg.ExecutorDefinition:
    """``executor``, with signs of life."""
    create = executor.executor_creation_fn
    assert create is not None, executor.name
    return dg.ExecutorDefinition(
        name=executor.name,
        config_schema=executor.config_schema,  # pyright: ignore[reportArgumentType] # taken as it is
        requirements=executor.get_requirements,
        executor_creation_fn=_watching(create),
        description=executor.description,
    )


def _watching(create: "ExecutorCreationFunction") -> "ExecutorCreationFunction":
    return lambda context: WatchedExecutor(create(context))


class WatchedExecutor(dg.Executor):
    """Executes as another executor does; in the meantime it tells that the run lives."""

    def __init__(self, executor: dg.Executor) -> None:
        self._executor = executor

    @property
    def retries(self) -> "RetryMode":
        return self._executor.retries

    @property
    def step_dependency_config(self) -> "StepDependencyConfig":
        return self._executor.step_dependency_config

    def execute(
        self, plan_context: "PlanOrchestrationContext", execution_plan: "ExecutionPlan"
    ) -> Iterator["DagsterEvent"]:
        with _signs_of_life(plan_context.instance, plan_context.run_id):
            yield from self._executor.execute(plan_context, execution_plan)


@contextmanager
def _signs_of_life(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    watch = Watch(instance, run_id, RunProcess.current(), int(os.environ.get(LAUNCHER, 0)), threading.Event())
    if watch.is_orphaned:
        raise dg.Failure("The command that started this run has ended. Remedy: start it again", allow_retries=False)
    give_sign(instance, run_id, watch.process)
    thread = threading.Thread(target=watch.keep, name="signs of life", daemon=True)
    thread.start()
    try:
        yield
    finally:
        watch.ended.set()
        thread.join()


@dataclass(frozen=True)
class Watch:
    """What a run's second thread does."""

    instance: dg.DagsterInstance
    run_id: str
    process: RunProcess
    launcher: int
    """0 for a run that nobody waits for."""
    ended: threading.Event

    @property
    def is_orphaned(self) -> bool:
        return bool(self.launcher) and os.getppid() != self.launcher

    def keep(self) -> None:
        """Give signs of life until the run has ended; end it where its launcher is gone."""
        due = time.monotonic() + BEAT
        while not self.ended.wait(LOOK):
            if self.is_orphaned:
                self._end()
                return
            if time.monotonic() >= due:
                self._give_sign()
                due = time.monotonic() + BEAT

    def _give_sign(self) -> None:
        try:
            give_sign(self.instance, self.run_id, self.process)
        except Exception:  # the run goes on; whether it lives can be seen by its process too
            logger.exception("run %s could not give a sign of life", self.run_id)

    def _end(self) -> None:
        """Interrupt the run as Ctrl-C does; what does not let itself be interrupted is killed."""
        logger.error("the command that started run %s has ended, and so does the run", self.run_id)
        os.kill(os.getpid(), signal.SIGINT)
        if not self.ended.wait(PATIENCE):
            os.kill(os.getpid(), signal.SIGKILL)
