"""The survey of a file: what the cells of each column hold, counted over every row, and a sample of the rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.dataset.files import root_of
from mlops_assets.dataset.reading.parsing import parsed
from mlops_assets.dataset.reading.separate import guarded_batch
from mlops_assets.dataset.spec import ColumnSpec, DatasetSpec, FormatSpec
from mlops_assets.drafting.column_facts import ColumnFacts, ColumnScan
from mlops_assets.errors import LandingError
from mlops_assets.storage.landing_limits import DEFAULT, LandingLimits

if TYPE_CHECKING:
    from pathlib import Path

    from fsspec import AbstractFileSystem

SAMPLE_CELLS = 5_000_000
"""Cells of the sample; of a larger file it holds every 2ᵏ-th row."""
FEWEST_SAMPLED = 4_000
"""Rows of the sample however wide the file is."""


@dataclass(frozen=True)
class Survey:
    """One file, seen as a whole."""

    file: str
    """Its name without folders."""
    rows: int
    columns: dict[str, ColumnFacts]
    sample: pl.DataFrame
    """Columns that have a type, in that type."""
    unreadable: dict[str, str]
    """Columns that cannot be declared, and why."""
    null_values: list[str] | None
    """Texts for an empty cell, where the platform's own list is not enough."""

    @property
    def sampled(self) -> bool:
        return self.sample.height < self.rows


def survey(source: "str | Path", limits: LandingLimits = DEFAULT) -> Survey:
    """Read ``source``, a path or fsspec URL of a CSV, Parquet or JSON Lines file, plain, gzip or zstd.

    Raises:
        LandingError: if it cannot be read, or holds no rows.
        BatchRejected: if the platform would refuse it as a batch.
    """
    first = _Reading(source, FormatSpec(), limits)
    scans = first.read()
    markers = sorted({text for scan in scans.values() for text in scan.markers_among_numbers()})
    nulls = [*FormatSpec().null_values, *markers] if markers else None
    if nulls:
        first = _Reading(source, FormatSpec(null_values=nulls), limits)
        scans = first.read()
    facts = {name: scan.facts() for name, scan in scans.items()}
    typed = [parsed(first.sample[name], column.type) for name, column in facts.items() if column.type is not None]
    return Survey(first.name, first.rows, facts, pl.DataFrame(typed), first.unreadable, nulls)


class _Reading:
    """One pass over the file."""

    def __init__(self, source: "str | Path", form: FormatSpec, limits: LandingLimits) -> None:
        self.fs, self.path = _located(source)
        self.name = self.path.rstrip("/").rpartition("/")[2]
        self.form, self.limits, self.rows, self.unreadable = form, limits, 0, {}
        self.sample = pl.DataFrame()
        self._stride = 1

    def read(self) -> dict[str, ColumnScan]:
        names = list(self._names())
        if not names:
            raise LandingError(f"{self.name!r} has no column with a usable name. Remedy: name the columns in line 1")
        scans = {name: ColumnScan(name) for name in names}
        limit = max(SAMPLE_CELLS // len(names), FEWEST_SAMPLED)
        with guarded_batch(self.fs, self.path, _everything(names, self.form), self.limits) as batch:
            for chunk in batch.chunks:
                for name in names:
                    scans[name].add(chunk[name])
                self._keep(chunk, limit)
        if not self.rows:
            raise LandingError(f"{self.name!r} has a header but no rows. Remedy: name a file with rows")
        return scans

    def _names(self) -> Iterator[str]:
        """Columns that a declaration can name; a declaration of nothing hears of all of them as undeclared."""
        with guarded_batch(self.fs, self.path, _everything([], self.form), self.limits) as batch:
            undeclared = batch.ignored
        for name in undeclared:
            if name.startswith("unnamed column "):
                self.unreadable[name] = "it has no name in the header"
            elif name.startswith("_"):
                self.unreadable[name] = "its name begins with an underscore, as the platform's own columns do"
            else:
                yield name

    def _keep(self, chunk: pl.DataFrame, limit: int) -> None:
        offset = -self.rows % self._stride
        self.rows += chunk.height
        kept = chunk.gather_every(self._stride, offset)
        self.sample = pl.concat([self.sample, kept]) if self.sample.width else kept
        while self.sample.height > limit:
            self.sample = self.sample.gather_every(2)
            self._stride *= 2


def _everything(names: list[str], form: FormatSpec) -> DatasetSpec:
    """A declaration of nothing but names, of which the readers need no more."""
    column = ColumnSpec(type="string", nullable=True)
    return DatasetSpec.model_construct(target="", columns=dict.fromkeys(names, column), format=form)


def _located(source: "str | Path") -> "tuple[AbstractFileSystem, str]":
    import fsspec

    try:
        fs, _ = fsspec.core.url_to_fs(str(source))
        path = root_of(fs, str(source))
        if not fs.isfile(path):
            raise LandingError(f"{str(source)!r} is not a file. Remedy: name a readable file or URL")
    except (OSError, ImportError, ValueError) as error:
        raise LandingError(f"{str(source)!r} cannot be read: {error}. Remedy: name a readable file or URL") from error
    return fs, path
