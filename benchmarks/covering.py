"""How often an interval holds the truth, by metric and setting."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

from benchmarks.figure import Benchmark, Figure
from mlops_assets.metrics.bootstrap import Bootstrap
from mlops_assets.metrics.estimate import Estimate, estimate
from mlops_assets.metrics.outcomes import Outcomes
from mlops_assets.metrics.time_batches import time_batches

TRIALS, RESAMPLES = 2_000, 1_000
TWO_SIDED, ONE_SIDED = 0.93, 0.035
"""What must be reached where an interval of 95 % is stated, and at most missed at either end."""

Draw = Callable[[np.random.Generator], tuple[Outcomes, np.ndarray | None]]
"""Outcomes with the groups of their rows."""


@dataclass(frozen=True)
class Setting:
    """Rows as they are drawn, and the metric's value on all rows that there could be."""

    what: str
    metric: str
    truth: float
    draw: Draw
    holds: bool = True
    """Whether the stated coverage is reached here; where it is not, the estimate's note says so."""

    def estimated(self, trial: int) -> Estimate:
        """The estimate of one drawn table."""
        outcomes, groups = self.draw(np.random.default_rng([trial, *self.what.encode()]))
        return estimate([self.metric], outcomes, groups, Bootstrap(RESAMPLES, seed=trial))[self.metric]


@dataclass(frozen=True)
class Coverage:
    """How often intervals lay wholly above the truth, and wholly below it, of ``trials``."""

    above: float
    below: float
    trials: int
    noted: float
    """Share of the trials whose note warned of the interval."""

    @property
    def covered(self) -> float:
        return 1 - self.above - self.below

    @property
    def worse_side(self) -> float:
        return max(self.above, self.below)


def coverage(setting: Setting, trials: int) -> Coverage:
    """Of intervals that are stated to cover 95 %."""
    estimates = [setting.estimated(trial) for trial in range(trials)]
    ends = np.array([each.interval for each in estimates if each.interval is not None])
    low, high = ends.T
    noted = np.mean(["as often as stated" in each.note for each in estimates])
    return Coverage(float((low > setting.truth).mean()), float((high < setting.truth).mean()), len(ends), float(noted))


def classified(truth: np.ndarray, predicted: np.ndarray, scores: np.ndarray | None = None) -> Outcomes:
    """Outcomes of two classes; ``scores`` are the probabilities of the second."""
    probabilities = None if scores is None else np.column_stack([1 - scores, scores])
    return Outcomes("classification", truth.astype(int), predicted.astype(int), probabilities, (0, 1), 1)


def right_at(rate: float, rows: int) -> Draw:
    """Independent answers to as many rows of two classes."""

    def draw(rng: np.random.Generator) -> tuple[Outcomes, None]:
        truth = np.arange(rows) % 2
        return classified(truth, truth ^ (rng.random(rows) > rate)), None

    return draw


def right_by_group(rate: float, groups: int, size: int, icc: float) -> Draw:
    """Answers that agree within a group: each group has its own rate, from a beta distribution."""
    spread = (1 - icc) / icc

    def draw(rng: np.random.Generator) -> tuple[Outcomes, np.ndarray]:
        unit = np.repeat(np.arange(groups), size)
        own = rng.beta(rate * spread, (1 - rate) * spread, groups)[unit]
        truth = np.arange(groups * size) % 2
        return classified(truth, truth ^ (rng.random(len(unit)) > own)), unit

    return draw


def decided(positives: int, negatives: int, recall: float, alarms: float) -> Draw:
    """Answers of a classifier with these rates of hits and of false alarms."""

    def draw(rng: np.random.Generator) -> tuple[Outcomes, None]:
        truth = np.repeat([1, 0], [positives, negatives])
        return classified(truth, rng.random(len(truth)) < np.where(truth == 1, recall, alarms)), None

    return draw


