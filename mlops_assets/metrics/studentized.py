"""Studentized intervals: the bootstrap-t of metrics that are functions of means, for rows, groups and blocks alike."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlops_assets.metrics.blocks import Blocks
from mlops_assets.metrics.bootstrap import Bootstrap, replicate
from mlops_assets.metrics.intervals import UNDEFINED_AT_MOST, Interval

FEWEST_RESAMPLED = 20
"""Below this many rows or groups their resamples have too few values, and Student's t is taken as it is."""
LARGE_SHARE, OF_MANY = 0.25, 50
"""Share of the spread that one of at least so many rows or groups may make before the interval says too much."""
STEP = 1e-5
"""Of the size of a mean and of its terms, by which slopes are taken."""

Finish = Callable[..., np.ndarray]
"""Means of the terms, shape (b,) each -> the error that is a function of them, shape (b,), above 0."""


@dataclass(frozen=True)
class StudentizedInterval:
    """The interval of an error, and what one row or group weighs in it."""

    interval: Interval
    largest: float
    """Share of the squared influences that the most influential row or group has."""
    units: int

    @property
    def note(self) -> str:
        """What to know where few rows make the spread; empty where none stands out."""
        if self.largest < LARGE_SHARE or self.units < OF_MANY:
            return ""
        what = f"heavy tails: one row or group makes {self.largest:.0%} of the spread"
        return f"{what}; such intervals miss two or three times as often as stated"


@dataclass(frozen=True, eq=False)
class MeanErrors:
    """An error of ``u`` units, drawn whole: a function of the means of ``k`` terms over their rows."""

    deviations: np.ndarray
    """Shape (u, k): each unit's sums of terms, less its size times their means."""
    sizes: np.ndarray
    """Shape (u,): rows of each unit."""
    means: np.ndarray
    """Shape (k,)."""
    finish: Finish

    @cached_property
    def value(self) -> float:
        """The error of all rows."""
        return float(self.finish(*self.means[:, np.newaxis])[0])

    @cached_property
    def error(self) -> float:
        """Standard error of the logarithm of ``value``, linearised over the units."""
        ones = np.ones((1, len(self.sizes)))
        return float(self.measure(ones)["error"][0])

    @cached_property
    def products(self) -> np.ndarray:
        """Shape (u, k k + k + 1): products of deviations, deviations times size, and squared sizes."""
        squares = np.einsum("ui,uj->uij", self.deviations, self.deviations).reshape(len(self.sizes), -1)
        return np.column_stack([squares, self.deviations * self.sizes[:, np.newaxis], self.sizes**2])

    @cached_property
    def steps(self) -> np.ndarray:
        """Shape (k,): by how much each mean is moved to take a slope."""
        scale = np.abs(self.means) + np.sqrt((self.deviations**2).mean(axis=0)) / self.sizes.mean()
        return STEP * np.where(scale > 0, scale, 1.0)

    @property
    def largest(self) -> float:
        """Share of the squared influences that the most influential unit has; 0 without any influence."""
        influence = self.deviations @ self._slopes(self.means[np.newaxis], np.array([self.value]))[0]
        total = float((influence**2).sum())
        return float((influence**2).max()) / total if total > 0 else 0.0

    def measure(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Logarithm and its standard error of units drawn as often as ``weights``, shape (b, u)."""
        weights = weights.astype(np.float64, copy=False)
        rows, k = weights @ self.sizes, self.deviations.shape[1]
        shift = weights @ self.deviations / rows[:, np.newaxis]
        means = self.means + shift
        with np.errstate(divide="ignore", invalid="ignore"):
            values = self.finish(*means.T)
            slopes = self._slopes(means, values)
            products = weights @ self.products
            along = np.einsum("bi,bij,bj->b", slopes, products[:, : k * k].reshape(-1, k, k), slopes)
            across = np.einsum("bi,bi->b", slopes, products[:, k * k : -1])
            moved = np.einsum("bi,bi->b", slopes, shift)
            squared = along - 2 * moved * across + moved**2 * products[:, -1]
            units = len(self.sizes)
            error = np.sqrt(np.maximum(squared, 0) * units / (units - 1)) / rows / values
            return {"log": np.log(values), "error": error}

    def _slopes(self, means: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Slope of ``finish`` in each mean, shape (b, k)."""
        slopes = np.empty_like(means)
        for index in range(means.shape[1]):
            moved = means.copy()
            moved[:, index] += self.steps[index]
            slopes[:, index] = (self.finish(*moved.T) - values) / self.steps[index]
        return slopes


def mean_errors(terms: np.ndarray, blocks: Blocks, finish: Finish) -> MeanErrors:
    """The error of rows whose terms are ``terms``, shape (n, k), drawn by ``blocks``."""
    means = terms.mean(axis=0)
    return MeanErrors(blocks.totals(terms - means), blocks.sizes, means, finish)


def studentized_interval(errors: MeanErrors, blocks: Blocks, bootstrap: Bootstrap) -> StudentizedInterval | None:
    """Bootstrap-t of the error's logarithm: a resample's distance is measured in its own standard errors.

    Hall (1988), "Theoretical comparison of bootstrap confidence intervals", Annals of Statistics 16. Where errors are
    skewed or have heavy tails it errs less than percentiles. Of few units it is Student's t. None where the error is 0
    or has no spread.
    """
    if not (errors.value > 0 and errors.error > 0 and np.isfinite(errors.error)):
        return None
    tail = (1 - bootstrap.confidence) / 2
    low, high = _student(len(errors.sizes), tail)
    if len(errors.sizes) >= FEWEST_RESAMPLED:
        drawn = replicate([errors.measure], blocks.atoms, bootstrap)[0]
        with np.errstate(divide="ignore", invalid="ignore"):
            distances = (drawn["log"] - np.log(errors.value)) / drawn["error"]
        defined = distances[np.isfinite(distances)]
        if len(defined) >= (1 - UNDEFINED_AT_MOST) * len(distances):
            low, high = (float(end) for end in np.quantile(defined, [tail, 1 - tail]))
    ends = (errors.value * float(np.exp(-distance * errors.error)) for distance in (high, low))
    least, most = ends
    return StudentizedInterval((min(least, errors.value), max(most, errors.value)), errors.largest, len(errors.sizes))


def _student(units: int, tail: float) -> tuple[float, float]:
    from scipy.stats import t

    reach = float(t.isf(tail, units - 1))
    return -reach, reach
