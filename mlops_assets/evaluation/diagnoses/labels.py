"""Labels: test rows whose given class the model confidently disputes, and equal rows with different classes.

They are reported for a person to look at; nothing is ever deleted or relabelled.
"""

import numpy as np
import pandas as pd
from pydantic import Field

from mlops_assets.evaluation.diagnosis import Cell, Diagnosis, Measure, Row, Subject, Table
from mlops_assets.evaluation.diagnosis_catalogue import DIAGNOSES
from mlops_assets.metrics.bootstrap import group_codes
from mlops_assets.metrics.outcomes import Outcomes
from mlops_assets.metrics.proportion import share_interval

INFO = DIAGNOSES["labels"]
FEWEST_ROWS = 30
SHOWN = 20
CLOSE = 1e-6
"""Rounding by which a probability may miss its class's threshold."""


class SuspectRow(Row):
    """One row whose label is disputed."""

    table = "suspects"

    batch: Cell
    row: Cell
    given: Cell = Field(title="given label")
    likely: Cell = Field(title="likely label")
    probability: float


def examine(subject: Subject) -> Diagnosis:
    """List labels that the model's probabilities of rows it was not fitted on dispute, and conflicting labels."""
    outcomes, rows = subject.outcomes, len(subject.test)
    if subject.spec.task != "classification" or not rows:
        why = "there are no rows" if subject.spec.task == "classification" else "the target is no class"
        return Diagnosis.not_evaluated(INFO, why, rows)
    conflicts = conflicting_rows(subject.inputs, outcomes.truth)
    probabilities, why_not = outcomes.probabilities, _obstacle(outcomes)
    conflict = Measure(name="conflict_share", value=float(conflicts.mean()), rows=rows)
    said = f"{int(conflicts.sum())} of {rows} rows equal a row of another label."
    notes = ["A suspect is a question to whoever labels: the model may be wrong. No row is deleted or relabelled."]
    if probabilities is None or why_not:
        suspect = Measure(name="suspect_share", value=None, rows=rows, note=why_not)
        headline = f"Suspect labels not evaluated: {why_not}; {said}"
        return Diagnosis(name=INFO.name, title=INFO.title, headline=headline, measures=[suspect, conflict], notes=notes)
    likely = likely_classes(outcomes.truth, probabilities)
    disputed = likely != outcomes.truth
    suspect = Measure(
        name="suspect_share",
        value=float(disputed.mean()),
        interval=share_interval(disputed, group_codes(subject.groups), subject.bootstrap.confidence),
        rows=rows,
        note="the interval takes the class thresholds as given",
    )
    return Diagnosis(
        name=INFO.name,
        title=INFO.title,
        headline=f"{int(disputed.sum())} of {rows} labels are suspect; {said}",
        measures=[suspect, conflict],
        tables=[_table(subject, probabilities, likely)],
        notes=notes,
    )


def likely_classes(given: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The class of each row: the given one, or the most probable one where confident learning disputes it.

    Northcutt, Jiang and Chuang (2021), pruning by noise rate: the confident joint says how many labels of one class
    belong to another, and as many rows are disputed, those whose probabilities speak most clearly. A row whose given
    class is the most probable one keeps it.
    """

    disputed = np.zeros(len(given), dtype=bool)
    disputes = np.rint(noise_counts(given, probabilities)).astype(np.int64)
    for label, other in np.argwhere(disputes > 0):
        rows = np.flatnonzero(given == label)
        margins = probabilities[rows, other] - probabilities[rows, label]
        disputed[rows[np.argsort(-margins, kind="stable")[: disputes[label, other]]]] = True
    return np.where(disputed, probabilities.argmax(axis=1), given)


def noise_counts(given: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Estimated number of rows by given class (rows) and true class (columns), with 0 on the diagonal.

    A row counts for a class only where its probability reaches the mean that the class has among its own rows, so
    that over- and under-confidence of a class cancel; counts are scaled to the rows of each given class.
    """

    size = probabilities.shape[1]
    sizes = np.bincount(given, minlength=size)
    own = np.bincount(given, probabilities[np.arange(len(given)), given], minlength=size)
    thresholds = np.divide(own, sizes, out=np.full(size, np.inf), where=sizes > 0)
    confident = np.where(probabilities >= thresholds - CLOSE, probabilities, -1.0)
    counted = confident.max(axis=1) >= 0
    joint = np.zeros((size, size))
    np.add.at(joint, (given[counted], confident[counted].argmax(axis=1)), 1)
    total = joint.sum(axis=1)
    joint *= np.divide(sizes, total, out=np.zeros(size), where=total > 0)[:, np.newaxis]
    np.fill_diagonal(joint, 0)
    return joint


def conflicting_rows(inputs: pd.DataFrame, labels: np.ndarray) -> np.ndarray:
    """Mask of the rows that agree with a differently labelled row in every feature; missing equals missing."""

    code = np.zeros(len(inputs), dtype=np.int64)
    for name in inputs.columns:
        column, known = pd.factorize(pd.Series(inputs[name]), use_na_sentinel=False)
        code = np.unique(code * len(known) + column, return_inverse=True)[1]
        if code.max(initial=-1) + 1 == len(code):
            return np.zeros(len(code), dtype=bool)
    several = pd.Series(labels).groupby(code).transform("nunique")
    return several.to_numpy() > 1


def _obstacle(outcomes: Outcomes) -> str:

    if outcomes.probabilities is None:
        return "the model gives no probabilities"
    if len(outcomes) < FEWEST_ROWS:
        return f"{len(outcomes)} rows, {FEWEST_ROWS} are needed"
    return "every row is of one class" if len(np.unique(outcomes.truth)) < 2 else ""


def _table(subject: Subject, probabilities: np.ndarray, likely: np.ndarray) -> Table:
    """The clearest suspects: those whose likely class leads the given one most."""

    given, classes = subject.outcomes.truth, subject.outcomes.classes
    every = np.arange(len(given))
    lead = np.where(likely == given, -1.0, probabilities[every, likely] - probabilities[every, given])
    shown = [row for row in np.argsort(-lead, kind="stable")[:SHOWN] if likely[row] != given[row]]
    rows = [
        SuspectRow(
            batch=_origin(subject, "_batch", row),
            row=_origin(subject, "_row", row),
            given=_label(classes[given[row]]),
            likely=_label(classes[likely[row]]),
            probability=float(probabilities[row, likely[row]]),
        )
        for row in shown
    ]
    title = f"Suspect labels, the clearest first ({len(rows)} of {int((likely != given).sum())})"
    return Table.of(SuspectRow, title, rows)


def _origin(subject: Subject, column: str, row: int) -> Cell:
    if column not in subject.test.columns:
        return None
    value = subject.test[column].iloc[row]
    return value.item() if hasattr(value, "item") else str(value)


def _label(label: bool | int | float | str) -> Cell:
    return str(label) if isinstance(label, bool) else label
