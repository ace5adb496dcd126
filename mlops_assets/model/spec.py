"""What a system declares about its model."""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, model_validator

from mlops_assets.dataset.spec import DatasetSpec
from mlops_assets.declaration.base import Declared, DottedPath, Loc, Mistake, Task, one_of
from mlops_assets.features.spec import SplitSpec
from mlops_assets.metrics.catalogue import METRICS, metrics_of
from mlops_assets.model.conformal import Sets


class NumericSpec(Declared):
    """Preparation of numeric features, fitted on train rows inside the model's pipeline."""

    impute: Literal["median", "mean", "none"] = "median"
    """How empty cells are filled; ``none`` passes them to the estimator."""
    scale: Literal["auto", "standard", "robust", "none"] = "auto"
    """``auto``: standard, except before trees, which do not need it."""


class CategoricalSpec(Declared):
    """Preparation of categorical features, fitted on train rows inside the model's pipeline."""

    encode: Literal["one_hot", "ordinal"] = "one_hot"
    """Encoding; a category not seen in training becomes all zeros (one_hot) or -1 (ordinal)."""
    min_frequency: int | None = Field(default=None, ge=1)
    """Categories rarer than this share one column (one_hot)."""


class DecisionCostSpec(Declared):
    """What wrong decisions cost, in any unit."""

    false_positive: float = Field(gt=0)
    """Cost of a row that is wrongly called positive."""
    false_negative: float = Field(gt=0)
    """Cost of a positive row that is missed."""


class ThresholdSpec(Declared):
    """What decides from which probability on a row is called positive; chosen on validation rows."""

    maximise: str | None = None
    """A metric of predicted labels, such as ``f2`` or ``balanced_accuracy``."""
    cost: DecisionCostSpec | None = None
    """Costs whose mean per row is to be least."""

    @model_validator(mode="after")
    def _one_aim(self) -> "ThresholdSpec":
        if (self.maximise is None) == (self.cost is None):
            raise Mistake((), "a threshold needs exactly one of maximise, cost")
        return self

    @property
    def name(self) -> str:
        """The aim in words."""
        if self.cost is None:
            return self.maximise or ""
        return f"cost per row ({self.cost.false_positive:g} false positive, {self.cost.false_negative:g} missed)"

    def mistakes(self, dataset: DatasetSpec) -> Iterator[Mistake]:
        """What does not fit the target of ``dataset``."""
        if dataset.declared_classes > 2:
            yield Mistake((), f"a threshold is for two classes, {dataset.target!r} has {dataset.declared_classes}")
        of_labels = [name for name in metrics_of("classification") if METRICS[name].needs == "labels"]
        if self.maximise and self.maximise not in of_labels:
            message = f"{self.maximise!r} is not a metric of predicted labels. Metrics: {one_of(of_labels)}"
            yield Mistake(("maximise",), message)


class IntervalsSpec(Declared):
    """Prediction intervals or label sets that cover the truth as often as stated (split conformal)."""

    coverage: float = Field(default=0.9, gt=0.5, lt=1)
    """Stated share of rows whose truth lies within."""
    sets: Sets = "least_ambiguous"
    """How labels are ranked into sets: ``least_ambiguous`` gives the smallest on average, ``adaptive`` sets that grow
    where a row is hard, that hold the likeliest label in any case, and that cover rather more than stated."""
    by: str = "none"
    """Whose coverage is held each on its own (Mondrian): ``prediction`` for quarters of the predicted value, or every
    class; or a dataset column of categories."""

    @property
    def column(self) -> str | None:
        """The dataset column that ``by`` names, if it names one."""
        return None if self.by in ("none", "prediction") else self.by

    def mistakes(self, dataset: DatasetSpec) -> Iterator[Mistake]:
        """Why the column cannot tell rows apart when they are predicted."""
        if self.column is None:
            return
        name, column = self.column, dataset.columns[self.column]
        if name == dataset.target or column.post_outcome:
            message = f"{name!r} is known only after the outcome, when intervals are no longer asked for"
            yield Mistake(("by",), message)
        if column.type not in ("boolean", "integer", "string"):
            yield Mistake(("by",), f"{name!r} is {column.type}; intervals are by a boolean, integer or string column")


class ModelSpec(Declared):
    """One pipeline of preparation and estimator."""

    estimator: DottedPath | None = None
    """Any scikit-learn estimator; by default histogram gradient boosting for the task."""
    params: dict[str, Any] = {}
    """Arguments of the estimator; ``random_state`` is set from ``seed`` where the estimator has one."""
    seed: int = Field(default=42, ge=0)
    """Seed of everything random in training."""
    target_transform: Literal["none", "log"] = "none"
    """``log``: a regression learns the logarithm of the target, which must be above 0, and predicts the target itself.
    There is then no ONNX copy."""
    transformer: DottedPath | None = None
    """Scikit-learn transformer class fitted before everything else, inside the pipeline."""
    numeric: NumericSpec = NumericSpec()
    """Preparation of numeric features."""
    categorical: CategoricalSpec = CategoricalSpec()
    """Preparation of categorical features."""
    calibration: Literal["none", "sigmoid", "isotonic", "temperature"] = "none"
    """How validation rows mend the probabilities of a classifier, inside the pipeline."""
    threshold: ThresholdSpec | None = None
    """From which probability on a row of two classes is called positive; by default the likelier class is predicted."""
    intervals: IntervalsSpec | None = IntervalsSpec()
    """Intervals or label sets fitted on validation rows and stored with the model; null: none."""
    onnx: Literal["auto", "required", "off"] = "auto"
    """``auto``: an ONNX copy where it converts and predicts equally; ``required``: fail without one."""

    def named_columns(self) -> Iterator[tuple[Loc, str]]:
        """Every dataset column that is named here, with the key that names it."""
        if self.intervals and self.intervals.column:
            yield ("intervals", "by"), self.intervals.column

    def mistakes(self, task: Task, dataset: DatasetSpec, split: SplitSpec) -> Iterator[Mistake]:
        """What does not fit the task, the target or the split."""
        for key, declared in (("calibration", self.calibration != "none"), ("threshold", self.threshold is not None)):
            if declared and task != "classification":
                yield Mistake((key,), f"{key} is for classification, the task is {task}")
            if declared and not split.has_validation:
                yield Mistake((key,), f"{key} needs validation rows, features.split.validation is 0")
        if self.threshold:
            yield from (mistake.below("threshold") for mistake in self.threshold.mistakes(dataset))
        if self.intervals:
            yield from (mistake.below("intervals") for mistake in self.intervals.mistakes(dataset))
