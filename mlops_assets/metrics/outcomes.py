"""Outcomes: truth and prediction of each row, encoded the way every metric reads them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias, Union

from mlops_assets.declaration.base import Task, one_of
from mlops_assets.errors import NotEvaluated, SpecError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Label: TypeAlias = bool | int | float | str
"""A class of the target."""
Column: TypeAlias = Union["np.ndarray", "pd.Series", Sequence[Label]]
"""A value of every row."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predicted values of ``n`` rows.

    ``values`` has shape (n,): labels for classification, numbers for regression.
    ``probabilities`` has shape (n, k), columns in the order of ``classes``; None for regression
    and for classifiers that give none.
    """

    values: "np.ndarray"
    probabilities: "np.ndarray | None" = None
    classes: tuple[Label, ...] = ()


@dataclass(frozen=True, eq=False)
class Outcomes:
    """``n`` rows; for classification ``truth`` and ``predicted`` are positions in ``classes``, else numbers."""

    task: Task
    truth: "np.ndarray"
    """Shape (n,)."""
    predicted: "np.ndarray"
    """Shape (n,)."""
    probabilities: "np.ndarray | None" = None
    """Shape (n, k), columns in the order of ``classes``."""
    classes: tuple[Label, ...] = ()
    positive: int | None = None
    """Position of the positive class, where there are two."""

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, rows: "np.ndarray") -> "Outcomes":
        """Only ``rows``: positions or a mask."""
        probabilities = None if self.probabilities is None else self.probabilities[rows]
        return replace(self, truth=self.truth[rows], predicted=self.predicted[rows], probabilities=probabilities)

    @property
    def label_columns(self) -> list["np.ndarray"]:
        """All that a label metric can see of a row."""
        return [self.truth, self.predicted]

    @property
    def value_columns(self) -> list["np.ndarray"]:
        """All that a metric of probabilities or predicted numbers can see of a row."""
        if self.task == "regression":
            return [self.truth, self.predicted]
        return [self.truth] if self.probabilities is None else [self.truth, *self.probabilities.T]


def read_outcomes(
    task: Task,
    truth: Column,
    predictions: Predictions,
    classes: Iterable[Label] | None = None,
    positive: Label | None = None,
) -> Outcomes:
    """Encode one model's predictions of rows whose true target is ``truth``.

    ``classes`` are known ones that may be missing in these rows; classes seen only in truth or prediction are added.

    Raises:
        NotEvaluated: if rows do not match or a target is missing or not a number.
        SpecError: if ``positive`` is no class of a two-class target.
    """
    if len(truth) != len(predictions.values):
        raise NotEvaluated(f"{len(predictions.values)} predictions for {len(truth)} rows. Remedy: predict these rows")
    if task == "regression":
        return Outcomes(task, _numbers(truth, "the target"), _numbers(predictions.values, "the prediction"))
    known = shared_classes(truth, [predictions], classes or ())
    return Outcomes(
        task,
        _codes(truth, known),
        _codes(predictions.values, known),
        _aligned(predictions, known),
        known,
        _positive(known, positive),
    )


def shared_classes(truth: Column, several: Iterable[Predictions], known: Iterable[Label] = ()) -> tuple[Label, ...]:
    """Every class that is known, true, predicted or known to a model; sorted, numbers before text.

    Models that are compared are encoded by these, so that a class only one of them knows counts for all.
    """
    labels = [*known, *_distinct(truth)]
    for predictions in several:
        labels += [*predictions.classes, *_distinct(predictions.values)]
    return tuple(sorted({_plain(label) for label in labels}, key=_sort_key))


def _sort_key(label: Label) -> tuple[str, Label]:
    return ("", label) if isinstance(label, bool | int | float) else (type(label).__name__, label)


def _plain(label: "Label | np.generic") -> Label:
    """A label of numpy as Python's own: records and JSON hold these."""
    return label if isinstance(label, bool | int | float | str) else label.item()


def _distinct(labels: Column) -> Sequence[Label]:
    import pandas as pd

    return pd.Series(labels).dropna().drop_duplicates().tolist()


def _codes(labels: Column, classes: Sequence[Label]) -> "np.ndarray":
    import numpy as np
    import pandas as pd

    codes, distinct = pd.factorize(pd.Series(labels))
    if (codes < 0).any():
        raise NotEvaluated(f"{int((codes < 0).sum())} rows have no class. Remedy: declare the target as not nullable")
    position = {label: index for index, label in enumerate(classes)}
    return np.array([position[_plain(label)] for label in distinct], dtype=np.intp)[codes]


def _numbers(values: Column, what: str) -> "np.ndarray":
    import numpy as np

    numbers = np.asarray(values, dtype=np.float64).reshape(len(values))
    if not np.isfinite(numbers).all():
        raise NotEvaluated(f"{what} is not a finite number in {int((~np.isfinite(numbers)).sum())} rows")
    return numbers


def _aligned(predictions: Predictions, classes: Sequence[Label]) -> "np.ndarray | None":
    """Columns in the order of ``classes``; a class that the model does not know has probability 0."""
    import numpy as np

    given = predictions.probabilities
    if given is None:
        return None
    if not np.isfinite(given).all():
        raise NotEvaluated(f"the predicted probabilities are not finite in {int((~np.isfinite(given)).sum())} cells")
    aligned = np.zeros((len(given), len(classes)), dtype=given.dtype)
    aligned[:, [classes.index(_plain(label)) for label in predictions.classes]] = given
    return aligned


def _positive(classes: Sequence[Label], declared: Label | None) -> int | None:
    if declared is not None and declared not in classes:
        raise SpecError(f"evaluation.positive: {declared!r} is not a class. Classes: {one_of(classes)}")
    if len(classes) != 2:
        return None
    return 1 if declared is None else classes.index(declared)
