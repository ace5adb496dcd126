"""The card's findings: evaluation, fairness, prediction intervals and limits, from the version's own report."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlops_assets.card.document import Block, CardTable, CardText, Cell, Section, listed, verdicts
from mlops_assets.evaluation.diagnosis_catalogue import DIAGNOSES, diagnoses_of
from mlops_assets.metrics.formatting import figure

if TYPE_CHECKING:
    from mlops_assets.card.dossier import Dossier
    from mlops_assets.declaration.base import Task
    from mlops_assets.evaluation.diagnosis import Diagnosis, Table
    from mlops_assets.evaluation.report.report import Report
    from mlops_assets.metrics.intervals import Interval

MOST_ROWS = 12
GAPS, SIGNIFICANT, WORSE = "gaps", "significant", "worse"
"""Table of the slices, its column, and what stands there."""
OWN_SECTION = ("fairness", "conformal")
"""Diagnoses that have a section of their own."""


def evaluation(known: "Dossier") -> Section:
    """Metrics with intervals, gates with verdicts, and what each diagnosis found."""
    report = known.report
    blocks: list[Block] = [_metrics(report)]
    if report.decision:
        blocks.append(CardText(label="Decision", text=report.decision))
    if report.per_class:
        blocks.append(_classes(report))
    blocks.append(verdicts("Gates: conditions that this version had to meet", report.gates))
    blocks.append(verdicts("Proofs at registration", known.version.verdicts))
    if known.model.verdicts:
        blocks.append(verdicts("What the training showed", known.model.verdicts))
    if report.bounds:
        changed: list[list[Cell]] = [
            [bound.gate, bound.version, bound.then, bound.now, "loosened" if bound.loosened else "not loosened"]
            for bound in report.bounds
        ]
        columns = ["Gate", "Champion", "Asked then", "Asked now", "Change"]
        blocks.append(
            CardTable(caption="Gates that asked an earlier champion for something else", columns=columns, rows=changed)
        )
    if report.elsewhere:
        looser: list[list[Cell]] = [[gate.gate, gate.environment, gate.there, gate.here] for gate in report.elsewhere]
        columns = ["Gate", "Environment", "Asked there", "Asked here"]
        caption = "Gates that ask for less here than the declaration does elsewhere"
        blocks.append(CardTable(caption=caption, columns=columns, rows=looser))
    blocks.append(_importance(report))
    others = [diagnosis for diagnosis in report.diagnoses if diagnosis.name not in OWN_SECTION]
    if others:
        headlines: list[list[Cell]] = [[diagnosis.title, diagnosis.headline] for diagnosis in others]
        blocks.append(CardTable(caption="A closer look", columns=["Diagnosis", "What was found"], rows=headlines))
    slices = _diagnosis(report, "slices")
    if slices:
        blocks += _tables(slices)
    return Section(title="Evaluation", blocks=blocks)


def fairness(known: "Dossier") -> Section:
    """How differently groups are treated, where that was examined."""
    examined = _diagnosis(known.report, "fairness")
    if examined is None:
        declared = known.spec.evaluation.protected_columns
        protected = f"Protected columns are {listed(declared)}" if declared else "No protected column is declared"
        why = "only groups of protected columns are compared"
        return Section(title="Fairness", blocks=[CardText(label="Not evaluated", text=f"{protected}; {why}.")])
    return Section(title="Fairness", blocks=_examined(examined))


def intervals(known: "Dossier") -> Section:
    """What prediction intervals or label sets promise, and keep."""
    coverage = _diagnosis(known.report, "conformal")
    note: list[Block] = [CardText(label="Stored with the model", text=known.model.intervals_note or "no intervals")]
    return Section(title="Prediction intervals", blocks=[*note, *(_examined(coverage) if coverage else [])])


def limits(known: "Dossier") -> list[Block]:
    """What was not evaluated and why, and where the model is weak."""
    report = known.report
    blocks: list[Block] = [
        CardText(
            label="Test rows",
            text=f"Every figure is of {report.test_rows:,} rows"
            + (f", resampled by {report.group}" if report.group else "")
            + f"; intervals are of {report.confidence:.0%} confidence. Other rows may be served worse.",
        )
    ]
    for name, label in (("slices", "Slices"), ("conformal", "Coverage"), ("fairness", "Groups")):
        diagnosis = _diagnosis(report, name)
        if diagnosis is not None:
            blocks.append(CardText(label=label, text=diagnosis.headline))
    blocks += _worse_slices(report)
    warned = [gate for gate in report.gates if not gate.passed]
    if warned:
        blocks.append(verdicts("Gates that were not passed and only warn", warned))
    gaps: list[list[Cell]] = [[what, why] for what, why in _unexamined(report)]
    if gaps:
        blocks.append(CardTable(caption="What was not evaluated", columns=["What", "Why"], rows=gaps))
    if report.notes:
        blocks.append(CardText(label="Notes of the report", text=" ".join(report.notes)))
    return blocks


def _metrics(report: "Report") -> CardTable:
    columns = ["Metric", "Better", "Value", f"{report.confidence:.0%} interval"]
    columns += [f"{name.capitalize()} baseline" for name in report.baselines]
    rows: list[list[Cell]] = []
    for metric in report.metrics:
        baselines = (metric.baselines.get(name) for name in report.baselines)
        rows.append(
            [
                f"{metric.title} (primary)" if metric.name == report.primary else metric.title,
                "higher" if metric.greater_is_better else "lower",
                f"not evaluated: {metric.note}" if metric.value is None else metric.value,
                _range(metric.interval),
                *(baseline.value if baseline else None for baseline in baselines),
            ]
        )
    return CardTable(caption=f"Metrics on {report.test_rows:,} test rows", columns=columns, rows=rows)


def _classes(report: "Report") -> CardTable:
    rows: list[list[Cell]] = [
        [str(row.label), row.precision, row.recall, row.f1, row.support, row.predicted] for row in report.per_class
    ]
    columns = ["Class", "Precision", "Recall", "F1", "Test rows", "Predicted"]
    return CardTable(caption="By class", columns=columns, rows=rows)


def _importance(report: "Report") -> Block:
    importance = report.importance
    if not importance.features:
        return CardText(label="Permutation importance", text=f"not evaluated: {importance.note}")
    rows: list[list[Cell]] = [[item.feature, item.mean, item.sd] for item in importance.features[:MOST_ROWS]]
    caption = f"What the model relies on: loss of {importance.metric} when a feature is shuffled"
    return CardTable(caption=caption, columns=["Feature", "Mean loss", "Standard deviation"], rows=rows)


def _examined(diagnosis: "Diagnosis") -> list[Block]:
    rows: list[list[Cell]] = [
        [
            measure.name.replace("_", " "),
            "not evaluated" if measure.value is None else measure.value,
            _range(measure.interval),
            measure.rows,
            measure.note or None,
        ]
        for measure in diagnosis.measures
    ]
    columns = ["Measure", "Value", "Interval", "Rows", "Note"]
    numbers = CardTable(caption=f"{diagnosis.title}: numbers that a gate can name", columns=columns, rows=rows)
    notes = (CardText(text=note) for note in diagnosis.notes)
    return [CardText(text=diagnosis.headline), numbers, *_tables(diagnosis), *notes]


def _tables(diagnosis: "Diagnosis") -> list[Block]:
    return [_shortened(table) for table in diagnosis.tables]


def _shortened(table: "Table") -> CardTable:
    cut = f"; the first {MOST_ROWS} of {len(table.rows)}" if len(table.rows) > MOST_ROWS else ""
    return CardTable(caption=f"{table.title}{cut}", columns=table.columns, rows=table.rows[:MOST_ROWS])


def _worse_slices(report: "Report") -> list[Block]:
    slices = _diagnosis(report, "slices")
    table = slices.table(GAPS) if slices else None
    if table is None:
        return []
    worse = [row for row, word in zip(table.rows, table.column(SIGNIFICANT), strict=True) if word == WORSE]
    shown = CardTable(caption="Slices that are significantly worse", columns=table.columns, rows=worse)
    return [shown] if worse else []


def _unexamined(report: "Report") -> Iterator[tuple[str, str]]:
    for metric in report.metrics:
        if metric.value is None:
            yield metric.title, metric.note
    if not report.importance.features:
        yield "Permutation importance", report.importance.note
    for diagnosis in report.diagnoses:
        if diagnosis.reason:
            yield diagnosis.title, f"{diagnosis.reason}."
            continue
        for measure in diagnosis.measures:
            if measure.value is None:
                yield f"{diagnosis.title}: {measure.name.replace('_', ' ')}", measure.note or "no reason given"
    present = {diagnosis.name for diagnosis in report.diagnoses}
    for name in dict.fromkeys((*diagnoses_of(report.task), "fairness")):
        if name not in present:
            yield name.replace("_", " ").capitalize(), _why_absent(name, report.task)
    yield "Behaviour after registration", "this card rests on records from before; watch the system in use"


def _why_absent(name: str, task: "Task") -> str:
    if name not in diagnoses_of(task):
        return f"there is no such diagnosis of {task}"
    return "not among the diagnoses of this report" if DIAGNOSES[name].standard else "not declared for this system"


def _diagnosis(report: "Report", name: str) -> "Diagnosis | None":
    return next((diagnosis for diagnosis in report.diagnoses if diagnosis.name == name), None)


def _range(interval: "Interval | None") -> str | None:
    return None if interval is None else f"{figure(interval[0])} to {figure(interval[1])}"
