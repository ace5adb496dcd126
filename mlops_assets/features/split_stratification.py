"""Split stratification: a salt, chosen once, under which the hash shares out classes or target deciles evenly."""

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from mlops_assets.features.spec import SplitSpec
from mlops_assets.features.version import TEST, TRAIN, VALIDATION

if TYPE_CHECKING:
    from mlops_assets.declaration.base import Task

CANDIDATES, MOST_CANDIDATES = 256, 1024
"""Salts compared; small data, where chance is worst, affords more."""
SAMPLE = 50_000
"""Distinct units that candidates are compared on; the law of large numbers balances larger data."""
DECILES = 10
WORD = (1 << 64) - 1


def share_out(units: np.ndarray, salt: int, split: SplitSpec) -> np.ndarray:
    """Part code of each unit, decided by its own hash and the salt alone."""
    position = mix(units ^ np.uint64(_mix_one(salt))) >> np.uint64(11)
    position = position * 2.0**-53
    codes = np.full(len(units), TRAIN, dtype=np.int8)
    codes[position < split.test + split.validation] = VALIDATION
    codes[position < split.test] = TEST
    return codes


def choose_salt(units: np.ndarray, labels: np.ndarray, split: SplitSpec) -> int:
    """The salt among the candidates whose parts come closest to the declared share of every stratum."""
    units, labels, weights = _sample(*_distinct(units, labels))
    expected = _expected(labels, weights, split)
    candidates = min(MOST_CANDIDATES, CANDIDATES * SAMPLE // max(len(units), 1))
    distances = [
        _distance(share_out(units, salt, split), labels, weights, expected) for salt in range(1, candidates + 1)
    ]
    return 1 + int(np.argmin(distances))


def strata(target: pl.Series, task: "Task") -> np.ndarray:
    """Stratum of each row, shape (n,): its class, or the decile of its target."""
    if task == "classification":
        return target.rank("dense").to_numpy().astype(np.int64) - 1
    values = target.cast(float).to_numpy()
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    return np.searchsorted(np.quantile(values, np.arange(1, DECILES) / DECILES), values, side="right")


def mix(values: np.ndarray) -> np.ndarray:
    """splitmix64's finaliser (Steele, Lea and Flood, 2014): every input bit moves every output bit."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _mix_one(value: int) -> int:
    return int(mix(np.array([value & WORD], dtype=np.uint64))[0])


def _distinct(units: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct (unit, stratum) pairs and how many rows each stands for, in an order free of the rows' order."""

    pairs = pl.DataFrame({"unit": units, "label": labels}).group_by("unit", "label").len().sort("unit", "label")
    return pairs["unit"].to_numpy(), pairs["label"].to_numpy(), pairs["len"].to_numpy().astype(float)


def _sample(units: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if len(units) <= SAMPLE:
        return units, labels, weights
    mixed = mix(units)
    chosen = mixed <= np.partition(mixed, SAMPLE)[SAMPLE]
    return units[chosen], labels[chosen], weights[chosen]


def _expected(labels: np.ndarray, weights: np.ndarray, split: SplitSpec) -> np.ndarray:
    """Rows that each part (train, validation, test) should hold of each stratum, and of all strata together."""
    shares = np.array([1 - split.test - split.validation, split.validation, split.test])
    sizes = np.bincount(labels, weights)
    return np.outer(shares, [*sizes, sizes.sum()])


def _distance(codes: np.ndarray, labels: np.ndarray, weights: np.ndarray, expected: np.ndarray) -> float:
    strata_count = expected.shape[1] - 1
    seen = np.bincount(codes * strata_count + labels, weights, minlength=3 * strata_count).reshape(3, strata_count)
    seen = np.column_stack([seen, seen.sum(axis=1)])
    return float((((seen - expected) ** 2) / np.maximum(expected, 1e-9)).sum())
