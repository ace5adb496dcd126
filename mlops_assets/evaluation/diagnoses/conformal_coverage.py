"""Coverage: which test rows the intervals or label sets of a model hold, and how wide they are, segment by segment."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from mlops_assets.evaluation.diagnosis import Subject
from mlops_assets.metrics.bootstrap import group_codes
from mlops_assets.metrics.formatting import figure
from mlops_assets.metrics.outcomes import Outcomes
from mlops_assets.metrics.proportion import Interval, share_interval
from mlops_assets.model.prediction_intervals import PREDICTION, Intervals, part_of, texts

FEWEST_ROWS = 30
"""Fewer rows than this make no segment."""
MOST_VALUES = 20
"""A context column with more values than this makes no segments, unless the intervals are by it."""


@dataclass(frozen=True, eq=False)
class Coverage:
    """What the stored intervals say of each test row."""

    covered: np.ndarray
    """Whether the truth is within, shape (n,)."""
    sizes: np.ndarray
    """Width of the interval, or number of labels in the set, shape (n,)."""


@dataclass(frozen=True)
class CoveredSegment:
    """Test rows that share a property."""

    name: str
    rows: int
    coverage: float
    interval: Interval
    size: float
    own: bool
    """Whether the rows are judged by a threshold of the segment's own (Mondrian), not by that of all rows."""


@dataclass(frozen=True, eq=False)
class Partition:
    """One way to split the test rows."""

    title: str
    keys: np.ndarray
    """Of the rows, as the intervals name segments."""
    names: dict[str, str]
    """How the report names a key, where not by itself."""
    own: frozenset[str] | None = None
    """Keys with a threshold of their own, where the intervals are by this partition."""

    def name(self, key: str) -> str:
        return f"{self.title} {self.names.get(key, key)}"


def coverage_of(subject: Subject, intervals: Intervals) -> Coverage:
    """The stored thresholds, applied to the test rows.

    Raises:
        NotEvaluated: if the model gives no probabilities, or the rows lack the column that the intervals are by.
    """

    outcomes, column = subject.outcomes, _column(subject, intervals)
    if outcomes.task == "regression":
        half = intervals.half_widths(subject.predictions, column)
        return Coverage(np.abs(outcomes.truth - outcomes.predicted) <= half, 2 * half)
    # With a class that only test rows have, which no threshold knows.
    stated = replace(subject.predictions, probabilities=outcomes.probabilities, classes=outcomes.classes)
    sets = intervals.label_sets(stated, column)
    return Coverage(sets[np.arange(len(sets)), outcomes.truth], sets.sum(axis=1))


def segments_of(subject: Subject, intervals: Intervals, coverage: Coverage) -> list[CoveredSegment]:
    """Every segment of enough rows; their intervals allow for how many there are (Bonferroni)."""

    large = [
        (partition, str(key))
        for partition in _partitions(subject, intervals)
        for key, rows in pd.Series(partition.keys).value_counts().sort_index().items()
        if rows >= FEWEST_ROWS
    ]
    confidence = 1 - (1 - subject.bootstrap.confidence) / max(len(large), 1)
    groups = group_codes(subject.groups)
    return [_segment(partition, key, coverage, groups, confidence) for partition, key in large]


def fallen_back(subject: Subject, intervals: Intervals) -> dict[str, int]:
    """Test rows of every segment that had too few validation rows for a threshold of its own."""

    return {
        partition.name(str(key)): int(rows)
        for partition in _partitions(subject, intervals)
        if partition.own is not None
        for key, rows in pd.Series(partition.keys).value_counts().sort_index().items()
        if key not in partition.own
    }


def _segment(
    partition: Partition, key: str, coverage: Coverage, groups: np.ndarray | None, confidence: float
) -> CoveredSegment:

    mask = partition.keys == key
    covered = coverage.covered[mask]
    clusters = None if groups is None else np.unique(groups[mask], return_inverse=True)[1]
    return CoveredSegment(
        name=partition.name(key),
        rows=len(covered),
        coverage=float(covered.mean()),
        interval=share_interval(covered, clusters, confidence),
        size=float(coverage.sizes[mask].mean()),
        own=key in (partition.own or ()),
    )


def _partitions(subject: Subject, intervals: Intervals) -> Iterator[Partition]:
    own = frozenset(threshold.segment for threshold in intervals.own)
    by_prediction = own if intervals.by == PREDICTION else None
    if subject.outcomes.task == "classification":
        yield Partition("class", _classes(subject.outcomes), {}, by_prediction)
    elif intervals.edges:
        keys = part_of(subject.predictions.values, intervals.edges)
        yield Partition("prediction", keys, _part_names(intervals.edges), by_prediction)
    for column in _slice_columns(subject, intervals):
        keys = texts(subject.test.loc[:, column])
        yield Partition(column[1:], keys, {}, own if column == f"@{intervals.by}" else None)


def _column(subject: Subject, intervals: Intervals) -> pd.Series | None:
    name = f"@{intervals.by}"
    return subject.test.loc[:, name] if name in subject.test.columns else None


def _classes(outcomes: Outcomes) -> np.ndarray:

    return np.array([str(label) for label in outcomes.classes], dtype=object)[outcomes.truth]


def _part_names(edges: list[float]) -> dict[str, str]:
    inner = [figure(edge) for edge in edges]
    ranges = [f"below {inner[0]}", *(f"{low} to {high}" for low, high in pairwise(inner)), f"from {inner[-1]}"]
    return {str(index): f"part {index} of {len(ranges)} ({ends})" for index, ends in enumerate(ranges, start=1)}


def _slice_columns(subject: Subject, intervals: Intervals) -> list[str]:
    """Context columns with few values, but the one that keeps rows together; and what the intervals are by."""
    by, group = f"@{intervals.by}", f"@{subject.features.group}"
    named = [name for name in map(str, subject.test.columns) if name.startswith("@")]
    return [name for name in named if name == by or (name != group and _has_few(subject.test.loc[:, name]))]


def _has_few(values: pd.Series) -> bool:
    return 1 < values.nunique(dropna=False) <= MOST_VALUES
