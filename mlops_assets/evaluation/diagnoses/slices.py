"""Slices: subsets of the test rows, declared or discovered, on which the model does worse than on the rest.

Every slice is compared with all other rows by what a row costs (0/1 error, or absolute error in multiples of its
overall mean), and looking at many slices is paid for by Holm's correction.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from mlops_assets.evaluation.diagnoses.slice_gaps import Gap, measure_gap, ranked
from mlops_assets.evaluation.diagnoses.slice_search import declared_slices, discovered_slices, fewest_rows, halves
from mlops_assets.evaluation.diagnosis import Diagnosis, Measure, Row, Subject, Table
from mlops_assets.evaluation.diagnosis_catalogue import DIAGNOSES
from mlops_assets.evaluation.report.plots.forest import ForestLine, Guide, forest, gate_guides
from mlops_assets.metrics.bootstrap import group_codes
from mlops_assets.metrics.formatting import figure
from mlops_assets.metrics.outcomes import Outcomes
from mlops_assets.verdict import Verdict

INFO = DIAGNOSES["slices"]
SHOWN = 20
TOO_FEW = "too few test rows for a slice and its rest"


class GapRow(Row):
    """One slice beside the rest."""

    table = "gaps"

    rule: str = Field(title="slice")
    origin: str
    rows: int
    loss: float
    rest: float = Field(title="loss of the rest")
    gap: float
    low: float
    high: float
    p: float
    significant: Literal["worse", "no"]


def examine(subject: Subject) -> Diagnosis:
    """Compare every value of the low-cardinality columns, and the worst leaves of a shallow tree, with the rest.

    ``worst_gap`` is 0 only where slices were examined and none is significantly worse at the declared confidence.
    Its interval holds the largest true gap of all examined slices.
    """
    losses = row_losses(subject.outcomes)
    units = group_codes(subject.groups)
    declared = declared_slices(_columns(subject), units)
    parts = halves(len(losses), units, subject.bootstrap.seed)
    discovered = discovered_slices(_numbers(subject), declared, losses, parts, units, subject.bootstrap.seed)
    level = 1 - (1 - subject.bootstrap.confidence) / max(len(declared) + len(discovered), 1)
    held_out = None if units is None else units[parts.measured]
    gaps = [measure_gap(candidate, losses, units, level) for candidate in declared]
    gaps += [measure_gap(candidate, losses[parts.measured], held_out, level) for candidate in discovered]
    return _diagnosis(ranked(gaps), len(losses), subject)


def row_losses(outcomes: Outcomes) -> np.ndarray:
    """What each row costs: 1 for a wrong class, or its absolute error over the mean absolute error."""
    if outcomes.task == "classification":
        return (outcomes.truth != outcomes.predicted).astype(np.float64)
    errors = np.abs(outcomes.truth - outcomes.predicted)
    mean = errors.mean() if len(errors) else 0.0
    return errors / mean if mean > 0 else np.zeros(len(errors))


def _columns(subject: Subject) -> dict[str, pd.Series]:
    """Features, then columns that travel beside them, by the name of the dataset; never the group itself."""
    columns = {}
    for feature in subject.features.columns:
        column = pd.Series(subject.test[feature.name])
        columns[feature.name] = column.astype("category") if feature.kind == "categorical" else column
    context = [str(name) for name in subject.test.columns if str(name).startswith("@")]
    for name in context:
        if name[1:] not in (subject.features.target, subject.features.group):
            columns.setdefault(name[1:], pd.Series(subject.test[name]))
    return columns


def _numbers(subject: Subject) -> dict[str, np.ndarray]:
    """Numeric features; what is no number is missing."""
    names = [feature.name for feature in subject.features.columns if feature.kind == "numeric"]
    columns = {name: pd.Series(pd.to_numeric(pd.Series(subject.test[name]), errors="coerce")) for name in names}
    return {name: column.to_numpy(dtype=np.float64, na_value=np.nan) for name, column in columns.items()}


def _diagnosis(gaps: list[Gap], rows: int, subject: Subject) -> Diagnosis:
    confidence = subject.bootstrap.confidence
    worse = [gap for gap in gaps if _is_worse(gap, confidence)]
    examined = Measure(name="slices_examined", value=float(len(gaps)), rows=rows)
    return Diagnosis(
        name=INFO.name,
        title=INFO.title,
        headline=_headline(gaps, worse) if gaps else f"Not evaluated: {TOO_FEW}.",
        reason="" if gaps else TOO_FEW,
        measures=[_worst(gaps, worse, rows), examined],
        tables=[_table(gaps, confidence)] if gaps else [],
        notes=[
            "A row costs 1 where its class is wrong."
            if subject.outcomes.task == "classification"
            else "A row costs its absolute error in multiples of the mean absolute error of all test rows.",
            f"Slice and rest hold at least {fewest_rows(rows)} rows (discovered ones: of the half that did not grow "
            f"the tree). Intervals cover all slices together at {confidence:.0%}; p is one-sided, after Holm.",
        ],
    )


def _worst(gaps: list[Gap], worse: list[Gap], rows: int) -> Measure:
    if not gaps:
        note = f"no slice of at least {fewest_rows(rows)} rows and as many others among {rows} test rows"
        return Measure(name="worst_gap", value=None, rows=rows, note=note)
    value = worse[0].gap if worse else 0.0
    low, high = max(gap.interval[0] for gap in gaps), max(gap.interval[1] for gap in gaps)
    note = worse[0].rule if worse else f"none of {len(gaps)} slices is significantly worse than the rest"
    interval = (min(max(low, 0.0), value), max(high, value))
    return Measure(name="worst_gap", value=value, interval=interval, rows=rows, note=note)


def _headline(gaps: list[Gap], worse: list[Gap]) -> str:
    if not worse:
        return f"{len(gaps)} slices were examined; none is significantly worse than the rest."
    worst = worse[0]
    return (
        f"{len(worse)} of {len(gaps)} slices are significantly worse than the rest; the worst, {worst.rule}, "
        f"costs {worst.loss:.3g} a row against {worst.rest:.3g} ({worst.rows} rows)."
    )


def _table(gaps: list[Gap], confidence: float) -> Table:
    kept = [gap for index, gap in enumerate(gaps) if index < SHOWN or _is_worse(gap, confidence)][: 2 * SHOWN]
    rows = [
        GapRow(
            rule=gap.rule,
            origin=gap.origin,
            rows=gap.rows,
            loss=gap.loss,
            rest=gap.rest,
            gap=gap.gap,
            low=gap.interval[0],
            high=gap.interval[1],
            p=gap.adjusted,
            significant="worse" if _is_worse(gap, confidence) else "no",
        )
        for gap in kept
    ]
    return Table.of(GapRow, f"Slices by gap ({len(rows)} of {len(gaps)})", rows)


def _is_worse(gap: Gap, confidence: float) -> bool:
    return gap.gap > 0 and gap.adjusted <= 1 - confidence


def plots(diagnosis: Diagnosis, gates: Sequence[Verdict]) -> Iterator[tuple[str, str]]:
    """How much more a row of each slice costs than one of the rest."""
    lines = [_forest_line(row) for row in diagnosis.rows(GapRow)]
    if not lines:
        return
    worse = sum(line.flagged for line in lines)
    first = max(lines, key=lambda line: line.value)
    yield (
        "Gap of each slice",
        forest(
            "Gap of each slice",
            f"What a row of a slice costs beyond a row of the rest; {worse} of {len(lines)} slices are significantly "
            f"worse, the largest gap is {figure(first.value)} ({first.name})",
            "excess cost of a row over the rest",
            lines,
            [Guide(0.0, "no gap"), *gate_guides(diagnosis, "worst_gap", gates)],
        ),
    )


def _forest_line(row: GapRow) -> ForestLine:
    worse = row.significant == "worse"
    beside = f"{'worse, ' if worse else ''}{row.rows:,} rows"
    return ForestLine(row.rule, row.gap, (row.low, row.high), beside, worse)
