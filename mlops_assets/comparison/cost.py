"""Cost: what each wrong decision of a classifier costs, as declared."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import model_validator

from mlops_assets.declaration.base import Declared, Mistake
from mlops_assets.errors import NotEvaluated, SpecError
from mlops_assets.metrics.outcomes import Outcomes

if TYPE_CHECKING:
    import numpy as np

Label = bool | int | float | str


class CostSpec(Declared):
    """Costs of decisions in any one unit (money, minutes): of two kinds of error, or for every pair of classes."""

    false_positive: float | None = None
    """Cost of predicting the positive class where it is not true; two classes."""
    false_negative: float | None = None
    """Cost of missing the positive class; two classes."""
    matrix: dict[Label, dict[Label, float]] | None = None
    """Cost by true class, then by predicted class; every wrong pair must be there, a right one costs 0 by default."""

    @model_validator(mode="after")
    def _one_way_of_saying(self) -> "CostSpec":
        errors = [name for name in ("false_positive", "false_negative") if getattr(self, name) is not None]
        if self.matrix is not None and errors:
            raise Mistake(("matrix",), f"give either matrix or {errors[0]}, not both")
        if self.matrix is None and len(errors) < 2:
            raise Mistake((), "give false_positive and false_negative, or matrix")
        for loc, cost in self._costs():
            if not math.isfinite(cost):
                raise Mistake(loc, f"{cost} is not a finite cost")
        return self

    def _costs(self) -> list[tuple[tuple[str | int, ...], float]]:
        if self.matrix is None:
            return [((name,), getattr(self, name)) for name in ("false_positive", "false_negative")]
        return [
            (("matrix", str(true), str(predicted)), cost)
            for true, row in self.matrix.items()
            for predicted, cost in row.items()
        ]

    def table(self, classes: Sequence[Any], positive: int | None) -> "np.ndarray":
        """Costs of shape (k, k), true by predicted class, in the order of ``classes``.

        Raises:
            SpecError: if a pair of classes has no cost.
        """
        import numpy as np

        table = np.zeros((len(classes), len(classes)))
        if self.matrix is None:
            if positive is None:
                raise SpecError(
                    f"cost: false_positive and false_negative are for two classes, here are {len(classes)}. "
                    "Remedy: declare cost.matrix"
                )
            table[1 - positive, positive], table[positive, 1 - positive] = self.false_positive, self.false_negative
            return table
        costs = {(str(true), str(guess)): cost for true, row in self.matrix.items() for guess, cost in row.items()}
        for i, true in enumerate(classes):
            for j, guess in enumerate(classes):
                cost = costs.get((str(true), str(guess)), 0.0 if i == j else None)
                if cost is None:
                    raise SpecError(f"cost.matrix: no cost of predicting {guess!r} where {true!r} is true")
                table[i, j] = cost
        return table


def row_costs(outcomes: Outcomes, cost: CostSpec) -> "np.ndarray":
    """What the decision about each row costs, shape (n,).

    Raises:
        NotEvaluated: if the outcomes are not of a classifier.
        SpecError: if a pair of classes has no cost.
    """
    if outcomes.task != "classification":
        raise NotEvaluated("cost: costs are declared per class, the task is regression")
    return cost.table(outcomes.classes, outcomes.positive)[outcomes.truth, outcomes.predicted]


def mean_cost(outcomes: Outcomes, cost: CostSpec) -> float:
    """Mean cost per row."""
    return float(row_costs(outcomes, cost).mean())
