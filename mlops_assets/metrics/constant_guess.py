"""The constant guess: what the best answer that looks at no feature would be, metric by metric."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mlops_assets.declaration.base import Task
from mlops_assets.metrics.catalogue import METRICS
from mlops_assets.metrics.losses import weighted_median
from mlops_assets.metrics.outcomes import Column, Label, Outcomes, Predictions, read_outcomes
from mlops_assets.metrics.scoring import values


@dataclass(frozen=True, eq=False)
class ConstantGuess:
    """One answer for all rows, for each metric the best on the rows that a model learned from.

    Example:
        >>> import numpy as np
        >>> guess = constant_guess("regression", np.array([1.0, 2.0, 2.0, 3.0, 92.0]))
        >>> guess.answer("root_mean_squared_error"), guess.answer("mean_absolute_error")
        (20.0, 2.0)
    """

    learned: Outcomes
    """The rows that it is made from, as a model would have them that is always right."""

    def answer(self, metric: str) -> float:
        """The number that is guessed, or the position of the class among ``learned.classes``."""
        if self.learned.task == "regression":
            return CENTRES.get(metric, _mean)(self.learned.truth)
        return self._labels[metric] if METRICS[metric].needs == "labels" else int(self._shares.argmax())

    def outcomes(self, metric: str, rows: Outcomes) -> Outcomes:
        """What it says about ``rows``, which are encoded by the same classes; scores are the classes' shares."""
        answer = self.answer(metric)
        predicted = np.full(len(rows), answer, dtype=rows.truth.dtype)
        if rows.task == "regression":
            return replace(rows, predicted=predicted)
        return replace(rows, predicted=predicted, probabilities=np.tile(self._shares, (len(rows), 1)))

    def by_answer(self, metrics: Iterable[str]) -> dict[float, list[str]]:
        """Metrics by the answer that is best for them."""
        grouped: dict[float, list[str]] = {}
        for metric in metrics:
            grouped.setdefault(self.answer(metric), []).append(metric)
        return grouped

    @cached_property
    def _shares(self) -> np.ndarray:
        counts = np.bincount(self.learned.truth, minlength=len(self.learned.classes))
        return counts / counts.sum()

    @cached_property
    def _labels(self) -> Mapping[str, int]:
        """For each label metric the class that it rewards most when it is said throughout; of equals the commonest."""
        names = [name for name, metric in METRICS.items() if metric.needs == "labels"]
        commonest_first = np.argsort(-self._shares, kind="stable")
        said = {int(label): self._value_of(int(label), names) for label in commonest_first}
        return {name: max(said, key=lambda label: _or_least(said[label][name])) for name in names}

    def _value_of(self, label: int, names: list[str]) -> dict[str, float | None]:
        return values(names, replace(self.learned, predicted=np.full_like(self.learned.truth, label)))


def constant_guess(
    task: Task, truth: Column, classes: Iterable[Label] | None = None, positive: Label | None = None
) -> ConstantGuess:
    """The guess of whoever knows nothing but the target of the rows that a model learned from.

    Raises:
        NotEvaluated: if a target is missing or not a number.
    """
    return ConstantGuess(read_outcomes(task, truth, Predictions(np.asarray(truth)), classes, positive))


def _mean(truth: np.ndarray) -> float:
    return float(truth.mean())


def _median(truth: np.ndarray) -> float:
    return float(np.median(truth))


def _median_by_inverse(truth: np.ndarray) -> float:
    """The median where a row counts as much as one unit of error costs it."""
    weights = 1 / np.maximum(np.abs(truth), np.finfo(np.float64).eps)
    return float(weighted_median(truth)(weights[np.newaxis])[0])


def _mean_of_logarithms(truth: np.ndarray) -> float:
    return float(np.expm1(np.log1p(truth).mean())) if truth.min() > -1 else _mean(truth)


def _or_least(value: float | None) -> float:
    return -np.inf if value is None else value


CENTRES: dict[str, Callable[[np.ndarray], float]] = {
    "mean_absolute_error": _median,
    "median_absolute_error": _median,
    "mean_absolute_error_relative": _median,
    "mean_absolute_percentage_error": _median_by_inverse,
    "root_mean_squared_log_error": _mean_of_logarithms,
}
"""The constant that each metric of a regression rewards most; of the others it is the mean."""
