"""Every metric with its bootstrap interval."""

from pathlib import Path

import numpy as np

from benchmarks.figure import RUNS, Benchmark, Figure, seconds
from mlops_assets.metrics.bootstrap import Bootstrap
from mlops_assets.metrics.estimate import estimate
from mlops_assets.metrics.outcomes import Outcomes, Predictions, read_outcomes
from mlops_assets.metrics.scoring import applicable

ROWS, MANY = 100_000, 1_000_000
BOOTSTRAP = Bootstrap(resamples=2_000, confidence=0.95, seed=0)


def measure(folder: Path) -> list[Figure]:
    """Two classes, three classes, regression; then a million predictions, within their bound."""
    rng = np.random.default_rng(0)
    return [
        _measured("two classes", _classified(rng, 2, ROWS)),
        _measured("three classes", _classified(rng, 3, ROWS)),
        _measured("regression", _regressed(rng, ROWS)),
        _measured("two classes", _classified(rng, 2, MANY), at_most=10),
        _measured("regression", _regressed(rng, MANY), at_most=10),
    ]


def _measured(what: str, outcomes: Outcomes, at_most: float | None = None) -> Figure:
    names = applicable(outcomes)
    taken = tuple(seconds(lambda: _estimate(names, outcomes)) for _ in range(RUNS))
    return Figure(f"{len(names)} metrics, {what}, {len(outcomes):,} rows", taken, "s", at_most=at_most)


def _estimate(names: list[str], outcomes: Outcomes) -> None:
    found = estimate(names, outcomes, bootstrap=BOOTSTRAP)
    missing = [name for name, one in found.items() if one.interval is None]
    if missing:
        raise RuntimeError(f"No interval for {missing}")


def _classified(rng: np.random.Generator, classes: int, rows: int) -> Outcomes:
    truth = rng.integers(0, classes, rows)
    scores = rng.normal(size=(rows, classes)) + 1.5 * np.eye(classes)[truth]
    shares = np.exp(scores)
    probabilities = shares / shares.sum(axis=1, keepdims=True)
    predictions = Predictions(probabilities.argmax(axis=1), probabilities, tuple(range(classes)))
    return read_outcomes("classification", truth, predictions)


def _regressed(rng: np.random.Generator, rows: int) -> Outcomes:
    truth = rng.gamma(2.0, 10.0, rows) + 1
    return read_outcomes("regression", truth, Predictions(truth * rng.normal(1, 0.05, rows)))


BENCHMARK = Benchmark(
    title="Metrics with intervals",
    how="2,000 bootstrap resamples, every metric of the catalogue that applies. All probabilities and predicted "
    "numbers differ, so that no rows can be drawn together; of a million, random blocks are drawn.",
    measure=measure,
)
