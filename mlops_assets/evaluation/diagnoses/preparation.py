"""Preparation: whether all that happens before the estimator was learned from exactly the train rows.

The steps are fitted anew on the train rows alone. What they then make of the test rows is what the artefact's own
steps make of them, unless one of those saw another row: a scaler fitted on all rows, an encoder that knows a category
of the test part. A step that looks up foreign rows by itself does so again when it is fitted anew, and is not found.
"""

import numpy as np
import pandas as pd
from pydantic import Field

from mlops_assets.evaluation.diagnosis import Diagnosis, Measure, Row, Subject, Table
from mlops_assets.evaluation.diagnosis_catalogue import DIAGNOSES, PREPARATION_CHECK
from mlops_assets.metrics.formatting import figure
from mlops_assets.model.prediction import Fitted
from mlops_assets.model.target import target_values
from mlops_assets.verdict import Verdict

INFO = DIAGNOSES["preparation"]
TOLERANCE = 1e-6
"""Largest effect, in SD, that passes the platform's own gate."""
ROUNDING = 1e-9
"""Effects below this are the last digits of equal numbers."""
SHOWN = 20


class EffectRow(Row):
    """One prepared column that other rows changed."""

    table = "effects"

    column: str
    effect: float = Field(title="effect in SD")


def examine(subject: Subject) -> Diagnosis:
    """Fit the steps before the estimator anew on the train rows, and compare what both make of the test rows."""
    rows = len(subject.test)
    if subject.train is None or subject.train.empty or not rows:
        reason = "there are no test rows" if not rows else "the train rows are not at hand"
        return Diagnosis.not_evaluated(INFO, reason, rows)
    if len(getattr(subject.pipeline, "steps", ())) < 2:
        return _judged(0.0, rows, "the artefact has no step before its estimator")
    fitted = subject.pipeline[:-1]
    inputs, target = subject.train.loc[:, subject.features.names], target_values(subject.features, subject.train)
    anew = fitted_anew(fitted, inputs, target)
    given, expected = (_matrix(steps.transform(subject.inputs)) for steps in (fitted, anew))
    if given.shape != expected.shape:
        widths = f"{given.shape[1]} columns, fitted on the train rows alone {expected.shape[1]}"
        return _judged(1.0, rows, f"the artefact prepares {widths}")
    effects = column_effects(given, expected)
    worst = float(effects.max(initial=0.0))
    note = f"fitted anew on {len(subject.train):,} train rows"
    return _judged(worst, rows, note, _table(effects, fitted))


def fitted_anew(steps: Fitted, inputs: pd.DataFrame, target: np.ndarray) -> Fitted:
    """An unfitted copy of ``steps`` with the same parameters and seeds, fitted as they are in training."""
    from sklearn.base import clone

    anew: Fitted = clone(steps)
    anew.fit_transform(inputs, target)
    return anew


def column_effects(given: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Largest difference in each column, shape (columns,), in SD of the ``expected`` one (1 where that is constant).

    A value that is missing, infinite or no number, and not the same in both, counts as one SD.
    """

    effects = np.zeros(given.shape[1])
    for column in range(given.shape[1]):
        ours, theirs = (_numbers(values[:, column]) for values in (given, expected))
        if ours is None or theirs is None:
            effects[column] = float((given[:, column] != expected[:, column]).any())
            continue
        seen = theirs[np.isfinite(theirs)]
        spread = float(seen.std()) if len(seen) else 0.0
        same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
        with np.errstate(invalid="ignore"):
            gaps = np.abs(ours - theirs) / (spread or 1.0)
        gaps = np.where(same, 0.0, np.where(np.isfinite(gaps), gaps, 1.0))
        effects[column] = gaps.max(initial=0.0)
    return np.where(effects < ROUNDING, 0.0, effects)


def verdict(diagnosis: Diagnosis) -> Verdict:
    """The platform's blocking gate on what ``examine`` found."""
    (effect,) = diagnosis.measures
    numbers = {"name": PREPARATION_CHECK, "value": effect.value, "bound": TOLERANCE, "rows": effect.rows}
    if effect.value is None:
        return Verdict.model_validate({**numbers, "outcome": "not evaluated", "reason": f"{INFO.name}: {effect.note}"})
    outcome = "passed" if effect.value <= TOLERANCE else "failed"
    return Verdict.model_validate({**numbers, "outcome": outcome, "reason": diagnosis.headline})


def _matrix(prepared: object) -> np.ndarray:
    dense = getattr(prepared, "toarray", None)
    return np.asarray(dense() if dense else prepared)


def _numbers(values: np.ndarray) -> np.ndarray | None:
    """The values as numbers, or None where they are not all numbers."""

    try:
        return values.astype(np.float64)
    except (TypeError, ValueError):
        return None


def _table(effects: np.ndarray, steps: Fitted) -> Table | None:
    """The columns that differ, the worst first."""

    different = int((effects > 0).sum())
    if not different:
        return None
    names = _names(steps, len(effects))
    order = np.argsort(-effects, kind="stable")[: min(different, SHOWN)]
    rows = [EffectRow(column=names[column], effect=float(effects[column])) for column in order]
    title = f"Prepared columns that foreign rows changed ({len(rows)} of {different})"
    return Table.of(EffectRow, title, rows)


def _names(steps: Fitted, count: int) -> list[str]:
    """Names of the prepared columns, or their numbers where a step gives no names."""
    try:
        return [str(name) for name in steps[-1].get_feature_names_out()]
    except AttributeError:
        return [f"column {number}" for number in range(1, count + 1)]


def _judged(value: float, rows: int, note: str, table: Table | None = None) -> Diagnosis:
    return Diagnosis(
        name=INFO.name,
        title=INFO.title,
        headline=_headline(value, note),
        measures=[Measure(name="foreign_rows_effect", value=value, rows=rows, note=note)],
        tables=[table] if table else [],
    )


def _headline(value: float, note: str) -> str:
    if value <= TOLERANCE:
        return f"The preparation rests on the train rows alone ({note})."
    change = f"Prepared test values change by up to {figure(value)} SD"
    return f"{change} when the preparation is fitted on the train rows alone: it saw other rows ({note})."
