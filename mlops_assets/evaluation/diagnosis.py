"""Diagnosis: what a closer look at one side of a model found: numbers a gate can name, tables a person can read."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd
from pydantic import BaseModel, ConfigDict

from mlops_assets.metrics.bootstrap import STANDARD, Bootstrap
from mlops_assets.metrics.outcomes import Outcomes, Predictions, read_outcomes
from mlops_assets.model.prediction import predict
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


class Table(BaseModel):
    """Numbers behind a diagnosis, as the report shows them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    columns: list[str]
    rows: list[list[Cell]]


class Diagnosis(BaseModel):
    """One section of the report."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    headline: str
    """One sentence with the numbers that matter."""
    measures: list[Measure]
    tables: list[Table] = []
    notes: list[str] = []


@dataclass(frozen=True)
class Subject:
    """What a diagnosis may look at: a fitted pipeline, and rows it was not fitted on."""

    spec: "SystemSpec"
    features: "FeaturesVersion"
    pipeline: Any
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

    @property
    def inputs(self) -> pd.DataFrame:
        """The feature columns of the test rows."""
        return self.test.loc[:, self.features.names]

    @property
    def truth(self) -> pd.Series:
        return self.test.loc[:, self.features.target]

    @property
    def groups(self) -> pd.Series | None:
        """The column by which rows are resampled together, or None."""
        return self.test.loc[:, f"@{self.features.group}"] if self.features.group else None

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
