"""Interval methods: for each metric the one that holds for it, on rows that stand alone or come in groups."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np

from mlops_assets.metrics.area_interval import area_interval
from mlops_assets.metrics.blocks import Blocks, fill_blocks
from mlops_assets.metrics.bootstrap import Bootstrap, atoms_of, replicate
from mlops_assets.metrics.catalogue import METRICS
from mlops_assets.metrics.class_shares import mean_recall_interval, metric_share_interval
from mlops_assets.metrics.intervals import (
    UNDEFINED_AT_MOST,
    Interval,
    percentile_interval,
    perfect_lower_end,
    undefined_share,
    worst_upper_end,
)
from mlops_assets.metrics.losses import Loss
from mlops_assets.metrics.outcomes import Outcomes
from mlops_assets.metrics.proportion import bounded_interval
from mlops_assets.metrics.scoring import statistic
from mlops_assets.metrics.studentized import mean_errors, studentized_interval

FEW_GROUPS = 10
"""Below this many groups the spread between them is hardly known."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows whose metrics get intervals."""

    outcomes: Outcomes
    groups: np.ndarray | None
    """Shape (n,): their groups, numbered from 0; None where rows stand alone."""
    bootstrap: Bootstrap

    @cached_property
    def unit(self) -> np.ndarray:
        """Shape (n,): what is independent, numbered by row."""
        return np.arange(len(self.outcomes)) if self.groups is None else self.groups

    @property
    def units(self) -> int:
        """How many independent rows or groups there are."""
        return int(self.unit.max(initial=-1)) + 1

    @property
    def few(self) -> str:
        """What to know where groups are few; empty where they are not."""
        if self.groups is None or self.units >= FEW_GROUPS:
            return ""
        return f"from {self.units} groups: such intervals miss two or three times as often as stated"


@dataclass(frozen=True)
class Drawn:
    """A metric of every resample."""

    replicates: np.ndarray
    """Shape (resamples,); NaN where it is undefined."""
    note: str
    """What to know of how they were drawn."""


@dataclass(frozen=True)
class Made:
    """An interval, or why there is none."""

    interval: Interval | None
    note: str = ""
    undefined: float = 0.0
    """Share of resamples on which the metric is undefined."""


def interval_of(name: str, value: float, rows: Rows, drawn: Drawn | None) -> Made:
    """The interval of a metric whose value on the rows is ``value``; ``drawn`` where its method resamples."""
    method, confidence = METRICS[name].interval, rows.bootstrap.confidence
    if method == "studentized":
        return _studentized(name, value, rows)
    if method == "share":
        return Made(metric_share_interval(name, rows.outcomes, rows.groups, confidence))
    if extreme := _extreme(name, value, rows, drawn):
        return extreme
    if drawn is not None:
        return _of_replicates(name, value, rows, drawn)
    if method == "mean share":
        return Made(mean_recall_interval(rows.outcomes, _averaged(name, rows.outcomes), confidence))
    interval = area_interval(rows.outcomes, confidence)
    return Made(interval, "" if interval else "no interval: a class has fewer than two rows")


def resampled(names: Iterable[str], rows: Rows) -> dict[str, Drawn]:
    """Every metric of ``names`` whose method resamples, on resamples of the rows or groups."""
    chosen = [name for name in names if _resamples(name, rows)]
    by_label = [name for name in chosen if METRICS[name].needs == "labels"]
    others = [name for name in chosen if METRICS[name].needs != "labels"]
    return _drawn(by_label, rows, True) | _drawn(others, rows, False)


def _resamples(name: str, rows: Rows) -> bool:
    method = METRICS[name].interval
    if method == "mean share":
        return rows.groups is not None
    if method == "area":
        return rows.groups is not None or rows.outcomes.positive is None
    return method in ("bounded", "percentile")


