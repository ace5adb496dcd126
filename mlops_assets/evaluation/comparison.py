"""Comparison: is one model better than another on the same rows?"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from mlops_assets.errors import NotEvaluated
from mlops_assets.evaluation.catalogue import METRICS
from mlops_assets.evaluation.intervals import (
    FEWEST_UNITS,
    UNDEFINED_AT_MOST,
    Interval,
    atoms_of,
    percentile_interval,
    undefined_share,
)
from mlops_assets.evaluation.metrics import obstacle, statistic, values
from mlops_assets.evaluation.outcomes import Outcomes, read_outcomes, shared_classes
from mlops_assets.evaluation.resampling import STANDARD, Bootstrap, replicate
from mlops_assets.model.prediction import Predictions

if TYPE_CHECKING:
    import numpy as np

Standing = Literal["superior", "equal within margin", "undecided", "inferior"]


class Comparison(BaseModel):
    """The difference of two models by one metric on the same rows; positive means the challenger is better."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    challenger: float
    champion: float
    difference: float
    """In units of the metric, turned so that positive means the challenger is better."""
    interval: Interval
    """Paired bootstrap interval of ``difference``."""
    rows: int
    confidence: float

    @property
    def superior(self) -> bool:
        """Better, with the whole interval above zero."""
        return self.interval[0] > 0

    def not_worse(self, margin: float = 0.0) -> bool:
        """At most ``margin`` worse, at the conservative end of the interval."""
        return self.interval[0] >= -margin

    def standing(self, margin: float = 0.0) -> Standing:
        """What may be said of the challenger, given how much worse it may be."""
        if self.superior:
            return "superior"
        if self.not_worse(margin):
            return "equal within margin"
        return "inferior" if self.interval[1] < -margin else "undecided"


def compare(
    metric: str,
    truth: Any,
    challenger: Predictions,
    champion: Predictions,
    groups: Any = None,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
    *,
    classes: Iterable[Any] = (),
    positive: Any = None,
) -> Comparison:
    """Paired bootstrap of the difference: both models are measured on the same resamples of rows (or groups).

    With equal models the challenger is "superior" in about (1 - confidence) / 2 of all cases.

    Raises:
        NotEvaluated: if these rows give the metric of one of the two, or the interval, no value.
    """
    task = METRICS[metric].task
    both = (challenger, champion)
    known = shared_classes(truth, both, classes) if task == "classification" else ()
    ours, theirs = (read_outcomes(task, truth, predictions, known, positive) for predictions in both)
    return compare_outcomes(metric, ours, theirs, groups, Bootstrap(resamples, confidence, seed))


def compare_outcomes(
    metric: str, challenger: Outcomes, champion: Outcomes, groups: Any = None, bootstrap: Bootstrap = STANDARD
) -> Comparison:
    """``compare`` for outcomes that share rows and classes."""
    ours, theirs = _value(metric, challenger, "challenger"), _value(metric, champion, "champion")
    sign = 1 if METRICS[metric].greater_is_better else -1
    difference = sign * (ours - theirs)
    differences = sign * _differences(metric, challenger, champion, groups, bootstrap)
    return Comparison(
        metric=metric,
        challenger=ours,
        champion=theirs,
        difference=difference,
        interval=percentile_interval(differences, difference, bootstrap.confidence),
        rows=len(challenger),
        confidence=bootstrap.confidence,
    )


def _value(metric: str, outcomes: Outcomes, who: str) -> float:
    value = values([metric], outcomes)[metric]
    if value is None:
        reason = obstacle(metric, outcomes) or "undefined on these rows"
        raise NotEvaluated(f"{metric} of the {who}: {reason}")
    return value


def _differences(
    metric: str, challenger: Outcomes, champion: Outcomes, groups: Any, bootstrap: Bootstrap
) -> "np.ndarray":
    atoms = atoms_of([challenger, champion], groups, METRICS[metric].needs == "labels")
    if atoms.units < FEWEST_UNITS:
        raise NotEvaluated(f"{metric}: no interval from {atoms.units} independent rows or groups")
    statistics = [statistic([metric], outcomes.take(atoms.row)) for outcomes in (challenger, champion)]
    ours, theirs = replicate(statistics, atoms, bootstrap)
    differences = ours[metric] - theirs[metric]
    undefined = undefined_share(differences)
    if undefined > UNDEFINED_AT_MOST:
        raise NotEvaluated(f"{metric}: no interval, undefined on {undefined:.0%} of the resamples")
    return differences
