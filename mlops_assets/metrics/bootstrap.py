"""The bootstrap: resamples of rows or groups, drawn as integer weights."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlops_assets.metrics.outcomes import Column, Outcomes

CELLS_PER_CHUNK = 200_000
"""Weights drawn at once: they stay in the processor's cache, and memory stays flat in rows and resamples."""
CHEAP_ATOMS = 1 / 20
"""Below this many atoms per row, binomial draws per atom cost less than one draw per row (measured)."""
PARALLEL_CELLS = 20_000_000
"""Weights from which a second thread pays."""
MOST_THREADS = 4


Statistic = Callable[[np.ndarray], dict[str, np.ndarray]]
"""Row weights of shape (b, n) -> each metric of shape (b,); NaN where it is undefined."""


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made: percentiles of a metric over resamples of the rows, drawn with replacement."""

    resamples: int = 2000
    confidence: float = 0.95
    seed: int = 0
    most_rows: int = 200_000
    """Above this many rows that a metric can tell apart, intervals of metrics draw random blocks of rows."""
    blocks: int = 10_000
    """How many blocks; with groups, at most one for each."""


STANDARD = Bootstrap()


@dataclass(frozen=True, eq=False)
class Atoms:
    """Rows that the metrics in hand cannot tell apart, counted as one.

    A metric sees a resample only through how often each atom occurs in it. ``n`` independent draws of rows
    give each of ``n`` draws the atom ``a`` with probability size_a / n, so these counts are exactly
    Multinomial(n, size / n): drawing them directly is the same bootstrap, in time that grows with the atoms.
    """

    row: np.ndarray
    """Shape (a,): a row of each atom."""
    size: np.ndarray
    """Shape (a,): how many rows it stands for."""
    of_row: np.ndarray | None
    """Shape (n,): the atom of each row; None where every row is its own."""
    group: np.ndarray | None = None
    """Shape (a,): its group, where groups are drawn instead of rows."""

    @property
    def units(self) -> int:
        """How many independent things are drawn: groups, or rows."""
        return int(self.size.sum()) if self.group is None else int(self.group.max()) + 1

    def draw(self, resamples: int, rng: np.random.Generator) -> np.ndarray:
        """Integer weights of shape (resamples, a)."""
        if self.group is not None:
            return _counts(rng, resamples, self.units, None, self.units).take(self.group, axis=1) * self.size
        if self.of_row is not None and len(self.row) <= CHEAP_ATOMS * self.units:
            return rng.multinomial(self.units, self.size / self.size.sum(), size=resamples).astype(np.int64, copy=False)
        return _counts(rng, resamples, self.units, self.of_row, len(self.row))


def gather_atoms(columns: Sequence[np.ndarray], groups: np.ndarray | None = None) -> Atoms:
    """Atoms of rows that agree in all ``columns`` (and group): everything the metrics look at."""
    keyed = list(columns) if groups is None else [groups, *columns]
    code = np.zeros(len(keyed[0]), dtype=np.int64)
    for column in keyed:
        distinct, inverse = np.unique(column, return_inverse=True)
        code = np.unique(code * len(distinct) + inverse, return_inverse=True)[1]
        if code.max() + 1 == len(code):
            break
    if code.max() + 1 > len(code) / 2:
        return Atoms(np.arange(len(code)), np.ones(len(code), dtype=np.int64), None, groups)
    _, row, size = np.unique(code, return_index=True, return_counts=True)
    return Atoms(row, size, code, None if groups is None else groups[row])


def atoms_of(several: Iterable[Outcomes], groups: Column | None, by_label: bool) -> Atoms:
    """Atoms of rows that none of ``several`` outcomes tells apart."""
    columns = [
        column for outcomes in several for column in (outcomes.label_columns if by_label else outcomes.value_columns)
    ]
    return gather_atoms(columns, group_codes(groups))


def group_codes(groups: Column | None) -> np.ndarray | None:
    """Groups numbered from 0; a missing group counts as one group."""
    return None if groups is None else pd.factorize(pd.Series(groups), use_na_sentinel=False)[0]


def replicate(statistics: Sequence[Statistic], atoms: Atoms, bootstrap: Bootstrap) -> list[dict[str, np.ndarray]]:
    """Every statistic of every resample, shape (resamples,) each; all see the same resamples.

    The draws depend on the seed alone, not on the number of threads.
    """
    size = max(1, min(bootstrap.resamples, CELLS_PER_CHUNK // max(len(atoms.row), 1)))
    sizes = [min(size, bootstrap.resamples - start) for start in range(0, bootstrap.resamples, size)]
    seeds = np.random.SeedSequence(bootstrap.seed).spawn(len(sizes))

    def measure(chunk: tuple[int, np.random.SeedSequence]) -> list[dict[str, np.ndarray]]:
        weights = atoms.draw(chunk[0], np.random.Generator(np.random.SFC64(chunk[1])))
        return [statistic(weights) for statistic in statistics]

    with ThreadPoolExecutor(_threads(len(atoms.row) * bootstrap.resamples)) as pool:
        chunks = list(pool.map(measure, zip(sizes, seeds, strict=True)))
    return [
        {name: np.concatenate([chunk[index][name] for chunk in chunks]) for name in chunks[0][index]}
        for index in range(len(statistics))
    ]


def _threads(cells: int) -> int:
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(available, MOST_THREADS) if cells >= PARALLEL_CELLS else 1


def _counts(rng: np.random.Generator, resamples: int, drawn: int, atom: np.ndarray | None, atoms: int) -> np.ndarray:
    """How often each atom occurs among ``drawn`` rows drawn with replacement, (resamples, atoms)."""
    counts = np.empty((resamples, atoms), dtype=np.int64)
    for row in counts:
        chosen = rng.integers(0, drawn, drawn, dtype=np.uint32)
        row[:] = np.bincount(chosen if atom is None else atom.take(chosen), minlength=atoms)
    return counts