def _drawn(names: list[str], rows: Rows, by_label: bool) -> dict[str, Drawn]:
    if not names:
        return {}
    outcomes, bootstrap = rows.outcomes, rows.bootstrap
    atoms = atoms_of([outcomes], rows.groups, by_label)
    if len(atoms.row) <= bootstrap.most_rows:
        drawn, note = replicate([statistic(names, outcomes.take(atoms.row))], atoms, bootstrap)[0], ""
    else:
        blocks = fill_blocks(len(outcomes), rows.groups, bootstrap)
        drawn = replicate([statistic(names, outcomes, blocks)], blocks.atoms, bootstrap)[0]
        drawing = _of_blocks(rows, blocks)
        note = f"{drawing}, as there are {len(atoms.row):,} different rows" if drawing else ""
    return {name: Drawn(replicates, note) for name, replicates in drawn.items()}


def _extreme(name: str, value: float, rows: Rows, drawn: Drawn | None) -> Made | None:
    """Where no error was seen, or nothing right, there is no spread, and the other end is an exact bound."""
    if METRICS[name].task != "classification" or (drawn is not None and not _constant(drawn.replicates, value)):
        return None
    confidence = rows.bootstrap.confidence
    if value == 1:
        low = perfect_lower_end(name, rows.outcomes, rows.unit, confidence)
        return Made((low, 1.0), "no error was seen, so the lower end is an exact bound")
    if value == _least(name):
        high = worst_upper_end(name, rows.outcomes, rows.unit, confidence)
        return Made((value, high), "nothing right was seen, so the upper end is an exact bound")
    return None


def _of_replicates(name: str, value: float, rows: Rows, drawn: Drawn) -> Made:
    undefined = undefined_share(drawn.replicates)
    if undefined > UNDEFINED_AT_MOST:
        return Made(None, f"no interval: undefined on {undefined:.0%} of the resamples", undefined)
    least, confidence = _least(name), rows.bootstrap.confidence
    bounded = METRICS[name].interval != "percentile" and least < value < 1 and not _constant(drawn.replicates, value)
    if bounded:
        interval = bounded_interval(drawn.replicates, value, rows.units, confidence, least)
    else:
        interval = percentile_interval(drawn.replicates, value, confidence, rows.units)
    return Made(interval, drawn.note, undefined)


def _studentized(name: str, value: float, rows: Rows) -> Made:
    loss, blocks = cast(Loss, METRICS[name].formula), fill_blocks(len(rows.outcomes), rows.groups, rows.bootstrap)
    greater = METRICS[name].greater_is_better
    finish = (lambda *means: 1 - loss.finish(*means)) if greater else loss.finish
    made = studentized_interval(mean_errors(loss.terms(rows.outcomes), blocks, finish), blocks, rows.bootstrap)
    if made is None:
        high = value if name != "brier_score" or value else _worst_brier(rows)
        return Made((value, high), "every row or group errs alike, so there is no spread to judge by")
    low, high = made.interval
    note = "; ".join(filter(None, [made.note, _of_blocks(rows, blocks)]))
    return Made((1 - high, 1 - low) if greater else (low, high), note)


def _worst_brier(rows: Rows) -> float:
    """Largest Brier score at which no error in these rows would be likelier than (1 - confidence) / 2."""
    share = 1 - ((1 - rows.bootstrap.confidence) / 2) ** (1 / rows.units)
    return share if len(rows.outcomes.classes) < 3 else 2 * share


def _of_blocks(rows: Rows, blocks: Blocks) -> str:
    """That each block holds several rows or groups, where it does."""
    what = "rows" if rows.groups is None else "groups"
    return f"drawn as {blocks.count:,} random blocks of {what}" if blocks.count < rows.units else ""


def _averaged(name: str, outcomes: Outcomes) -> int:
    """Over how many classes the metric is a mean: those with a true row, or also those that are only predicted."""
    present = outcomes.truth if name == "balanced_accuracy" else np.append(outcomes.truth, outcomes.predicted)
    return len(np.unique(present))


def _constant(replicates: np.ndarray, value: float) -> bool:
    return bool(np.nanmin(replicates, initial=value) == np.nanmax(replicates, initial=value) == value)


def _least(name: str) -> float:
    return -1.0 if name == "matthews_corrcoef" else 0.0
