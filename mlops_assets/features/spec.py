"""What a system declares about its features and their split."""

from collections.abc import Iterator
from datetime import date
from typing import Literal

from pydantic import Field, model_validator

from mlops_assets.dataset.spec import DatasetSpec
from mlops_assets.declaration.base import Declared, DottedPath, Loc, Mistake


class SplitSpec(Declared):
    """Which rows train, validate and test; a row never moves when data is added."""

    test: float = Field(default=0.2, gt=0, lt=1)
    """Share of the rows that only evaluation sees."""
    validation: float = Field(default=0.1, ge=0, lt=1)
    """Share of the rows for choices such as thresholds and calibration."""
    stratify: bool = True
    """Choose the hash salt, once, so that classes (or target quantiles) are shared out evenly."""
    group: str | None = None
    """Column whose equal values stay together, such as a patient or a house."""
    ungrouped: list[str] = []
    """Columns whose equal values make rows alike, looked at: rows are independent all the same."""
    time: str | None = None
    """Column to split by: the oldest rows train, the newest test."""
    validation_from: date | None = None
    """With ``time``: first day of validation. By default set from the first version and kept."""
    test_from: date | None = None
    """With ``time``: first day of test. By default set from the first version and kept."""
    identity: Literal["content", "row"] = "content"
    """``content``: equal rows stay together. ``row``: every row on its own (copies then fail the leakage check)."""

    @model_validator(mode="after")
    def _coherent(self) -> "SplitSpec":
        if self.test + self.validation >= 1:
            raise Mistake(("test",), f"test {self.test} and validation {self.validation} leave no rows to train on")
        if self.group and self.time:
            raise Mistake(("time",), "a split is by group or by time, not both")
        if self.group in self.ungrouped:
            raise Mistake(("ungrouped", self.ungrouped.index(self.group)), f"{self.group!r} is the group")
        if (self.validation_from or self.test_from) and not self.time:
            raise Mistake(("test_from" if self.test_from else "validation_from",), "needs the key 'time'")
        if self.validation_from and self.test_from and self.validation_from >= self.test_from:
            raise Mistake(("validation_from",), f"{self.validation_from} is not before test_from {self.test_from}")
        return self

    @property
    def has_validation(self) -> bool:
        """Whether any rows validate."""
        return self.validation > 0 or self.validation_from is not None


class LeakageSpec(Declared):
    """When a single feature, or several together, say too much about the target."""

    max_single_feature_score: float = Field(default=0.99, gt=0.5, le=1)
    """Score from which a feature is a leak, judged at its one-sided 99 % lower end: balanced accuracy or R² of a
    shallow tree, R² of a pair's formula."""
    max_error_ratio: float = Field(default=1.5, gt=1)
    """How many times larger the error may be without a feature that alone explains most of the target, before the
    check ``no_proxy`` warns of it."""
    near_duplicates: float | None = Field(default=None, gt=0, le=0.5)
    """Share of each numeric feature's standard deviation within which rows of different parts are near duplicates
    and block, such as 0.01; by default the data decides, and near duplicates are a warning."""
    allow: list[str] = []
    """Features that may determine the target, each a reviewed exception."""


class FeaturesSpec(Declared):
    """From dataset rows to model inputs."""

    columns: list[str] | None = None
    """Dataset columns to use; by default all but target, key, group, time and post-outcome columns."""
    exclude: list[str] = []
    """Dataset columns to leave out of the default."""
    engineer: DottedPath | None = None
    """Pure row-wise function: takes a pandas frame of ``columns``, returns the frame of features."""
    categorical: list[str] = []
    """Features to treat as categories although they hold numbers; text and booleans always are."""
    split: SplitSpec = SplitSpec()
    """Which rows train, validate and test."""
    leakage: LeakageSpec = LeakageSpec()
    """When a single feature says too much."""

    def used_columns(self, dataset: DatasetSpec) -> list[str]:
        """Dataset columns that features are made from, in declared order."""
        if self.columns is not None:
            return list(self.columns)
        left_out = {dataset.target, *dataset.key, *self.exclude, self.split.group, self.split.time}
        return [name for name, column in dataset.columns.items() if name not in left_out and not column.post_outcome]

    def named_columns(self) -> Iterator[tuple[Loc, str]]:
        """Every dataset column that is named here, with the key that names it."""
        for key, name in (("group", self.split.group), ("time", self.split.time)):
            if name is not None:
                yield ("split", key), name
        lists = ((("columns",), self.columns or []), (("exclude",), self.exclude))
        for key, names in (*lists, (("split", "ungrouped"), self.split.ungrouped)):
            yield from (((*key, index), name) for index, name in enumerate(names))

    def mistakes(self, dataset: DatasetSpec) -> Iterator[Mistake]:
        """What does not fit the dataset, all named columns being declared."""
        time = self.split.time
        if time and dataset.columns[time].type not in ("date", "datetime"):
            message = f"{time!r} is {dataset.columns[time].type}; a date or datetime is needed"
            yield Mistake(("split", "time"), message)
        for index, name in enumerate(self.columns or []):
            if name == dataset.target:
                yield Mistake(("columns", index), f"{name!r} is the target")
            if dataset.columns[name].post_outcome:
                yield Mistake(("columns", index), f"{name!r} is known only after the outcome (post_outcome)")
        if not self.used_columns(dataset):
            yield Mistake((), "no column is left to make features from")