def ranked(positives: int, negatives: int, area: float) -> Draw:
    """Normal scores, of which those of positives lie higher."""
    distance = float(norm.ppf(area)) * np.sqrt(2)

    def draw(rng: np.random.Generator) -> tuple[Outcomes, None]:
        truth = np.repeat([1, 0], [positives, negatives])
        scores = norm.cdf(rng.normal(size=len(truth)) + distance * truth)
        return classified(truth, scores > 0.5, scores), None

    return draw


def stated(rows: int) -> Draw:
    """Calibrated probabilities, uniform."""

    def draw(rng: np.random.Generator) -> tuple[Outcomes, None]:
        scores = rng.random(rows)
        return classified(rng.random(rows) < scores, scores > 0.5, scores), None

    return draw


def missed_by(errors: Callable[[np.random.Generator, int], np.ndarray], rows: int, spread: float = 0.0) -> Draw:
    """Predictions that miss by ``errors``; the predicted values are normal with this spread."""

    def draw(rng: np.random.Generator) -> tuple[Outcomes, None]:
        predicted = spread * rng.normal(size=rows)
        return Outcomes("regression", predicted + errors(rng, rows), predicted), None

    return draw


def autoregressive(rows: int, follows: float) -> Draw:
    """Errors in time, of which each follows the one before; batches of time are the groups."""

    def draw(rng: np.random.Generator) -> tuple[Outcomes, np.ndarray]:
        from scipy.signal import lfilter

        noise = rng.normal(size=rows) * np.sqrt(1 - follows**2)
        noise[0] = rng.normal()
        errors = np.asarray(lfilter([1.0], [1.0, -follows], noise))
        return Outcomes("regression", errors, np.zeros(rows)), time_batches(pd.Series(np.arange(rows))).to_numpy()

    return draw


def student(freedom: float) -> Callable[[np.random.Generator, int], np.ndarray]:
    """Errors of Student's t."""
    return lambda rng, rows: rng.standard_t(freedom, rows)


def lognormal(rng: np.random.Generator, rows: int) -> np.ndarray:
    """Errors whose logarithm is standard normal."""
    return rng.lognormal(0, 1, rows)


def _precision(positives: int, negatives: int, recall: float, alarms: float) -> float:
    return positives * recall / (positives * recall + negatives * alarms)


