"""Fairness: how differently a model treats the groups of a protected column.

The four measures of a classifier are fairlearn's. Their intervals come from simultaneous ones for every pair of groups,
because a largest difference is positive on every resample: plain percentiles would never hold a true gap of zero.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from pydantic import Field

from mlops_assets.declaration.base import Declared
from mlops_assets.evaluation.diagnoses.disparities import RATIOS, Counts, Disparity, Grouping, disparities
from mlops_assets.evaluation.diagnoses.group_errors import error_disparities, error_table
from mlops_assets.evaluation.diagnoses.protected_groups import protected_groups
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
Compared = tuple[list[Disparity], list[Table], str]
"""Disparities, the tables behind them, and how to read them."""


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

    protected: list[str | list[str]] = []
    """Dataset columns, such as ``sex``; they need not be features. A list of several crosses them."""
    min_group: int = Field(default=30, ge=1)
    """Smaller groups are named and left out."""


def examine(subject: Subject, options: FairnessSpec | None = None) -> Diagnosis:
    """Disparities between the groups of each protected column on the test rows, with intervals.

    Of several classes each is compared with the rest, and the worst counts; of a regression its errors are compared.
    """
    options = options or FairnessSpec(protected=subject.spec.evaluation.protected)
    info = INFO.for_task(subject.spec.task)
    if not options.protected:
        return Diagnosis.not_evaluated(info, "no protected column is declared", len(subject.test))
    groupings, without = protected_groups(subject, options.protected, options.min_group)
    if not groupings:
        return Diagnosis.not_evaluated(info, "; ".join(dict.fromkeys(without.values())), len(subject.test))
    gaps, tables, read = (_errors if subject.spec.task == "regression" else _rates)(subject, groupings)
    reason = "" if any(gap.value is not None for gap in gaps) else gaps[0].note
    return Diagnosis(
        name=INFO.name,
        title=INFO.title,
        headline=f"Not evaluated: {reason}." if reason else _headline(gaps),
        reason=reason,
        measures=[_measure(gap) for gap in gaps],
        tables=tables,
        notes=[*_left_out(groupings), *(f"{name} is not compared: {why}." for name, why in without.items()), read],
    )


def _left_out(groupings: Sequence[Grouping]) -> Iterator[str]:
    for grouping in groupings:
        if grouping.left_out:
            yield f"Column {grouping.column}: too small and left out: {', '.join(grouping.left_out)}."


def _rates(subject: Subject, groupings: Sequence[Grouping]) -> Compared:
    """Of the positive class of two; of several the worst of all, each held to its share of the errors."""
    outcomes, confidence = subject.outcomes, subject.bootstrap.confidence
    classes = list(range(len(outcomes.classes))) if outcomes.positive is None else [outcomes.positive]
    bootstrap = replace(subject.bootstrap, confidence=1 - (1 - confidence) / len(classes))
    gaps: list[list[Disparity]] = []
    tables: list[Table] = []
    for index in classes:
        counts = Counts(groupings, outcomes.truth == index, outcomes.predicted == index)
        of = "" if outcomes.positive is not None else f" of class {outcomes.classes[index]!r}"
        gaps_of_class = disparities(counts, subject.groups, bootstrap)
        gaps.append([replace(gap, note=f"{gap.note}{of}") for gap in gaps_of_class])
        tables += [_table(counts, of), *_rate_tables(counts, subject, of)]
    read = (
        f"Selected means predicted as {outcomes.classes[outcomes.positive]!r}."
        if outcomes.positive is not None
        else "Each class is compared with the rest; the worst class counts."
    )
    return [_worst(of_measure) for of_measure in zip(*gaps, strict=True)], tables, read


def _worst(of_classes: Sequence[Disparity]) -> Disparity:
    """The class in which groups lie farthest apart; its interval reaches as far as any class's."""
    known = [gap for gap in of_classes if gap.value is not None]
    if not known:
        return of_classes[0]
    higher_is_worse = known[0].name not in RATIOS
    worst = (max if higher_is_worse else min)(known, key=lambda gap: gap.value or 0.0)
    intervals = [gap.interval for gap in known if gap.interval is not None]
    if worst.interval is None or len(known) == 1:
        return worst
    ends = max if higher_is_worse else min
    return replace(worst, interval=(ends(low for low, _ in intervals), ends(high for _, high in intervals)))


def _errors(subject: Subject, groupings: Sequence[Grouping]) -> Compared:
    return (
        error_disparities(subject, groupings),
        [error_table(subject, groupings)],
        "An error is prediction less truth.",
    )


def group_rates(counts: Counts, clusters: np.ndarray | None, confidence: float, of_class: str = "") -> Table:
    """Each rate of each group with the exact interval of that rate alone.

    ``clusters`` numbers rows that do not stand alone; ``of_class`` names the class, where there are several.
    """
    rows: list[RateRow] = []
    for rate, among in zip(
        RATE_NAMES, (np.ones(len(counts.truth), dtype=bool), counts.truth, ~counts.truth), strict=True
    ):
        for index, (column, label) in enumerate(counts.labels):
            inside = counts.member[:, index] & among
            kept = None if clusters is None else np.unique(clusters[inside], return_inverse=True)[1]
            hits = counts.selected[inside]
            low, high = share_interval(hits, kept, confidence) if len(hits) else (None, None)
            value = float(hits.mean()) if len(hits) else None
            rows.append(
                RateRow(
                    rate=f"{rate}{of_class}",
                    column=column,
                    group=label,
                    rows=len(hits),
                    value=value,
                    low=low,
                    high=high,
                )
            )
    return Table.of(RateRow, f"Rates by group{of_class} with {100 * confidence:g} % intervals, each for itself", rows)


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


def _rate_tables(counts: Counts, subject: Subject, of_class: str) -> list[Table]:
    if not counts.labels:
        return []
    clusters, confidence = group_codes(subject.groups), subject.bootstrap.confidence
    return [group_rates(counts, clusters, confidence, of_class)]


def _table(counts: Counts, of_class: str) -> Table:
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
    return Table.of(GroupRow, f"Rates by group{of_class}", rows)


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
