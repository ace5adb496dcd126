"""Serving fitness: how long the fitted pipeline takes for one row, how many rows a second it predicts in batches, and
what its artefact takes: bytes, time to load, memory.

It is examined only where it is declared, or a gate names it: its numbers are wall-clock times, which differ between two
runs on equal inputs. A report that differs from the one before in them alone is that one, see ``earlier_report``.

Whatever else runs on the machine makes a prediction slower, never faster. So single rows are timed in rounds until the
two fastest agree, and a percentile is that of its fastest round.
"""

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
from pydantic import Field

from mlops_assets.declaration.base import Declared
from mlops_assets.errors import NotEvaluated, StorageError
from mlops_assets.evaluation.diagnoses.footprint import MEGABYTE, Footprint, footprint, machine
from mlops_assets.evaluation.diagnosis import Diagnosis, Measure, Row, Subject, Table
from mlops_assets.evaluation.diagnosis_catalogue import DIAGNOSES
from mlops_assets.evaluation.report.plots.forest import ForestLine, Guide, forest, gate_guides
from mlops_assets.metrics.formatting import figure
from mlops_assets.model.estimator import estimator_path
from mlops_assets.verdict import Verdict

INFO = DIAGNOSES["efficiency"]
BATCHES = (10, 100, 1000)
FEWEST_CALLS = {50: 5, 95: 20, 99: 100}
"""Calls below which a percentile is not more than the slowest call."""
AGREEMENT = 1.1
"""The second fastest round's 95th percentile over the fastest's, up to which no third is needed."""

PERCENTILES = {"latency_p50_ms": "median", "latency_p95_ms": "95th percentile", "latency_p99_ms": "99th percentile"}

Clock = Callable[[], float]


class ThroughputRow(Row):
    """One size of batch."""

    table = "throughput"

    size: str = Field(title="rows at a time")
    rate: float | None = Field(title="rows a second")


class EfficiencySpec(Declared):
    """How much is timed."""

    calls: int = Field(default=50, ge=1)
    """Single-row predictions of a round."""
    rounds: int = Field(default=6, ge=1)
    """Most rounds."""
    warm_up: int = Field(default=10, ge=0)
    """Predictions before the clock starts."""
    repeats: int = Field(default=3, ge=1)
    """Times each batch is predicted and the artefact loaded; the median counts."""
    seconds: float = Field(default=10.0, gt=0)
    """Single-row timing stops after this time; percentiles that lack calls are then not evaluated."""


STANDARD_OPTIONS = EfficiencySpec()


def examine(
    subject: Subject, options: EfficiencySpec = STANDARD_OPTIONS, clock: Clock = time.perf_counter
) -> Diagnosis:
    """Latency and throughput of the pipeline in this process, on the test rows in turn; footprint of its artefact."""
    rows = subject.inputs
    if rows.empty:
        return Diagnosis.not_evaluated(INFO, "there are no rows", 0)
    rounds = single_row_rounds(subject.predict, rows, options, clock)
    rates = {size: throughput(subject.predict, rows, size, options.repeats, clock) for size in BATCHES}
    latencies = [_percentile(share, rounds, options) for share in FEWEST_CALLS]
    taken, why_not = _footprint(subject, options)
    batches = [ThroughputRow(size=str(size), rate=rates[size]) for size in BATCHES]
    return Diagnosis(
        name=INFO.name,
        title=INFO.title,
        headline=_headline(latencies, rates[1000], taken),
        measures=[
            *latencies,
            *(_throughput(size, rate, options) for size, rate in rates.items()),
            *_sizes(taken, why_not, len(rows)),
        ],
        tables=[Table.of(ThroughputRow, "Throughput by batch", batches)],
        notes=_notes(taken, options),
    )


def single_row_rounds(
    predict: Callable[[pd.DataFrame], object],
    rows: pd.DataFrame,
    options: EfficiencySpec = STANDARD_OPTIONS,
    clock: Clock = time.perf_counter,
) -> list[np.ndarray]:
    """Seconds of each single-row prediction after the warm-up, by round; each takes row after row from the first."""
    singles = [rows.iloc[[index]] for index in range(min(len(rows), options.calls))]
    for index in range(options.warm_up):
        predict(singles[index % len(singles)])
    end = clock() + options.seconds
    rounds = [_round(predict, singles, options.calls, end, clock)]
    while len(rounds) < options.rounds and clock() < end and not _agree(rounds):
        rounds.append(_round(predict, singles, options.calls, end, clock))
    return rounds


def _round(
    predict: Callable[[pd.DataFrame], object], singles: Sequence[pd.DataFrame], calls: int, end: float, clock: Clock
) -> np.ndarray:
    times: list[float] = []
    while len(times) < calls and (not times or clock() < end):
        single = singles[len(times) % len(singles)]
        started = clock()
        predict(single)
        times.append(clock() - started)
    return np.array(times)