SETTINGS = [
    Setting("100 rows, 95 % right", "accuracy", 0.95, right_at(0.95, 100)),
    Setting("50 rows, 90 % right", "accuracy", 0.9, right_at(0.9, 50)),
    Setting("200 rows, 98 % right", "accuracy", 0.98, right_at(0.98, 200)),
    Setting("1,000 rows, 80 % right", "accuracy", 0.8, right_at(0.8, 1000)),
    Setting("20 groups of 10, half of the spread between them", "accuracy", 0.8, right_by_group(0.8, 20, 10, 0.5)),
    Setting("8 groups of 25, half of the spread between them", "accuracy", 0.8, right_by_group(0.8, 8, 25, 0.5), False),
    Setting("5 groups of 40, half of the spread between them", "accuracy", 0.8, right_by_group(0.8, 5, 40, 0.5), False),
    Setting("9 positives of 300", "recall", 0.8, decided(9, 291, 0.8, 0.02)),
    Setting("9 positives of 300", "precision", _precision(9, 291, 0.8, 0.02), decided(9, 291, 0.8, 0.02)),
    Setting("9 positives of 300", "balanced_accuracy", 0.89, decided(9, 291, 0.8, 0.02)),
    Setting("50 of either class", "balanced_accuracy", 0.98, decided(50, 50, 0.98, 0.02)),
    Setting("50 of either class", "f1", 0.9, decided(50, 50, 0.9, 0.1)),
    Setting("50 of either class", "f2", 0.9, decided(50, 50, 0.9, 0.1)),
    Setting("50 of either class", "matthews_corrcoef", 0.8, decided(50, 50, 0.9, 0.1)),
    Setting("50 of either class", "f1_macro", 0.9, decided(50, 50, 0.9, 0.1)),
    Setting("9 positives of 300, area 0.8", "roc_auc", 0.8, ranked(9, 291, 0.8)),
    Setting("9 positives of 300, area 0.9", "roc_auc", 0.9, ranked(9, 291, 0.9)),
    Setting("9 positives of 300, area 0.95", "roc_auc", 0.95, ranked(9, 291, 0.95)),
    Setting("9 positives of 300, area 0.856", "roc_auc", 0.856, ranked(9, 291, 0.856)),
    Setting("50 positives of 550, area 0.99", "roc_auc", 0.99, ranked(50, 500, 0.99)),
    Setting("100 positives of 1,100, area 0.99", "roc_auc", 0.99, ranked(100, 1000, 0.99)),
    Setting("50 of either class, area 0.9", "roc_auc", 0.9, ranked(50, 50, 0.9)),
    Setting("200 rows, calibrated", "brier_score", 1 / 6, stated(200)),
    Setting("200 rows, calibrated", "log_loss", 0.5, stated(200)),
    Setting("100 rows, normal errors", "mean_absolute_error", np.sqrt(2 / np.pi), missed_by(student(1e6), 100)),
    Setting(
        "100 rows, errors of Student's t with 3",
        "mean_absolute_error",
        2 * 3**0.5 / np.pi,
        missed_by(student(3), 100),
        False,
    ),
    Setting("100 rows, errors of Student's t with 2", "mean_absolute_error", 2**0.5, missed_by(student(2), 100), False),
    Setting("100 rows, log-normal errors", "mean_absolute_error", np.exp(0.5), missed_by(lognormal, 100), False),
    Setting("100 rows, normal errors", "median_absolute_error", float(norm.ppf(0.75)), missed_by(student(1e6), 100)),
    Setting("100 rows, normal errors", "r2", 0.8, missed_by(student(1e6), 100, 2.0)),
    Setting("100 rows, errors of Student's t with 3", "r2", 4 / 7, missed_by(student(3), 100, 2.0), False),
    Setting(
        "300 rows, errors of Student's t with 5",
        "root_mean_squared_error",
        (5 / 3) ** 0.5,
        missed_by(student(5), 300),
        False,
    ),
    Setting(
        "500 rows in time, of which each follows by 0.8",
        "mean_absolute_error",
        np.sqrt(2 / np.pi),
        autoregressive(500, 0.8),
        False,
    ),
    Setting(
        "500 rows in time, of which each follows by 0.8",
        "root_mean_squared_error",
        1.0,
        autoregressive(500, 0.8),
        False,
    ),
    Setting(
        "2,000 rows in time, of which each follows by 0.8",
        "mean_absolute_error",
        np.sqrt(2 / np.pi),
        autoregressive(2000, 0.8),
    ),
]
"""Where percentiles of the bootstrap err, and where they do not."""


def measure(folder: Path) -> list[Figure]:
    """Every setting: the share of intervals that hold the truth, and the share that miss it at the worse end."""
    return [figure for setting in SETTINGS for figure in _figures(setting)]


def _figures(setting: Setting) -> list[Figure]:
    seen, what = coverage(setting, TRIALS), f"{setting.metric}: {setting.what}"
    if not setting.holds:
        return [
            Figure(f"{what}: covered", (seen.covered,), ""),
            Figure("… missed at the worse end", (seen.worse_side,), ""),
            Figure("… and says so", (seen.noted,), ""),
        ]
    return [
        Figure(f"{what}: covered", (seen.covered,), "", at_least=TWO_SIDED),
        Figure("… missed at the worse end", (seen.worse_side,), "", at_most=ONE_SIDED),
    ]


BENCHMARK = Benchmark(
    title="How often intervals hold the truth",
    how=f"{TRIALS:,} tables of each setting with fixed seeds, {RESAMPLES:,} resamples where a method draws them; every "
    "interval is stated to cover 95 %. Where the bound is left out, no method that is known reaches it, and the "
    "estimate says what it covers.",
    measure=measure,
    timed=False,
)
