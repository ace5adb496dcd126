"""Serving fitness: how long the fitted pipeline takes for one row, how many rows a second it predicts in batches, and
what its artefact takes: bytes, time to load, memory.

It is examined only where it is declared: its numbers are wall-clock times, which differ between two runs on equal
inputs, and a report's digest must not. So it is no part of the report that a version's digest is bound to.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from mlops_assets.declaration.base import Declared, Task
from mlops_assets.errors import NotEvaluated, StorageError
from mlops_assets.evaluation.diagnoses.footprint import MEGABYTE, Footprint, footprint, machine
from mlops_assets.evaluation.diagnosis import Diagnosis, Measure, Subject, Table
from mlops_assets.model.estimator import estimator_path

NAME = "efficiency"
TITLE = "Serving fitness"
TASKS: frozenset[Task] = frozenset({"classification", "regression"})
MEASURES = {
    "latency_p50_ms": "Median time of one prediction in milliseconds (lower is better)",
    "latency_p95_ms": "Time in milliseconds that 95 % of single predictions keep (lower is better)",
    "latency_p99_ms": "Time in milliseconds that 99 % of single predictions keep (lower is better)",
    "throughput_10": "Rows a second, predicted 10 at a time (higher is better)",
    "throughput_100": "Rows a second, predicted 100 at a time (higher is better)",
    "throughput_1000": "Rows a second, predicted 1,000 at a time (higher is better)",
    "artefact_mb": "Size of the artefact's file in megabytes (lower is better)",
    "load_ms": "Median time in milliseconds to load the artefact, libraries imported (lower is better)",
    "peak_memory_mb": "Most megabytes that a fresh process holds while it loads the artefact and predicts up to 1,000 "
    "rows, interpreter and libraries included (lower is better)",
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
    repeats: int = Field(default=5, ge=1)
    """Times each batch is predicted and the artefact loaded; the median counts."""
    seconds: float = Field(default=10.0, gt=0)
    """Single-row timing stops after this time; percentiles that lack calls are then not evaluated."""


STANDARD_OPTIONS = ServingSpec()


def examine(subject: Subject, options: ServingSpec = STANDARD_OPTIONS, clock: Clock = time.perf_counter) -> Diagnosis:
    """Latency and throughput of the pipeline in this process, on the test rows in turn; footprint of its artefact."""
    rows = subject.inputs
    if rows.empty:
        measures = [Measure(name=name, value=None, rows=0, note="there are no rows") for name in MEASURES]
        return Diagnosis(name=NAME, title=TITLE, headline="Not evaluated: there are no rows.", measures=measures)
    times = single_row_times(subject.predict, rows, options, clock)
    rates = {size: throughput(subject.predict, rows, size, options.repeats, clock) for size in BATCHES}
    latencies = [_percentile(share, times, options) for share in FEWEST_CALLS]
    found, why_not = _footprint(subject, options)
    cells = [[str(size), rates[size]] for size in BATCHES]
    return Diagnosis(
        name=NAME,
        title=TITLE,
        headline=_headline(latencies, rates[1000], found),
        measures=[
            *latencies,
            *(_throughput(size, rate, options) for size, rate in rates.items()),
            *_sizes(found, why_not, len(rows)),
        ],
        tables=[Table(title="Throughput by batch", columns=["rows at a time", "rows a second"], rows=[*cells])],
        notes=_notes(found, options),
    )


def single_row_times(
    predict: Callable[[pd.DataFrame], Any],
    rows: pd.DataFrame,
    options: ServingSpec = STANDARD_OPTIONS,
    clock: Clock = time.perf_counter,
) -> np.ndarray:
    """Seconds of each single-row prediction after the warm-up; row after row, from the first again when they end."""

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
    predict: Callable[[pd.DataFrame], Any],
    rows: pd.DataFrame,
    size: int,
    repeats: int = 3,
    clock: Clock = time.perf_counter,
) -> float | None:
    """Rows a second, ``size`` at a time: the median of ``repeats`` after one to warm up; None below the clock's tick.

    Fewer rows than ``size`` are repeated.
    """

    batch = rows.iloc[np.arange(size) % len(rows)]
    predict(batch)
    times = []
    for _ in range(repeats):
        started = clock()
        predict(batch)
        times.append(clock() - started)
    middle = float(np.median(times))
    return size / middle if middle > 0 else None


def _percentile(share: int, times: np.ndarray, options: ServingSpec) -> Measure:

    name, calls = f"latency_p{share}_ms", len(times)
    if calls < FEWEST_CALLS[share]:
        note = f"{calls} calls in {options.seconds:g} s, {FEWEST_CALLS[share]} are needed"
        return Measure(name=name, value=None, rows=calls, note=note)
    return Measure(name=name, value=1000 * float(np.percentile(times, share)), rows=calls)


def _throughput(size: int, rate: float | None, options: ServingSpec) -> Measure:
    note = "" if rate is not None else "a batch took less than the clock's tick"
    return Measure(name=f"throughput_{size}", value=rate, rows=size * options.repeats, note=note)


def _footprint(subject: Subject, options: ServingSpec) -> tuple[Footprint | None, str]:
    """What the artefact takes, or why that is not known."""
    declared = [path for path in (estimator_path(subject.spec), subject.spec.model.transformer) if path]
    try:
        return footprint(subject.pipeline, subject.inputs.head(BATCHES[-1]), declared, options.repeats), ""
    except (NotEvaluated, StorageError) as error:
        return None, str(error)


def _sizes(found: Footprint | None, why_not: str, rows: int) -> list[Measure]:
    values = {"artefact_mb": None, "load_ms": None, "peak_memory_mb": None}
    if found is not None:
        sizes = found.size / MEGABYTE, 1000 * found.load_seconds, found.peak / MEGABYTE
        values = dict(zip(values, sizes, strict=True))
    return [Measure(name=name, value=value, rows=rows, note=why_not) for name, value in values.items()]


def _headline(latencies: list[Measure], rate: float | None, found: Footprint | None) -> str:
    said = [f"{one.name.split('_')[1]} {one.value:.3g} ms" for one in latencies if one.value is not None]
    latency = f"one row takes {', '.join(said)}" if said else "too few calls for a latency"
    rates = f"{f'{rate:,.0f}' if rate else 'no measurable'} rows a second by 1,000"
    size = f"; {found.size / MEGABYTE:.3g} MB, at most {found.peak / MEGABYTE:,.0f} MB in memory" if found else ""
    return f"{latency[0].upper()}{latency[1:]}; {rates}{size}."


def _notes(found: Footprint | None, options: ServingSpec) -> list[str]:
    timed = f"Measured in one process on {machine()}, after {options.warm_up} predictions to warm up."
    if found is None:
        return [timed]
    return [
        timed,
        f"Memory is the peak of a fresh process that loads the artefact and predicts up to {BATCHES[-1]:,} rows; "
        f"{found.base / MEGABYTE:,.0f} MB of it were held before loading. The first load there took "
        f"{1000 * found.cold_seconds:,.0f} ms, with the libraries of the artefact's types.",
    ]
