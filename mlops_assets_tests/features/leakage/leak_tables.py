"""Leaks of known making, put into honest tables."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mlops_assets_tests.features.honest_tables import HONEST, HonestTable

Leak = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class LeakTable:
    """An honest table, and what is put into it."""

    honest: HonestTable
    seed: int
    leak: Leak

    @property
    def name(self) -> str:
        return f"{self.honest.name} {self.seed}"

    def read(self, shared: Path) -> pd.DataFrame:
        """The table with the feature ``leak``."""
        table = self.honest.read(shared)
        target = table[self.honest.target]
        numbers = (
            np.unique(target.to_numpy(), return_inverse=True)[1]
            if self.honest.task == "classification"
            else target.to_numpy()
        )
        leak = self.leak(numbers, np.random.default_rng(self.seed))
        if self.honest.task == "classification" and leak.dtype.kind == "i":
            leak = np.array(sorted(set(target)))[leak]
        return table.assign(leak=leak)


def target_mean(rows_each: float) -> Leak:
    """Mean of the target over rows of the same of many random ids, the own row included."""

    def leak(target: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        ids = rng.integers(0, max(int(len(target) / rows_each), 2), len(target))
        return pd.Series(target.astype(float)).groupby(ids).transform("mean").to_numpy()

    return leak


def recovered(share: float, filler: float = np.nan) -> Leak:
    """An amount that a share of the rows of the last class have, and no other row."""

    def leak(target: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        there = (target == target.max()) & (rng.random(len(target)) < share)
        return np.where(there, rng.lognormal(6, 1, len(target)).round(2), filler)

    return leak


def valuation(noise: float, share: float, filler: float = np.nan) -> Leak:
    """The target with relative noise, in a share of the rows."""

    def leak(target: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        there = rng.random(len(target)) < share
        return np.where(there, target * (1 + rng.normal(0, noise, len(target))), filler)

    return leak


def flipped(share: float) -> Leak:
    """The class, in a share of the rows another one."""

    def leak(target: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        classes = int(target.max()) + 1
        other = (target + rng.integers(1, classes, len(target))) % classes
        return np.where(rng.random(len(target)) < share, other, target).astype(np.int64)

    return leak


def _by_name(*names: str) -> Iterator[HonestTable]:
    for name in names:
        yield next(table for table in HONEST if table.name == name)


REGRESSION = ("diabetes target", "grunfeld invest", "macrodata unemp", "winequality-red quality", "engel foodexp")
CLASSES = ("breast_cancer target", "anes96 vote", "winequality-white good", "modechoice choice", "fair affair")
MEANS = [
    LeakTable(honest, seed, target_mean(rows_each))
    for seed, rows_each in enumerate((3, 5, 10, 30))
    for honest in _by_name(*REGRESSION, *CLASSES, "star98 NABOVE", "iris target")
]
BINARY = (*CLASSES, "UCI_Credit_Card default.payment.next.month", "train Personality", "spector GRADE")
RECOVERED = [
    LeakTable(honest, seed, recovered(share, filler))
    for seed, (share, filler) in enumerate([(0.3, np.nan), (0.6, np.nan), (0.3, 0.0), (0.6, 0.0)])
    for honest in _by_name(*BINARY)
]
PRICED = ("kc_house_data price", "house_data price", "diabetes target", "grunfeld invest", "star98 NABOVE")
VALUATIONS = [
    LeakTable(honest, seed, valuation(0.1, 0.3, filler))
    for seed, filler in enumerate([np.nan, 0.0])
    for honest in _by_name(
        "kc_house_data price", "house_data price", "diabetes target", "grunfeld invest", "star98 NABOVE"
    )
]
FLIPPED = [
    LeakTable(honest, seed, flipped(share))
    for seed, share in enumerate([0.2, 0.25, 0.3])
    for honest in _by_name(*BINARY, "data_moods mood")
]
