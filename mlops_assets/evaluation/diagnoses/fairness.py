"""Fairness: how differently a two-class model treats the groups of a protected column.

The four measures are fairlearn's. Their intervals come from simultaneous ones for every pair of groups, because a
largest difference is positive on every resample, so that plain percentiles would never hold a true gap of zero.
"""

from typing import TYPE_CHECKING, Any

from pydantic import Field

from mlops_assets.declaration.base import Declared, Task, one_of
from mlops_assets.evaluation.diagnoses.disparities import Counts, Disparity, disparities, group_rows
from mlops_assets.evaluation.diagnoses.group_rates import group_rates
from mlops_assets.evaluation.diagnosis import Diagnosis, Measure, Subject, Table
from mlops_assets.metrics.bootstrap import group_codes

if TYPE_CHECKING:
    pass

NAME = "fairness"
TITLE = "Fairness"
TASKS: frozenset[Task] = frozenset({"classification"})
MEASURES = {
    "demographic_parity_difference": "Largest difference in selection rate between groups (lower is better)",
    "equalized_odds_difference": "Largest difference in true or false positive rate (lower is better)",
    "equal_opportunity_difference": "Largest difference in true positive rate (lower is better)",
    "demographic_parity_ratio": "Smallest ratio of two groups' selection rates (higher is better)",
}


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
        return _not_evaluated(why_not, len(subject.test))
    positive = subject.outcomes.positive
    groupings = [group_rows(name, values, options.min_group) for name, values in columns.items()]
    counts = Counts(groupings, subject.outcomes.truth == positive, subject.outcomes.predicted == positive)
    found = disparities(counts, subject.groups, subject.bootstrap)
    measures = [
        Measure(name=one.name, value=one.value, interval=one.interval, rows=one.rows, note=one.note) for one in found
    ]
    notes = [
        f"Column {one.column}: too small and left out: {', '.join(one.left_out)}." for one in groupings if one.left_out
    ]
    notes += [f"Not found among the rows: {one_of(missing)}."] if missing else []
    notes += [f"Selected means predicted as {subject.outcomes.classes[positive or 0]!r}."]
    return Diagnosis(
        name=NAME,
        title=TITLE,
        headline=_headline(found),
        measures=measures,
        tables=[_table(counts), *_rates(counts, subject)],
        notes=notes,
    )


def _protected(subject: Subject, names: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Values of each protected column that the rows carry, and the names of the others."""
    sources = {name: next((one for one in (f"@{name}", name) if one in subject.test.columns), None) for name in names}
    return (
        {name: subject.test[source] for name, source in sources.items() if source is not None},
        [name for name, source in sources.items() if source is None],
    )


def _obstacle(subject: Subject, options: FairnessSpec, columns: dict[str, Any]) -> str:
    if subject.spec.task != "classification" or subject.outcomes.positive is None:
        return "fairness is measured for two classes"
    if not options.protected:
        return "no protected column is declared"
    return "" if columns else f"the rows carry no column {one_of(options.protected)}"


def _not_evaluated(why: str, rows: int) -> Diagnosis:
    measures = [Measure(name=name, value=None, rows=rows, note=why) for name in MEASURES]
    return Diagnosis(name=NAME, title=TITLE, headline=f"Not evaluated: {why}.", measures=measures)


def _headline(found: list[Disparity]) -> str:
    said = [f"{one.name.replace('_', ' ')} {one.value:.3g} ({one.column})" for one in found if one.value is not None]
    return f"Worst over protected columns: {', '.join(said)}." if said else f"Not evaluated: {found[0].note}."


def _rates(counts: Counts, subject: Subject) -> list[Table]:
    labels = counts.labels
    if not labels:
        return []
    clusters, confidence = group_codes(subject.groups), subject.bootstrap.confidence
    return [group_rates(labels, counts.member, counts.truth, counts.selected, clusters, confidence)]


def _table(counts: Counts) -> Table:
    rows, of, hit = [], counts.of[0], counts.hit[0]
    for group, (column, label) in enumerate(counts.labels):
        rates = [float(hit[rate, group] / of[rate, group]) if of[rate, group] else None for rate in range(3)]
        rows.append([column, label, int(of[0, group]), *rates])
    columns = ["column", "group", "rows", "selection rate", "true positive rate", "false positive rate"]
    return Table(title="Rates by group", columns=columns, rows=rows)
