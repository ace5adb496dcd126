"""Pair: two models on the same rows, compared by a metric or by what their decisions cost."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from mlops_assets.comparison.comparison import Comparison
from mlops_assets.comparison.cost import CostSpec, mean_cost, row_costs
from mlops_assets.comparison.difference import Difference
from mlops_assets.comparison.method import Method, metric_test, suited_method
from mlops_assets.comparison.paired_bootstrap import WeightedStatistic, paired_bootstrap
from mlops_assets.declaration.base import Task
from mlops_assets.errors import NotEvaluated
from mlops_assets.metrics.blocks import Blocks, fill_blocks
from mlops_assets.metrics.bootstrap import STANDARD, Atoms, Bootstrap, atoms_of, group_codes
from mlops_assets.metrics.catalogue import METRICS
from mlops_assets.metrics.intervals import FEWEST_UNITS
from mlops_assets.metrics.outcomes import Column, Label, Outcomes, Predictions, read_outcomes, shared_classes
from mlops_assets.metrics.scoring import obstacle, statistic, values


@dataclass(frozen=True, eq=False)
class Pair:
    """Outcomes of a challenger and a champion that share rows and classes."""

    challenger: Outcomes
    champion: Outcomes
    groups: Column | None = None
    """Rows of equal value belong together; None: each row stands alone."""
    bootstrap: Bootstrap = STANDARD
    """How intervals are made; its confidence is that of every method."""

    def __len__(self) -> int:
        return len(self.challenger)

    def take(self, rows: np.ndarray) -> "Pair":
        """Only ``rows``: positions or a mask."""
        groups = None if self.groups is None else np.asarray(self.groups)[rows]
        return replace(self, challenger=self.challenger.take(rows), champion=self.champion.take(rows), groups=groups)

    def compare(self, metric: str, method: Method = "auto") -> Comparison:
        """Challenger against champion by ``metric``.

        With equal models the challenger is "superior" in about (1 - confidence) / 2 of all cases.

        Raises:
            NotEvaluated: if these rows give the metric of one of the two, or the interval, no value.
            SpecError: if ``method`` is not for this metric, or not for groups.
        """
        ours, theirs = _value(metric, self.challenger, "challenger"), _value(metric, self.champion, "champion")
        suited = suited_method(metric, self.challenger, self.groups is not None, method)
        if test := metric_test(suited):
            _require_units(metric, len(self))
            difference = test(self.challenger, self.champion, self.bootstrap.confidence)
        else:
            atoms, blocks = self._drawn(metric, by_label=METRICS[metric].needs == "labels")
            sign = 1 if METRICS[metric].greater_is_better else -1
            both = (each if blocks else each.take(atoms.row) for each in (self.challenger, self.champion))
            first, second = (statistic([metric], each, blocks) for each in both)
            measure: WeightedStatistic = lambda weights: sign * (first(weights)[metric] - second(weights)[metric])  # noqa: E731
            difference = paired_bootstrap(metric, measure, atoms, sign * (ours - theirs), self.bootstrap, suited)
            difference = self._with_note(blocks, difference)
        return self._comparison(metric, (ours, theirs), difference)

    def compare_cost(self, cost: CostSpec, method: Method = "auto") -> Comparison:
        """Challenger against champion by the mean cost of a row's decision; positive means the challenger is cheaper.

        Raises:
            NotEvaluated: if there are too few rows or groups.
            SpecError: if a pair of classes has no cost, or ``method`` is for a metric.
        """
        suited = suited_method("cost", self.challenger, self.groups is not None, method)
        atoms, blocks = self._drawn("cost", by_label=True)
        saved = row_costs(self.champion, cost) - row_costs(self.challenger, cost)
        totals = saved[atoms.row] if blocks is None else blocks.totals(saved[:, np.newaxis])[:, 0]
        sizes = np.ones(len(totals)) if blocks is None else blocks.sizes
        measure: WeightedStatistic = lambda weights: weights @ totals / (weights @ sizes)  # noqa: E731
        difference = paired_bootstrap("cost", measure, atoms, float(saved.mean()), self.bootstrap, suited)
        difference = self._with_note(blocks, difference)
        return self._comparison("cost", (mean_cost(self.challenger, cost), mean_cost(self.champion, cost)), difference)

    def _drawn(self, metric: str, by_label: bool) -> tuple[Atoms, Blocks | None]:
        """What is drawn: rows (or groups) that models tell apart, or random blocks of them where there are many."""
        atoms = atoms_of([self.challenger, self.champion], self.groups, by_label)
        _require_units(metric, atoms.units)
        if len(atoms.row) <= self.bootstrap.most_rows:
            return atoms, None
        blocks = fill_blocks(len(self), group_codes(self.groups), self.bootstrap)
        return blocks.atoms, blocks

    def _with_note(self, blocks: Blocks | None, difference: Difference) -> Difference:
        if blocks is None:
            return difference
        what = "rows" if self.groups is None else "groups"
        drawn = f"drawn as {blocks.count:,} random blocks of {what}"
        return replace(difference, note="; ".join(filter(None, [difference.note, drawn])))

    def _comparison(self, metric: str, both: tuple[float, float], difference: Difference) -> Comparison:
        challenger, champion = both
        return Comparison(
            metric=metric,
            challenger=challenger,
            champion=champion,
            difference=difference.value,
            interval=difference.interval,
            rows=len(self),
            confidence=self.bootstrap.confidence,
            test=difference.test,
            statistic=difference.statistic,
            p_value=difference.p_value,
            standard_error=difference.standard_error,
            note=difference.note,
        )


def read_pair(
    task: Task,
    truth: Column,
    challenger: Predictions,
    champion: Predictions,
    classes: Iterable[Label] = (),
    positive: Label | None = None,
) -> Pair:
    """The pair of two models' predictions of rows whose true target is ``truth``.

    ``classes`` are known ones that may be missing in these rows.

    Raises:
        NotEvaluated: if rows do not match or a target is missing or not a number.
        SpecError: if ``positive`` is no class of a two-class target.
    """
    known = shared_classes(truth, (challenger, champion), classes) if task == "classification" else ()
    ours, theirs = (read_outcomes(task, truth, each, known, positive) for each in (challenger, champion))
    return Pair(ours, theirs)


def compare(
    metric: str,
    truth: Column,
    challenger: Predictions,
    champion: Predictions,
    groups: Column | None = None,
    method: Method = "auto",
) -> Comparison:
    """``Pair.compare`` of two models' predictions, with the classes that they know and 2,000 resamples.

    >>> truth = np.arange(100.0)
    >>> near, far = Predictions(truth + 1), Predictions(truth + np.tile([1, 2], 50))
    >>> comparison = compare("mean_absolute_error", truth, near, far)
    >>> comparison.standing(), comparison.difference
    ('superior', 0.5)
    """
    pair = read_pair(METRICS[metric].task, truth, challenger, champion)
    return replace(pair, groups=groups).compare(metric, method)


def _value(metric: str, outcomes: Outcomes, who: str) -> float:
    value = values([metric], outcomes)[metric]
    if value is None:
        reason = obstacle(metric, outcomes) or "undefined on these rows"
        raise NotEvaluated(f"{metric} of the {who}: {reason}")
    return value


def _require_units(metric: str, units: int) -> None:
    if units < FEWEST_UNITS:
        raise NotEvaluated(f"{metric}: no interval from {units} independent rows or groups")
