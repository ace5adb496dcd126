"""Comparison: is one model better than another on the same rows?"""

import math
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from mlops_assets.comparison.cost import CostSpec, mean_cost, row_costs
from mlops_assets.comparison.delong import delong_of_outcomes
from mlops_assets.comparison.difference import Difference, quantile
from mlops_assets.comparison.mcnemar import mcnemar
from mlops_assets.comparison.method import Method, suited_method
from mlops_assets.comparison.paired_bootstrap import PERCENTILE, paired_bootstrap
from mlops_assets.declaration.base import Task
from mlops_assets.errors import NotEvaluated
from mlops_assets.metrics.bootstrap import STANDARD, Atoms, Bootstrap, atoms_of
from mlops_assets.metrics.catalogue import METRICS
from mlops_assets.metrics.intervals import FEWEST_UNITS, Interval
from mlops_assets.metrics.outcomes import Outcomes, Predictions, read_outcomes, shared_classes
from mlops_assets.metrics.scoring import obstacle, statistic, values

Standing = Literal["superior", "non-inferior", "inferior", "undecided"]


class Comparison(BaseModel):
    """The difference of two models by one metric on the same rows; positive means the challenger is better."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    """Name of the metric, or ``cost``."""
    challenger: float
    champion: float
    difference: float
    """In units of the metric, turned so that positive means the challenger is better."""
    interval: Interval
    """Of ``difference``, two-sided."""
    rows: int
    confidence: float
    test: str = PERCENTILE
    """The method by name."""
    statistic: float | None = None
    """Signed like ``difference``; in standard errors."""
    p_value: float | None = None
    """Two-sided, of no difference."""
    standard_error: float | None = None
    """Of ``difference``."""
    note: str = ""
    """What to know of the method on these rows."""

    @property
    def superior(self) -> bool:
        """Better, with the whole interval above zero."""
        return self.interval[0] > 0

    def not_worse(self, margin: float = 0.0) -> bool:
        """At most ``margin`` worse, at the conservative end of the interval.

        With margin 0 only of equal models, whose interval is [0, 0]: to be surely not worse would be to be superior.
        """
        return self.interval[0] >= -margin and (margin > 0 or self.interval == (0, 0))

    def standing(self, margin: float = 0.0) -> Standing:
        """What may be said of the challenger, given how much worse it may be, in units of the metric.

        ``superior``: the interval lies above 0. ``non-inferior``: it lies above ``-margin``, or is [0, 0], as that of
        a model compared with itself. ``inferior``: it lies below ``-margin``. Otherwise ``undecided``.
        """
        if self.superior:
            return "superior"
        if self.not_worse(margin):
            return "non-inferior"
        return "inferior" if self.interval[1] < -margin else "undecided"

    def rows_needed(self, margin: float = 0.0, power: float = 0.8) -> int | None:
        """Rows, these included, at which a true difference as large as this one is decided with probability ``power``.

        n = rows · ((z_confidence + z_power) · standard error / distance)², by the normal approximation with a standard
        error that falls with the root of n (Lachin 1981, "Introduction to sample size determination and power analysis
        for clinical trials", Controlled Clinical Trials 2). The distance is that of the difference from the limit that
        it must clear: 0 where it is positive (superior), else ``-margin`` (non-inferior, or inferior below it).
        None where the standing is decided, or the difference lies on its limit, which no number of rows settles; else
        more than these rows, which did not decide it.
        With groups, the new rows must come in groups of the same size.
        """
        from scipy.stats import norm

        limit = 0.0 if self.difference > 0 else -margin
        distance = abs(self.difference - limit)
        if self.standing(margin) != "undecided" or not self.standard_error or distance == 0:
            return None
        errors = (quantile(self.confidence) + float(norm.ppf(power))) * self.standard_error / distance
        return max(math.ceil(self.rows * errors**2), self.rows + 1)

    def rows_missing(self, margin: float = 0.0, power: float = 0.8) -> int | None:
        """Labelled rows still wanted: 0 where the standing is decided, None where no number would decide it."""
        if self.standing(margin) != "undecided":
            return 0
        needed = self.rows_needed(margin, power)
        return None if needed is None else max(0, needed - self.rows)


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
    method: Method = "auto",
) -> Comparison:
    """Challenger against champion by ``metric`` on ``n`` rows that neither was trained on.

    With equal models the challenger is "superior" in about (1 - confidence) / 2 of all cases.

    Raises:
        NotEvaluated: if these rows give the metric of one of the two, or the interval, no value.
        SpecError: if ``method`` is not for this metric, or not for groups.
    """
    task = METRICS[metric].task
    ours, theirs = _read(task, truth, (challenger, champion), classes, positive)
    return compare_outcomes(metric, ours, theirs, groups, Bootstrap(resamples, confidence, seed), method)


def compare_outcomes(
    metric: str,
    challenger: Outcomes,
    champion: Outcomes,
    groups: Any = None,
    bootstrap: Bootstrap = STANDARD,
    method: Method = "auto",
) -> Comparison:
    """``compare`` for outcomes that share rows and classes."""
    ours, theirs = _value(metric, challenger, "challenger"), _value(metric, champion, "champion")
    suited = suited_method(metric, challenger, grouped=groups is not None, asked=method)
    if suited in ("delong", "mcnemar"):
        _demand_units(metric, len(challenger))
        test = delong_of_outcomes if suited == "delong" else mcnemar
        found = test(challenger, champion, bootstrap.confidence)
    else:
        atoms = _atoms(metric, challenger, champion, groups, METRICS[metric].needs == "labels")
        sign = 1 if METRICS[metric].greater_is_better else -1
        first, second = (statistic([metric], outcomes.take(atoms.row)) for outcomes in (challenger, champion))
        found = paired_bootstrap(
            metric,
            lambda weights: sign * (first(weights)[metric] - second(weights)[metric]),
            atoms,
            sign * (ours - theirs),
            bootstrap,
            suited,
        )
    return _comparison(metric, ours, theirs, found, len(challenger), bootstrap.confidence)


def compare_costs(
    cost: CostSpec,
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
    method: Literal["auto", "bootstrap", "bca"] = "auto",
) -> Comparison:
    """``compare`` by the mean cost of a row's decision; positive means that the challenger is cheaper.

    Raises:
        NotEvaluated: if there are too few rows or groups.
        SpecError: if a pair of classes has no cost.
    """
    ours, theirs = _read("classification", truth, (challenger, champion), classes, positive)
    atoms = _atoms("cost", ours, theirs, groups, by_label=True)
    saved = row_costs(theirs, cost) - row_costs(ours, cost)
    of_atom = saved[atoms.row]
    found = paired_bootstrap(
        "cost",
        lambda weights: weights @ of_atom / weights.sum(axis=1),
        atoms,
        float(saved.mean()),
        Bootstrap(resamples, confidence, seed),
        method,
    )
    return _comparison("cost", mean_cost(ours, cost), mean_cost(theirs, cost), found, len(ours), confidence)


def _read(
    task: Task, truth: Any, both: tuple[Predictions, Predictions], classes: Iterable[Any], positive: Any
) -> tuple[Outcomes, Outcomes]:
    known = shared_classes(truth, both, classes) if task == "classification" else ()
    ours, theirs = (read_outcomes(task, truth, predictions, known, positive) for predictions in both)
    return ours, theirs


def _value(metric: str, outcomes: Outcomes, who: str) -> float:
    value = values([metric], outcomes)[metric]
    if value is None:
        reason = obstacle(metric, outcomes) or "undefined on these rows"
        raise NotEvaluated(f"{metric} of the {who}: {reason}")
    return value


def _atoms(metric: str, challenger: Outcomes, champion: Outcomes, groups: Any, by_label: bool) -> Atoms:
    atoms = atoms_of([challenger, champion], groups, by_label)
    _demand_units(metric, atoms.units)
    return atoms


def _demand_units(metric: str, units: int) -> None:
    if units < FEWEST_UNITS:
        raise NotEvaluated(f"{metric}: no interval from {units} independent rows or groups")


def _comparison(
    metric: str, challenger: float, champion: float, found: Difference, rows: int, confidence: float
) -> Comparison:
    return Comparison(
        metric=metric,
        challenger=challenger,
        champion=champion,
        difference=found.value,
        interval=found.interval,
        rows=rows,
        confidence=confidence,
        test=found.test,
        statistic=found.statistic,
        p_value=found.p_value,
        standard_error=found.standard_error,
        note=found.note,
    )
