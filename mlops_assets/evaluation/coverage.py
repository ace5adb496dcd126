"""Coverage: which rows conformal thresholds cover, segment by segment."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mlops_assets.evaluation.diagnosis import Subject
from mlops_assets.evaluation.figures import figure
from mlops_assets.evaluation.outcomes import Outcomes
from mlops_assets.evaluation.prediction_sets import mondrian_thresholds, quantile_edges
from mlops_assets.evaluation.proportion import Interval, share_interval
from mlops_assets.evaluation.resampling import group_codes

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FEWEST_ROWS = 30
"""Fewer rows than this make no segment."""
MOST_VALUES = 20
"""A context column with more values than this makes no segments."""


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Scores of both parts: a row is covered where the score of its truth is at or below the threshold."""

    validation: Outcomes
    test: Outcomes
    validation_scores: "np.ndarray"
    test_scores: "np.ndarray"
    candidates: "np.ndarray | None" = None
    """Scores of every label of the test rows, for classification."""

    def sizes(self, limit: "float | np.ndarray") -> "np.ndarray":
        """Width of each test row's interval, or number of labels in its set; ``limit`` may differ by label."""
        import numpy as np

        if self.candidates is None:
            return np.full(len(self.test), 2 * limit)
        return (self.candidates <= limit).sum(axis=1)


@dataclass(frozen=True)
class Segment:
    """Test rows that share a property."""

    name: str
    rows: int
    coverage: float
    interval: Interval
    size: float
    own_coverage: float | None
    """Coverage with a threshold from the segment's own validation rows (Mondrian); None from too few."""
    own_size: float | None


@dataclass(frozen=True, eq=False)
class Partition:
    """One way to split the rows, and a threshold for each part of it."""

    title: str
    labels: "np.ndarray"
    """Of the test rows, as text."""
    thresholds: dict[Any, float | None]
    sizes_by_label: "np.ndarray | None" = None
    """Where the parts are the classes, the sizes of sets that hold each class up to its own threshold."""


def segments_of(subject: Subject, calibrated: Calibrated, limit: float, nominal: float) -> list[Segment]:
    """Every segment of enough rows; their intervals allow for how many there are (Bonferroni)."""
    import pandas as pd

    found = [
        (partition, label)
        for partition in _partitions(subject, calibrated, nominal)
        for label, rows in pd.Series(partition.labels).value_counts().sort_index().items()
        if rows >= FEWEST_ROWS
    ]
    confidence = 1 - (1 - subject.bootstrap.confidence) / max(len(found), 1)
    groups = group_codes(subject.groups)
    return [_segment(partition, label, calibrated, limit, groups, confidence) for partition, label in found]


def _segment(
    partition: Partition,
    label: Any,
    calibrated: Calibrated,
    limit: float,
    groups: "np.ndarray | None",
    confidence: float,
) -> Segment:
    import numpy as np

    mask = partition.labels == label
    covered, own = calibrated.test_scores[mask] <= limit, partition.thresholds.get(label)
    clusters = None if groups is None else np.unique(groups[mask], return_inverse=True)[1]
    return Segment(
        name=f"{partition.title} {label}",
        rows=len(covered),
        coverage=float(covered.mean()),
        interval=share_interval(covered, clusters, confidence),
        size=float(calibrated.sizes(limit)[mask].mean()),
        own_coverage=None if own is None else float((calibrated.test_scores[mask] <= own).mean()),
        own_size=None if own is None else _own_size(partition, calibrated, own, mask),
    )


def _own_size(partition: Partition, calibrated: Calibrated, own: float, mask: "np.ndarray") -> float:
    sizes = calibrated.sizes(own) if partition.sizes_by_label is None else partition.sizes_by_label
    return float(sizes[mask].mean())


def _partitions(subject: Subject, calibrated: Calibrated, nominal: float) -> Iterator[Partition]:
    yield from _by_prediction(calibrated, nominal) if calibrated.candidates is None else _by_class(calibrated, nominal)
    for column in _slice_columns(subject):
        test, validation = (_texts(rows.loc[:, column]) for rows in (subject.test, subject.validation))
        yield Partition(column[1:], test, mondrian_thresholds(calibrated.validation_scores, validation, nominal))


def _by_prediction(calibrated: Calibrated, nominal: float) -> Iterator[Partition]:
    edges = quantile_edges(calibrated.validation.predicted)
    if len(edges):
        test, validation = (_bands(one.predicted, edges) for one in (calibrated.test, calibrated.validation))
        own = mondrian_thresholds(calibrated.validation_scores, validation, nominal)
        yield Partition("prediction", test, own)


def _by_class(calibrated: Calibrated, nominal: float) -> Iterator[Partition]:
    import numpy as np

    names = [str(label) for label in calibrated.test.classes]
    test, validation = (_classes(one) for one in (calibrated.test, calibrated.validation))
    own = mondrian_thresholds(calibrated.validation_scores, validation, nominal)
    # A class without a threshold of its own cannot be ruled out.
    limits = np.array([np.inf if own.get(name) is None else own[name] for name in names], dtype=np.float64)
    yield Partition("class", test, own, calibrated.sizes(limits))


def _classes(outcomes: Outcomes) -> "np.ndarray":
    import numpy as np

    return np.array([str(label) for label in outcomes.classes], dtype=object)[outcomes.truth]


def _bands(values: "np.ndarray", edges: "np.ndarray") -> "np.ndarray":
    import numpy as np

    ends = [figure(float(edge)) for edge in edges]
    ranges = [f"below {ends[0]}", *(f"{low} to {high}" for low, high in pairwise(ends)), f"from {ends[-1]}"]
    names = [f"part {index} of {len(ranges)} ({text})" for index, text in enumerate(ranges, start=1)]
    return np.array(names, dtype=object)[np.searchsorted(edges, values, side="right")]


def _slice_columns(subject: Subject) -> list[str]:
    """Context columns of both parts with few values, but the one that keeps rows together."""
    group = f"@{subject.features.group}"
    named = [name for name in map(str, subject.test.columns) if name.startswith("@") and name != group]
    shared = [name for name in named if name in subject.validation.columns]
    return [name for name in shared if 1 < subject.test[name].nunique(dropna=False) <= MOST_VALUES]


def _texts(values: "pd.Series") -> "np.ndarray":
    return values.astype(object).where(values.notna(), "missing").astype(str).to_numpy(dtype=object)
