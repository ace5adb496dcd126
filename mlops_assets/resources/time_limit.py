"""The time limit of a step: past it the step ends with a failure that names the limit."""

import faulthandler
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from mlops_assets.errors import StageTimeout

GRACE = 30
"""Seconds that a step gets to clean up; one that does not come back by then is killed with its process.

Twice as many where compiled code lets no other thread run: then nobody can say so at once, and the dead run is found.
"""

Compute = Callable[..., dg.MaterializeResult]


def limited(compute: Compute, subject: str, key: str, seconds: int) -> Compute:
    """``compute``, ended after ``seconds``; ``key`` of the declaration is where the limit stands."""

    @functools.wraps(compute)
    def within(context: dg.AssetExecutionContext, **resources: Any) -> dg.MaterializeResult:
        message = (
            f"StageTimeout: {subject} took longer than its {seconds} s. "
            f"Remedy: see what it waits for, or raise {key} in the declaration"
        )
        try:
            with _killed_after(context, seconds + GRACE, message), _interrupted_after(seconds, message):
                return compute(context, **resources)
        except StageTimeout as timeout:
            raise dg.Failure(str(timeout), allow_retries=False) from timeout

    return within


@contextmanager
def _interrupted_after(seconds: int, message: str) -> Iterator[None]:
    """Raise StageTimeout in the block: also out of a wait, though not out of compiled code."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python delivers signals to the main thread only, where Dagster's executors run steps
        return

    def expire(*_: object) -> None:
        raise StageTimeout(message)

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _killed_after(context: dg.AssetExecutionContext, seconds: int, message: str) -> Iterator[None]:
    timer = threading.Timer(seconds, _kill, (context.instance, context.run, message))
    timer.daemon = True
    timer.start()
    faulthandler.dump_traceback_later(seconds + GRACE, exit=True, file=sys.__stderr__ or 2)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        timer.cancel()


def _kill(instance: dg.DagsterInstance, run: dg.DagsterRun, message: str) -> None:
    try:
        instance.report_run_failed(run, f"{message}. It could not be interrupted, so its process was killed")
    finally:
        os.kill(os.getpid(), signal.SIGKILL)
