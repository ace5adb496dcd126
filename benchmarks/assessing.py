"""The whole evaluation suite on a wide test part."""

from pathlib import Path

from benchmarks.figure import Benchmark, Figure
from benchmarks.process import run

ROWS, RUNS = 20_000, 3
GIB = 2**30


def measure(folder: Path) -> list[Figure]:
    """Two classes and regression, each in processes of its own."""
    figures = []
    for task, title in (("classification", "two classes"), ("regression", "regression")):
        answers = [run(["-m", "benchmarks.assess_once", task, str(ROWS)], home=folder).answer for _ in range(RUNS)]
        seconds, peaks = (tuple(answer[name] for answer in answers) for name in ("seconds", "peak_bytes"))
        figures += [
            Figure(f"Full suite, {title}", seconds, "s", at_most=60),
            Figure(f"Peak memory, {title}", tuple(peak / GIB for peak in peaks), "GiB", at_most=2),
        ]
    return figures


BENCHMARK = Benchmark(
    title="The whole evaluation suite",
    how="`assess` of a HistGradientBoosting model with the platform's defaults on a test part of 20,000 rows × 20 "
    "columns (14 numeric, 6 categorical), beside as many train rows and a quarter as many validation rows: every "
    "metric with its interval for the model and two baselines (2,000 resamples), gates, permutation importance, every "
    "standard diagnosis, the preparation fitted anew, and the report as HTML. Training is not counted. Each run is a "
    "fresh process; memory is the peak of resident memory of the whole process, training included.",
    measure=measure,
)