def _agree(rounds: Sequence[np.ndarray]) -> bool:
    """Whether the two fastest rounds say the same of the machine at rest."""
    slow = sorted(float(np.percentile(times, 95)) for times in rounds)
    return len(slow) > 1 and slow[1] <= AGREEMENT * slow[0]


def throughput(
    predict: Callable[[pd.DataFrame], object],
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


def _percentile(share: int, rounds: Sequence[np.ndarray], options: EfficiencySpec) -> Measure:
    """That of its fastest round, or of all calls where no round has enough for it."""
    name, needed, times = f"latency_p{share}_ms", FEWEST_CALLS[share], np.concatenate(rounds)
    if len(times) < needed:
        note = f"{len(times)} calls in {options.seconds:g} s, {needed} are needed"
        return Measure(name=name, value=None, rows=len(times), note=note)
    able = [own for own in rounds if len(own) >= needed] or [times]
    value = 1000 * min(float(np.percentile(own, share)) for own in able)
    note = f"fastest of {len(able)} rounds of {len(able[0])} calls" if len(able) > 1 else ""
    return Measure(name=name, value=value, rows=len(times), note=note)


def _throughput(size: int, rate: float | None, options: EfficiencySpec) -> Measure:
    note = "" if rate is not None else "a batch took less than the clock's tick"
    return Measure(name=f"throughput_{size}", value=rate, rows=size * options.repeats, note=note)


def _footprint(subject: Subject, options: EfficiencySpec) -> tuple[Footprint | None, str]:
    """What the artefact takes, or why that is not known."""
    declared = [path for path in (estimator_path(subject.spec), subject.spec.model.transformer) if path]
    try:
        return footprint(subject.pipeline, subject.inputs.head(BATCHES[-1]), declared, options.repeats), ""
    except (NotEvaluated, StorageError) as error:
        return None, str(error)


def _sizes(taken: Footprint | None, why_not: str, rows: int) -> list[Measure]:
    values = {"artefact_mb": None, "load_ms": None, "peak_memory_mb": None}
    if taken is not None:
        sizes = taken.size / MEGABYTE, 1000 * taken.load_seconds, taken.peak / MEGABYTE
        values = dict(zip(values, sizes, strict=True))
    return [Measure(name=name, value=value, rows=rows, note=why_not) for name, value in values.items()]


def _headline(latencies: list[Measure], rate: float | None, taken: Footprint | None) -> str:
    said = [
        f"p{share} {latency.value:.3g} ms"
        for share, latency in zip(FEWEST_CALLS, latencies, strict=True)
        if latency.value is not None
    ]
    single = f"one row takes {', '.join(said)}" if said else "too few calls for a latency"
    rates = f"{f'{rate:,.0f}' if rate else 'no measurable'} rows a second by 1,000"
    size = f"; {taken.size / MEGABYTE:.3g} MB, at most {taken.peak / MEGABYTE:,.0f} MB in memory" if taken else ""
    return f"{single[0].upper()}{single[1:]}; {rates}{size}."


def _notes(taken: Footprint | None, options: EfficiencySpec) -> list[str]:
    timed = (
        f"Measured in one process on {machine()}, after {options.warm_up} predictions to warm up; one row by "
        f"the fastest of up to {options.rounds} rounds of {options.calls} calls."
    )
    if taken is None:
        return [timed]
    return [
        timed,
        f"Memory is the peak of a fresh process that loads the artefact and predicts up to {BATCHES[-1]:,} rows; "
        f"{taken.base / MEGABYTE:,.0f} MB of it were held before loading. The first load there took "
        f"{1000 * taken.cold_seconds:,.0f} ms, with the libraries of the artefact's types.",
    ]


def plots(diagnosis: Diagnosis, gates: Sequence[Verdict]) -> Iterator[tuple[str, str]]:
    """The percentiles of one prediction's time."""
    measures = {name: diagnosis.measure(name) for name in PERCENTILES}
    lines = [
        ForestLine(PERCENTILES[name], measure.value, measure.interval, f"{figure(measure.value)} ms")
        for name, measure in measures.items()
        if measure is not None and measure.value is not None
    ]
    if not lines:
        return
    guides = [
        guide for name, words in PERCENTILES.items() for guide in gate_guides(diagnosis, name, gates, f"{words} ")
    ]
    yield (
        "Time of one prediction",
        forest(
            "Time of one prediction",
            "; ".join(f"{line.name} {line.beside}" for line in lines),
            "milliseconds",
            lines,
            [Guide(0.0, ""), *guides],
        ),
    )
