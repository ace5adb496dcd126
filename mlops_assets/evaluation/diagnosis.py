"""Diagnosis: what a closer look at one side of a model found: numbers a gate can name, tables a person can read."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, TypeVar

import pandas as pd
from pydantic import BaseModel, ConfigDict

from mlops_assets.evaluation.diagnosis_info import DiagnosisInfo
from mlops_assets.evaluation.independence import Independence, independence
from mlops_assets.metrics.bootstrap import STANDARD, Bootstrap
from mlops_assets.metrics.outcomes import Outcomes, Predictions, read_outcomes
from mlops_assets.model.prediction import Fitted, predict
from mlops_assets.model.prediction_intervals import Intervals

if TYPE_CHECKING:
    from mlops_assets.declaration.spec import SystemSpec
    from mlops_assets.features.version import FeaturesVersion

Cell = str | int | float | None


class Measure(BaseModel):
    """One number of a diagnosis; gates name it as ``<diagnosis>.<name>``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: float | None
    """None: not evaluated; then ``note`` says why."""
    interval: tuple[float, float] | None = None
    rows: int
    note: str = ""


class Row(BaseModel):
    """One line of a table; a subclass says what its cells are, and by ``Field(title=…)`` how they are headed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: ClassVar[str]
    """Name of the table whose lines these are, unique in its diagnosis."""

    @classmethod
    def headings(cls) -> list[str]:
        return [field.title or key.replace("_", " ") for key, field in cls.model_fields.items()]


R = TypeVar("R", bound=Row)


class Table(BaseModel):
    """Numbers behind a diagnosis, as the report shows them; readers know it by its name and columns by their key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = ""
    title: str
    keys: list[str] = []
    columns: list[str]
    """Their headings."""
    rows: list[list[Cell]]

    @classmethod
    def of(cls, row: type[R], title: str, rows: Iterable[R], **headings: str) -> "Table":
        """The table of ``rows``; ``headings`` by key where they depend on the data."""
        keys = list(row.model_fields)
        columns = [headings.get(key, heading) for key, heading in zip(keys, row.headings(), strict=True)]
        lines = [[getattr(line, key) for key in keys] for line in rows]
        return cls(name=row.table, title=title, keys=keys, columns=columns, rows=lines)

    def column(self, key: str) -> list[Cell]:
        """The cells of one column."""
        place = self.keys.index(key)
        return [row[place] for row in self.rows]


class Diagnosis(BaseModel):
    """One section of the report."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    headline: str
    """One sentence with the numbers that matter."""
    reason: str = ""
    """Why nothing could be found out; empty where something was."""
    measures: list[Measure]
    tables: list[Table] = []
    notes: list[str] = []

    @classmethod
    def not_evaluated(cls, info: DiagnosisInfo, reason: str, rows: int, traceback: str = "") -> "Diagnosis":
        """Every measure without a value and with the reason; ``traceback`` where an error is the reason."""
        return cls(
            name=info.name,
            title=info.title,
            headline=f"Not evaluated: {reason}" if traceback else f"Not evaluated: {reason}.",
            reason=reason,
            measures=[Measure(name=name, value=None, rows=rows, note=reason) for name in info.measures],
            notes=[traceback] if traceback else [],
        )

    def table(self, name: str) -> Table | None:
        """The table of that name, or None."""
        return next((table for table in self.tables if table.name == name), None)

    def rows(self, row: type[R]) -> list[R]:
        """The lines of the table that ``row`` belongs to; none where the diagnosis has no such table."""
        table = self.table(row.table)
        if table is None:
            return []
        return [row.model_validate(dict(zip(table.keys, line, strict=True))) for line in table.rows]

    def measure(self, name: str) -> Measure | None:
        """The measure of that name, where it was evaluated."""
        return next((measure for measure in self.measures if measure.name == name and measure.value is not None), None)


@dataclass(frozen=True)
class Subject:
    """What a diagnosis may look at: a fitted pipeline, and rows it was not fitted on."""

    spec: "SystemSpec"
    features: "FeaturesVersion"
    pipeline: Fitted
    test: pd.DataFrame
    """Features, target, context columns as ``@name``, ``_identity``, ``_part``, ``_batch``, ``_row``."""
    validation: pd.DataFrame
    """The same of the validation part; may be empty."""
    predictions: Predictions
    """Of the test rows."""
    bootstrap: Bootstrap = STANDARD
    train: pd.DataFrame | None = None
    """The same of the train part, for what must rest on these rows alone; None where they are not at hand."""
    intervals: Intervals | None = None
    """Those stored with the model."""
    intervals_note: str = "the model has no intervals. Remedy: materialise the model again"
    """Why there are none."""
    model_digest: str = ""
    intervals_digest: str | None = None
    """Of the intervals' stored bytes."""

    @property
    def inputs(self) -> pd.DataFrame:
        """The feature columns of the test rows."""
        return self.test.loc[:, self.features.names]

    @property
    def truth(self) -> pd.Series:
        return self.test.loc[:, self.features.target]

    @property
    def groups(self) -> pd.Series | None:
        """What each test row belongs to and is resampled with, or None."""
        return self.independence.units(self.test)

    @property
    def units(self) -> int:
        """How many test rows, or groups of them, are independent."""
        return len(self.test) if self.groups is None else self.groups.nunique(dropna=False)

    @property
    def independence(self) -> Independence:
        return independence(self.spec, self.features)

    @cached_property
    def outcomes(self) -> Outcomes:
        """Truth and predictions of the test rows, encoded for metrics."""
        return self.read(self.test, self.predictions)

    def predict(self, inputs: pd.DataFrame) -> Predictions:
        """Predictions for other inputs."""
        return predict(self.pipeline, inputs)

    def read(self, rows: pd.DataFrame, predictions: Predictions) -> Outcomes:
        """Truth and predictions of ``rows``, encoded for metrics."""
        evaluation = self.spec.evaluation
        truth = rows[self.features.target].to_numpy()
        return read_outcomes(self.spec.task, truth, predictions, self.features.classes or (), evaluation.positive)
