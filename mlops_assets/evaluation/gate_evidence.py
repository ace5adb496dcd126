"""Evidence: the test rows of one model with its predictions and those of its baselines."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from mlops_assets.declaration.base import Task
from mlops_assets.errors import NotEvaluated
from mlops_assets.evaluation.diagnosis import Subject
from mlops_assets.evaluation.spec import SliceSpec
from mlops_assets.metrics.bootstrap import STANDARD, Bootstrap
from mlops_assets.metrics.constant_guess import ConstantGuess, constant_guess
from mlops_assets.metrics.estimate import Estimate, estimate
from mlops_assets.metrics.outcomes import Outcomes, Predictions, read_outcomes, shared_classes
from mlops_assets.metrics.scoring import applicable

SIMPLE, LINEAR = "simple", "linear"
"""Names of the baselines: the constant guess that a model must beat, and a linear model."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that a gate may look at."""

    task: Task
    outcomes: Outcomes
    baselines: Mapping[str, Outcomes]
    """Outcomes of the same rows, by name of the fitted baseline."""
    guess: ConstantGuess | None = None
    """The best constant for each metric on the train rows; None where these are not at hand."""
    context: Mapping[str, pd.Series] = field(default_factory=dict)
    """Values of the columns that travel beside the features, by column."""
    units: pd.Series | None = None
    """What each row belongs to and is drawn with; None where each stands alone."""
    drawn: str = "rows"
    """What is drawn, in words."""
    bootstrap: Bootstrap = STANDARD

    @cached_property
    def estimates(self) -> dict[str, Estimate]:
        """Every metric of the task on all rows."""
        return self.estimate(applicable(self.outcomes))

    def estimate(self, names: Iterable[str]) -> dict[str, Estimate]:
        """Metrics of the model with their intervals."""
        return self._estimated(names, self.outcomes)

    def baseline_estimates(self) -> dict[str, dict[str, Estimate]]:
        """Metrics of every baseline with their intervals, by its name; of constants, the best for each metric."""
        names = applicable(self.outcomes)
        fitted = {name: self._estimated(names, outcomes) for name, outcomes in self.baselines.items()}
        return fitted if self.guess is None else {SIMPLE: self._of_guess(self.guess, names), **fitted}

    def _of_guess(self, guess: ConstantGuess, names: Iterable[str]) -> dict[str, Estimate]:
        groups = guess.by_answer(names).values()
        return {
            name: reached
            for group in groups
            for name, reached in self._estimated(group, guess.outcomes(group[0], self.outcomes)).items()
        }

    def _estimated(self, names: Iterable[str], outcomes: Outcomes) -> dict[str, Estimate]:
        return estimate(names, outcomes, self.units, self.bootstrap)

    def sliced(self, selected: SliceSpec | None) -> "Evidence":
        """Only the rows that ``selected`` names.

        Raises:
            NotEvaluated: if its column did not travel with the rows.
        """
        if selected is None:
            return self
        if selected.column not in self.context:
            raise NotEvaluated(f"the rows carry no column {selected.column!r}. Remedy: materialise the features again")
        return self._take((self.context[selected.column] == selected.equals).fillna(False).to_numpy(dtype=bool))

    def _take(self, mask: np.ndarray) -> "Evidence":
        return replace(
            self,
            outcomes=self.outcomes.take(mask),
            baselines={name: baseline.take(mask) for name, baseline in self.baselines.items()},
            context={name: column[mask] for name, column in self.context.items()},
            units=None if self.units is None else self.units[mask],
        )


def gather_evidence(subject: Subject, baselines: Mapping[str, Predictions]) -> Evidence:
    """Encode model and baselines alike; context columns are those of the test rows that begin with ``@``."""
    spec, features, rows = subject.spec, subject.features, subject.test
    truth = subject.truth.to_numpy()
    several = {"": subject.predictions, **baselines}
    classes = features.classes or ()
    known = shared_classes(truth, several.values(), classes) if spec.task == "classification" else ()
    learned = None if subject.train is None else subject.train[features.target].to_numpy()
    outcomes = {
        name: read_outcomes(spec.task, truth, predictions, known, spec.evaluation.positive)
        for name, predictions in several.items()
    }
    return Evidence(
        task=spec.task,
        outcomes=outcomes.pop(""),
        baselines=outcomes,
        guess=None if learned is None else constant_guess(spec.task, learned, known, spec.evaluation.positive),
        context={str(name)[1:]: pd.Series(rows[name]) for name in rows.columns if str(name).startswith("@")},
        units=subject.groups,
        drawn=subject.independence.drawn,
        bootstrap=subject.bootstrap,
    )
