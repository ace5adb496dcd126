"""Fairness: how differently a two-class model treats the groups of a protected column.

The four measures are fairlearn's. Their intervals come from simultaneous ones for every pair of groups, because a
largest difference is positive on every resample, so that plain percentiles would never hold a true gap of zero.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from pydantic import Field

from mlops_assets.declaration.base import Declared, one_of
from mlops_assets.evaluation.diagnoses.disparities import Counts, Disparity, disparities, group_rows
from mlops_assets.evaluation.diagnosis import Diagnosis, Measure, Row, Subject, Table
from mlops_assets.evaluation.diagnosis_catalogue import DIAGNOSES
from mlops_assets.evaluation.report.plots.forest import ForestLine, forest, interval_of
from mlops_assets.metrics.bootstrap import group_codes
from mlops_assets.metrics.formatting import figure
from mlops_assets.metrics.proportion import share_interval
from mlops_assets.verdict import Verdict

INFO = DIAGNOSES["fairness"]
GroupLabel = tuple[str, str]
"""Column and group."""


class GroupRow(Row):
    """The rates of one protected group."""

    table = "groups"

    column: str
    group: str
    rows: int
    selection: float | None = Field(title="selection rate")
    true_positive: float | None = Field(title="true positive rate")
    false_positive: float | None = Field(title="false positive rate")


class RateRow(Row):
    """One rate of one protected group, with its interval."""

    table = "rates"

    rate: str
    column: str
    group: str
    rows: int = Field(title="of rows")
    value: float | None
    low: float | None
    high: float | None


RATE_NAMES = ("selection rate", "true positive rate", "false positive rate")
"""Share of the rows that are selected: of all, of the positive class, of the negative class."""


class FairnessSpec(Declared):
    """Between whose groups a model is compared."""

    protected: list[str] = []
    """Dataset columns, such as ``sex``; they need not be features."""
    min_group: int = Field(default=30, ge=1)
    """Smaller groups are named and left out."""


def examine(subject: Subject, options: FairnessSpec | None = None) -> Diagnosis:
    """Disparities between the groups of each protected column on the test rows, with intervals."""
    options = options or FairnessSpec(protected=subject.spec.evaluation.protected)
    columns, missing = _protected(subject, options.protected)
    why_not = _obstacle(subject, options, columns)
    if why_not:
        return Diagnosis.not_evaluated(INFO, why_not, len(subject.test))
    positive = subject.outcomes.positive
    groupings = [group_rows(name, values, options.min_group) for name, values in columns.items()]
    counts = Counts(groupings, subject.outcomes.truth == positive, subject.outcomes.predicted == positive)
    gaps = disparities(counts, subject.groups, subject.bootstrap)
    reason = "" if any(disparity.value is not None for disparity in gaps) else gaps[0].note
    return Diagnosis(
        name=INFO.name,
        title=INFO.title,
        headline=f"Not evaluated: {reason}." if reason else _headline(gaps),
        reason=reason,
        measures=[_measure(disparity) for disparity in gaps],
        tables=[_table(counts), *_rates(counts, subject)],
        notes=[
            *(
                f"Column {grouping.column}: too small and left out: {', '.join(grouping.left_out)}."
                for grouping in groupings
                if grouping.left_out
            ),
            *([f"Not found among the rows: {one_of(missing)}."] if missing else []),
            f"Selected means predicted as {subject.outcomes.classes[positive or 0]!r}.",
        ],
    )


def group_rates(
    labels: Sequence[GroupLabel],
    member: np.ndarray,
    truth: np.ndarray,
    selected: np.ndarray,
    clusters: np.ndarray | None,
    confidence: float,
) -> Table:
    """Each rate of each group with the Wilson interval of that rate alone.

    ``labels`` name column and group of each column of ``member``, shape (n, groups); ``truth`` and ``selected`` are
    masks of shape (n,); ``clusters`` numbers rows that do not stand alone.
    """
    rows: list[RateRow] = []
    for rate, among in zip(RATE_NAMES, (np.ones(len(truth), dtype=bool), truth, ~truth), strict=True):
        for index, (column, label) in enumerate(labels):
            inside = member[:, index] & among
            kept = None if clusters is None else np.unique(clusters[inside], return_inverse=True)[1]
            hits = selected[inside]
            low, high = share_interval(hits, kept, confidence) if len(hits) else (None, None)
            value = float(hits.mean()) if len(hits) else None
            rows.append(RateRow(rate=rate, column=column, group=label, rows=len(hits), value=value, low=low, high=high))
    return Table.of(RateRow, f"Rates by group with {100 * confidence:g} % intervals, each for itself", rows)


def _protected(subject: Subject, names: list[str]) -> tuple[dict[str, pd.Series], list[str]]:
    """Values of each protected column that the rows carry, and the names of the others."""
    carried = subject.test.columns
    sources = {name: next((key for key in (f"@{name}", name) if key in carried), None) for name in names}
    return (
        {name: pd.Series(subject.test[source]) for name, source in sources.items() if source is not None},
        [name for name, source in sources.items() if source is None],
    )


def _obstacle(subject: Subject, options: FairnessSpec, columns: dict[str, pd.Series]) -> str:
    if subject.spec.task != "classification" or subject.outcomes.positive is None:
        return "fairness is measured for two classes"
    if not options.protected:
        return "no protected column is declared"
    return "" if columns else f"the rows carry no column {one_of(options.protected)}"


def _measure(disparity: Disparity) -> Measure:
    return Measure(
        name=disparity.name,
        value=disparity.value,
        interval=disparity.interval,
        rows=disparity.rows,
        note=disparity.note,
    )


def _headline(gaps: list[Disparity]) -> str:
    said = [
        f"{disparity.name.replace('_', ' ')} {disparity.value:.3g} ({disparity.column})"
        for disparity in gaps
        if disparity.value is not None
    ]
    return f"Worst over protected columns: {', '.join(said)}."


def _rates(counts: Counts, subject: Subject) -> list[Table]:
    if not counts.labels:
        return []
    clusters, confidence = group_codes(subject.groups), subject.bootstrap.confidence
    return [group_rates(counts.labels, counts.member, counts.truth, counts.selected, clusters, confidence)]


def _table(counts: Counts) -> Table:
    rows, of, hit = [], counts.of[0], counts.hit[0]
    for index, (column, label) in enumerate(counts.labels):
        selection, true, false = (
            float(hit[rate, index] / of[rate, index]) if of[rate, index] else None for rate in range(3)
        )
        rows.append(
            GroupRow(
                column=column,
                group=label,
                rows=int(of[0, index]),
                selection=selection,
                true_positive=true,
                false_positive=false,
            )
        )
    return Table.of(GroupRow, "Rates by group", rows)


def plots(diagnosis: Diagnosis, gates: Sequence[Verdict]) -> Iterator[tuple[str, str]]:
    """Each rate of each group of the protected columns."""
    rows = diagnosis.rows(RateRow)
    for rate in dict.fromkeys(row.rate for row in rows):
        lines = [
            ForestLine(
                f"{row.column}: {row.group}",
                row.value,
                interval_of(row.low, row.high),
                f"{figure(row.value)} of {row.rows:,} rows",
            )
            for row in rows
            if row.rate == rate and row.value is not None
        ]
        if not lines:
            continue
        values = [line.value for line in lines]
        described = f"{rate.capitalize()} of {len(lines)} groups, from {figure(min(values))} to {figure(max(values))}"
        title = f"{rate.capitalize()} by group"
        yield title, forest(title, described, rate, lines)
