"""Serving fitness: how long the fitted pipeline takes for one row, and how many rows a second it predicts in batches.

It is examined only where it is declared: its numbers are wall-clock times, which differ between two runs on equal
inputs, and a report's digest must not. So it is no part of the report that a version's digest is bound to.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import Field

from mlops_assets.declared import Declared, Task
from mlops_assets.evaluation.diagnosis import Diagnosis, Measure, Subject, Table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

NAME = "serving"
TITLE = "Serving fitness"
TASKS: frozenset[Task] = frozenset({"classification", "regression"})
MEASURES = {
    "latency_p50_ms": "Median time of one prediction in milliseconds (lower is better)",
    "latency_p95_ms": "Time in milliseconds that 95 % of single predictions keep (lower is better)",
    "latency_p99_ms": "Time in milliseconds that 99 % of single predictions keep (lower is better)",
    "throughput_1000": "Rows a second, predicted 1,000 at a time (higher is better)",
}
BATCHES = (10, 100, 1000)
FEWEST_CALLS = {50: 5, 95: 20, 99: 100}
"""Calls below which a percentile is not more than the slowest call."""

Clock = Callable[[], float]


class ServingSpec(Declared):
    """How much is timed."""

    calls: int = Field(default=200, ge=1)
    """Single-row predictions to time."""
    warm_up: int = Field(default=10, ge=0)
    """Predictions before the clock starts."""
    repeats: int = Field(default=3, ge=1)
    """Times each batch is predicted; the median counts."""
    seconds: float = Field(default=2.0, gt=0)
    """Single-row timing stops after this time; percentiles that lack calls are then not evaluated."""


STANDARD_OPTIONS = ServingSpec()


def examine(subject: Subject, options: ServingSpec = STANDARD_OPTIONS, clock: Clock = time.perf_counter) -> Diagnosis:
    """Latency and throughput of the pipeline in this process, on the test rows in turn."""
    rows = subject.inputs
    if rows.empty:
        measures = [Measure(name=name, value=None, rows=0, note="there are no rows") for name in MEASURES]
        return Diagnosis(name=NAME, title=TITLE, headline="Not evaluated: there are no rows.", measures=measures)
    times = single_row_times(subject.predict, rows, options, clock)
    rates = {size: throughput(subject.predict, rows, size, options.repeats, clock) for size in BATCHES}
    measures = [_percentile(share, times, options) for share in FEWEST_CALLS]
    throughput_1000 = Measure(name="throughput_1000", value=rates[1000], rows=1000, note=_unmeasurable(rates[1000]))
    cells = [[str(size), rates[size]] for size in BATCHES]
    return Diagnosis(
        name=NAME,
        title=TITLE,
        headline=_headline(measures, rates[1000]),
        measures=[*measures, throughput_1000],
        tables=[Table(title="Throughput by batch", columns=["rows at a time", "rows a second"], rows=[*cells])],
        notes=[f"Measured in one process on {machine()}, after {options.warm_up} predictions to warm up."],
    )


def single_row_times(
    predict: Callable[["pd.DataFrame"], Any],
    rows: "pd.DataFrame",
    options: ServingSpec = STANDARD_OPTIONS,
    clock: Clock = time.perf_counter,
) -> "np.ndarray":
    """Seconds of each single-row prediction after the warm-up; row after row, from the first again when they end."""
    import numpy as np

    singles = [rows.iloc[[index]] for index in range(min(len(rows), options.calls))]
    for index in range(options.warm_up):
        predict(singles[index % len(singles)])
    times: list[float] = []
    begun = clock()
    while len(times) < options.calls and (not times or clock() - begun < options.seconds):
        single = singles[len(times) % len(singles)]
        started = clock()
        predict(single)
        times.append(clock() - started)
    return np.array(times)


def throughput(
    predict: Callable[["pd.DataFrame"], Any],
    rows: "pd.DataFrame",
    size: int,
    repeats: int = 3,
    clock: Clock = time.perf_counter,
) -> float | None:
    """Rows a second, ``size`` at a time: the median of ``repeats`` after one to warm up; None below the clock's tick.

    Fewer rows than ``size`` are repeated.
    """
    import numpy as np

    batch = rows.iloc[np.arange(size) % len(rows)]
    predict(batch)
    times = []
    for _ in range(repeats):
        started = clock()
        predict(batch)
        times.append(clock() - started)
    middle = float(np.median(times))
    return size / middle if middle > 0 else None


def machine() -> str:
    """The machine in words, without its name."""
    import os
    import platform

    system = f"{platform.system()} {platform.machine()}"
    return f"{system}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _percentile(share: int, times: "np.ndarray", options: ServingSpec) -> Measure:
    import numpy as np

    name, calls = f"latency_p{share}_ms", len(times)
    if calls < FEWEST_CALLS[share]:
        note = f"{calls} calls in {options.seconds:g} s, {FEWEST_CALLS[share]} are needed"
        return Measure(name=name, value=None, rows=calls, note=note)
    return Measure(name=name, value=1000 * float(np.percentile(times, share)), rows=calls)


def _unmeasurable(rate: float | None) -> str:
    return "" if rate is not None else "a batch took less than the clock's tick"


def _headline(latencies: list[Measure], rate: float | None) -> str:
    said = [f"{one.name.split('_')[1]} {one.value:.3g} ms" for one in latencies if one.value is not None]
    latency = f"one row takes {', '.join(said)}" if said else "too few calls for a latency"
    return f"{latency[0].upper()}{latency[1:]}; {f'{rate:,.0f}' if rate else 'no measurable'} rows a second by 1,000."
