"""Column facts: what all of its cells have in common, added up chunk by chunk."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from mlops_assets.dataset.reading.parsing import is_missing, parsed
from mlops_assets.dataset.spec import ColumnType

FIRST = 1_000
"""Cells that show soon that a column is not of a type."""
COUNTED = 2_000
"""Distinct values that are counted one by one; a column with more is no list of categories."""
MARKERS = frozenset(
    {"", "?", "-", "--", ".", "n/a", "#n/a", "#na", "<na>", "nat", "nil", "#div/0!", "#value!", "#ref!"}
)
"""Texts (trimmed, in lower case) that stand for an empty cell in a column of numbers."""
NUMBER_WITH_COMMA = r"^\s*[+-]?(\d+,\d+|\d{1,3}([. ]\d{3})+(,\d+)?|\d{1,3}(,\d{3})+(\.\d+)?)\s*$"
DATE_IN_ANOTHER_ORDER = r"^\s*\d{1,4}[./-]\d{1,2}[./-]\d{1,4}([ T].*)?$"
YEARS = range(1900, 2101)
"""Years in which eight digits are taken for a date."""

Cell = Any
"""What one cell holds, in whatever type its column has."""


@dataclass
class ColumnFacts:
    """What every cell of one column has in common."""

    name: str
    rows: int = 0
    missing: int = 0
    type: ColumnType | None = None
    """None where every cell is empty, or holds lists or structures."""
    low: Cell = None
    """Smallest number, date or time."""
    high: Cell = None
    counts: dict[Cell, int] | None = None
    """Rows by value, None where there are more than COUNTED values."""
    unique: bool = True
    """Whether no value that is present occurs twice."""
    whole: bool = False
    """Whether every number is whole, however it is written."""
    obstacle: str = ""
    """What hinders a better type."""

    @property
    def present(self) -> int:
        return self.rows - self.missing


@dataclass
class ColumnScan:
    """What has been seen of one column so far."""

    name: str
    rows: int = 0
    missing: int = 0
    kinds: list[ColumnType] = field(default_factory=lambda: ["boolean", "integer", "date", "datetime", "float"])
    lows: dict[str, Cell] = field(default_factory=dict)
    highs: dict[str, Cell] = field(default_factory=dict)
    counts: Counter[Cell] | None = field(default_factory=Counter)
    hashes: list[pl.Series] | None = field(default_factory=list)
    texts: bool = False
    nested: str = ""
    pointed: bool = False
    """Whether a number is written with a decimal point."""
    coded: bool = False
    """Whether digits are a code: a leading zero, or more of them than a number keeps."""
    numbers: int = 0
    commas: int = 0
    slashes: int = 0
    markers: Counter[str] = field(default_factory=Counter)

    def add(self, column: pl.Series) -> None:
        self.rows += len(column)
        if column.dtype.is_nested() or column.dtype in (pl.Duration, pl.Object):
            self.nested = str(column.dtype)
            return
        present = column.filter(~is_missing(column))
        self.missing += len(column) - len(present)
        if not len(present):
            return
        if present.dtype in (pl.Categorical, pl.Enum, pl.Binary):
            present = present.cast(pl.String, strict=False)
        self._count(present)
        if present.dtype == pl.String:
            self._read_texts(present)
        elif present.dtype.is_float():
            self.pointed = True
        self.kinds = [kind for kind in self.kinds if self._holds(present, kind)]

    def _count(self, present: pl.Series) -> None:
        if self.hashes is not None:
            self.hashes.append(present.hash())
            if self.hashes[-1].n_unique() < len(present):
                self.hashes = None
        if self.counts is not None:
            values = present.value_counts(name="rows")
            self.counts.update(dict(values.iter_rows()))
            self.counts = self.counts if len(self.counts) <= COUNTED else None

    def _read_texts(self, present: pl.Series) -> None:
        self.texts = True
        self.pointed = self.pointed or bool(present.str.contains(r"\.").any())
        self.coded = self.coded or bool(present.str.contains(r"^\s*[+-]?(0\d+|\d{16,})\s*$").any())
        if "float" not in self.kinds or parsed(present.head(FIRST), "float").null_count():
            self.numbers += len(present) - parsed(present, "float").null_count()
            self.commas += int(present.str.contains(NUMBER_WITH_COMMA).sum())
            self.slashes += int(present.str.contains(DATE_IN_ANOTHER_ORDER).sum())
            markers = present.filter(present.str.strip_chars().str.to_lowercase().is_in(list(MARKERS)))
            self.markers.update(dict(markers.value_counts(name="rows").iter_rows()))
        else:
            self.numbers += len(present)

    def _holds(self, present: pl.Series, kind: ColumnType) -> bool:
        if parsed(present.head(FIRST), kind).null_count():
            return False
        values = parsed(present, kind)
        if values.null_count():
            return False
        if kind != "boolean":
            low, high = values.min(), values.max()
            self.lows[kind] = min(low, self.lows.get(kind, low))
            self.highs[kind] = max(high, self.highs.get(kind, high))
        return True

    def markers_among_numbers(self) -> list[str]:
        """Texts that stand for an empty cell, where all other cells are numbers."""
        marked = sum(self.markers.values())
        return list(self.markers) if marked and self.numbers and marked + self.numbers == self.present else []

    @property
    def present(self) -> int:
        return self.rows - self.missing

    def facts(self) -> ColumnFacts:
        kind = self._kind()
        counts = None if self.counts is None else dict(self.counts)
        return ColumnFacts(
            self.name,
            self.rows,
            self.missing,
            kind,
            self.lows.get(kind or ""),
            self.highs.get(kind or ""),
            counts,
            unique=bool(self.hashes) and pl.concat(self.hashes or []).n_unique() == self.present,
            whole="integer" in self.kinds and not self.coded,
            obstacle=self._obstacle(kind),
        )

    def _kind(self) -> ColumnType | None:
        if self.nested or not self.present:
            return None
        kinds = self.kinds
        if not self.texts:
            stored: list[ColumnType] = ["date", "datetime", "integer", "float"]
            if self._stored_truth():
                return "boolean"
            kind = _first(stored, kinds)
            return "float" if kind == "integer" and self.pointed and not self.missing else kind
        if self.coded and ("float" in kinds):
            return "date" if "date" in kinds and self._plausible_dates() else "string"
        if "integer" in kinds:
            if "date" in kinds and self._plausible_dates():
                return "date"
            return "float" if self.pointed and not self.missing else "integer"
        written: list[ColumnType] = ["boolean", "date", "datetime", "float"]
        return _first(written, kinds)

    def _stored_truth(self) -> bool:
        return self.counts is not None and all(isinstance(value, bool) for value in self.counts)

    def _plausible_dates(self) -> bool:
        low, high = self.lows["date"], self.highs["date"]
        return low.year in YEARS and high.year in YEARS and low < high and not self.pointed

    def _obstacle(self, kind: ColumnType | None) -> str:
        if self.nested:
            return f"its cells hold {self.nested}; flatten it before landing"
        if kind is None:
            return "every cell is empty"
        if kind != "string" or not self.texts:
            return ""
        if self.commas and self.commas + self.numbers == self.present:
            return "decimal comma"
        if self.slashes == self.present:
            return "dates that are not written as 2026-05-31, which the platform does not read"
        if self.numbers >= 0.9 * self.present and not self.coded:
            others = self.present - self.numbers
            return (
                f"{self.numbers:,} cells are numbers, {others:,} are not; declared float, those rows were quarantined"
            )
        return ""


def _first(order: list[ColumnType], kinds: list[ColumnType]) -> ColumnType:
    for kind in order:
        if kind in kinds:
            return kind
    return "string"
