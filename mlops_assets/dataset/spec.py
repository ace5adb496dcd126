"""What a system declares about its data."""

import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Literal

from pydantic import Field, field_validator, model_validator

from mlops_assets.declaration.base import Declared, DottedPath, Mistake, one_of
from mlops_assets.verdict import Severity

ColumnType = Literal["float", "integer", "string", "boolean", "date", "datetime"]
Scalar = bool | int | float | str


class ColumnSpec(Declared):
    """One column's part of the contract; a cell that breaks it sends its row to quarantine."""

    type: ColumnType
    """Type of every cell; text that does not parse as this type breaks the contract."""
    nullable: bool = False
    """Whether a cell may be empty."""
    min: float | date | datetime | None = None
    """Smallest allowed value (numbers, dates)."""
    max: float | date | datetime | None = None
    """Largest allowed value (numbers, dates)."""
    allowed: list[Scalar] | None = Field(default=None, min_length=1)
    """The only allowed values."""
    pattern: str | None = None
    """Regular expression that the whole text must match (string columns)."""
    unique: bool = False
    """Whether every value may occur once in the whole dataset."""
    description: str = ""
    """What the column means."""
    unit: str = ""
    """Unit of measurement, such as ``mg/l``."""
    post_outcome: bool = False
    """Known only after the outcome: kept in the dataset, refused as a feature."""

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
        return pattern

    @model_validator(mode="after")
    def _rules_fit_the_type(self) -> "ColumnSpec":
        if (self.min is not None or self.max is not None) and self.type in ("string", "boolean"):
            raise Mistake(("min" if self.min is not None else "max",), f"a {self.type} column has no range")
        if self.pattern is not None and self.type != "string":
            raise Mistake(("pattern",), f"a pattern is for string columns, this one is {self.type}")
        for mistake in (*self._foreign_bounds(), *self._foreign_values()):
            raise mistake
        return self

    def _foreign_bounds(self) -> Iterator[Mistake]:
        kind = date if self.type in ("date", "datetime") else float
        for key, bound in (("min", self.min), ("max", self.max)):
            if bound is not None and not isinstance(bound, kind):
                yield Mistake((key,), f"{bound!r} is no {self.type}")
        if isinstance(self.min, float) and isinstance(self.max, float) and self.min > self.max:
            yield Mistake(("min",), f"min {self.min:g} is above max {self.max:g}")

    def _foreign_values(self) -> Iterator[Mistake]:
        for index, value in enumerate(self.allowed or []):
            if isinstance(value, bool) and self.type != "boolean":
                message = f"{value!r} is a boolean in YAML; quote words such as 'yes', 'no', 'on', 'off'"
                yield Mistake(("allowed", index), message)
            if self.type in ("integer", "float") and not isinstance(value, int | float):
                yield Mistake(("allowed", index), f"{value!r} is no {self.type}")


class FormatSpec(Declared):
    """How files are written; whatever is left out is detected per file."""

    type: Literal["csv", "parquet", "jsonl"] | None = None
    """File format; by default from the file's name."""
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    """Column delimiter of CSV files."""
    encoding: Literal["utf-8", "latin-1"] | None = None
    """Text encoding; a byte order mark is recognised either way."""
    null_values: list[str] = ["", "NA", "NaN", "nan", "null", "NULL", "None"]
    """Texts that mean an empty cell."""


class VolumeSpec(Declared):
    """How many rows the dataset is expected to hold."""

    min_rows: int = Field(default=30, ge=1)
    """Fewer rows than this fail the check."""
    max_rows: int | None = Field(default=None, ge=1)
    """More rows than this fail the check."""
    severity: Severity = "block"
    """``block`` stops later stages, ``warn`` only tells."""


class FreshnessSpec(Declared):
    """How old the newest batch may be."""

    max_age_days: float = Field(gt=0)
    """Days since the newest batch was landed."""
    severity: Severity = "warn"
    """``block`` stops later stages, ``warn`` only tells."""


class DuplicatesSpec(Declared):
    """How many rows may be exact copies of an earlier row."""

    at_most: float = Field(default=0.05, ge=0, le=1)
    """Largest share of rows that repeat an earlier row in every declared column."""
    severity: Severity = "warn"
    """``block`` stops later stages, ``warn`` only tells."""


class DatasetSpec(Declared):
    """Where rows come from and the contract they must meet."""

    target: str
    """The column to predict."""
    columns: dict[str, ColumnSpec] = Field(min_length=2)
    """Every column that the platform reads, by name; others in a file are ignored and reported."""
    sample: DottedPath | None = None
    """Function without arguments that returns a frame: what ``mlops land SYSTEM`` writes when given no file."""
    key: list[str] = []
    """Columns that together name a row; a second row with the same key is quarantined. Never features."""
    format: FormatSpec = FormatSpec()
    """How files are written."""
    max_quarantined: float = Field(default=0.05, ge=0, le=1)
    """Largest share of a batch's rows that may be quarantined; above it the whole batch is rejected."""
    volume: VolumeSpec = VolumeSpec()
    """Expected number of rows."""
    freshness: FreshnessSpec | None = None
    """Expected age of the newest batch; no check without it."""
    duplicates: DuplicatesSpec = DuplicatesSpec()
    """Allowed share of exact copies."""

    @field_validator("columns")
    @classmethod
    def _no_reserved_names(cls, columns: dict[str, ColumnSpec]) -> dict[str, ColumnSpec]:
        for name in columns:
            if name.startswith("_"):
                raise Mistake((name,), f"{name!r} begins with an underscore, which the platform's own columns do")
        return columns

    @model_validator(mode="after")
    def _names_known_columns(self) -> "DatasetSpec":
        allowed = f"Declared columns: {one_of(self.columns)}"
        if self.target not in self.columns:
            raise Mistake(("target",), f"{self.target!r} is not a declared column. {allowed}")
        for index, name in enumerate(self.key):
            if name not in self.columns:
                raise Mistake(("key", index), f"{name!r} is not a declared column. {allowed}")
        return self

    @property
    def declared_classes(self) -> int:
        """How many values the target may take; 0 where none are listed."""
        return len(self.columns[self.target].allowed or [])
