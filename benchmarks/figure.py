"""Figures: what was measured, how it spread, and the bound it must keep."""

import gc
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

RUNS = 5
"""Measurements behind every median."""


@dataclass(frozen=True)
class Figure:
    """One line of the table; without a bound it is there to be read, and cannot be missed."""

    what: str
    samples: tuple[float, ...]
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def median(self) -> float:
        return median(self.samples)

    @property
    def ok(self) -> bool | None:
        """Whether the bound is kept; None where there is none."""
        if self.at_most is not None:
            return self.median <= self.at_most
        return None if self.at_least is None else self.median >= self.at_least

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """Figure, median, spread, bound and verdict as text."""
        return (self.what, self._text(self.median), self._spread(), self._bound(), _verdict(self.ok))

    def _text(self, value: float) -> str:
        return f"{_number(value)} {self.unit}".rstrip()

    def _spread(self) -> str:
        if len(self.samples) == 1:
            return "one run"
        return f"{_number(min(self.samples))} … {_number(max(self.samples))}, {len(self.samples)} runs"

    def _bound(self) -> str:
        if self.at_most is not None:
            return f"≤ {self._text(self.at_most)}"
        return "" if self.at_least is None else f"≥ {self._text(self.at_least)}"


@dataclass(frozen=True)
class Benchmark:
    """Figures that are measured together."""

    title: str
    how: str
    """What is measured and what is not, for the reader of the table."""
    measure: Callable[[Path], list[Figure]]
    """Takes an empty folder to work in."""
    timed: bool = True
    """Whether the figures depend on the machine."""


@dataclass(frozen=True)
class Measured:
    """What a benchmark found, and how busy the machine was meanwhile."""

    benchmark: Benchmark
    figures: list[Figure]
    load: tuple[float, float]
    """Load average over a minute, when it began and when it ended."""

    @property
    def noise(self) -> str:
        before, after = self.load
        return (
            f"Load average: {before:.1f} when it began, {after:.1f} when it ended; the measuring itself makes 1 to 2."
        )


def measure(benchmark: Benchmark, folder: Path) -> Measured:
    """Every figure of ``benchmark``, measured now."""
    before = os.getloadavg()[0]
    figures = benchmark.measure(folder)
    return Measured(benchmark, figures, (before, os.getloadavg()[0]))


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call, which does not pay for the garbage of earlier ones."""
    gc.collect()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _number(value: float) -> str:
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:#.3g}" if abs(value) < 100 else f"{value:.0f}"


def _verdict(ok: bool | None) -> str:
    return {True: "kept", False: "MISSED", None: ""}[ok]
