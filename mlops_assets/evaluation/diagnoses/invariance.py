"""Stability: whether a prediction depends on what it must not, and stays sane where no row has been."""

import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd
from pydantic import Field

from mlops_assets.evaluation.diagnoses.perturbation import columns_of, extremes, reordered
from mlops_assets.evaluation.diagnosis import Measure, Row, Subject, Table
from mlops_assets.metrics.outcomes import Predictions

TOLERANCE = 1e-9
"""Of the prediction's size, or of 1 where that is larger."""
SINGLE_TOLERANCE = 1e-5
"""The same for predictions of single precision."""
EXTREME_TIMES = 10
MOST_EXTREME_ROWS = 500
MOST_PREDICTED = 20_000
"""Rows predicted at once."""
SINGLE_ROWS = 8
BATCH = 64
MOST_BATCHES = 10
MOST_LINES = 10


class ExtremeRow(Row):
    """One numeric column at its extremes."""

    table = "extremes"

    column: str
    low: float
    high: float
    share: float = Field(title="share of rows")
    """Of those with an absurd prediction."""


def attempt(subject: Subject, inputs: pd.DataFrame) -> Predictions | str:
    """Predictions for changed inputs, or how the pipeline refuses them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return subject.predict(inputs)
    except Exception as error:  # a declared transformer or estimator may refuse in any way
        first = (str(error).splitlines() or [""])[0]
        return f"the pipeline refuses these rows: {type(error).__name__}: {first[:200]}"


def part_of(predictions: Predictions, rows: slice | np.ndarray) -> Predictions:
    """The predictions of some of the rows."""
    given = predictions.probabilities
    return Predictions(predictions.values[rows], None if given is None else given[rows], predictions.classes)


def changed_rows(before: Predictions, after: Predictions) -> np.ndarray:
    """Whether each row's label differs, or a number of it by more than the tolerance."""

    given, again = before.probabilities, after.probabilities
    if given is not None and again is not None:
        return (before.values != after.values) | _apart(given, again).any(axis=1)
    if np.issubdtype(np.asarray(before.values).dtype, np.floating):
        return _apart(before.values, after.values)
    return np.asarray(before.values != after.values)


def _apart(before: np.ndarray, after: np.ndarray) -> np.ndarray:

    tolerance = TOLERANCE if min(before.dtype.itemsize, after.dtype.itemsize) >= 8 else SINGLE_TOLERANCE
    return ~np.isclose(before, after, rtol=tolerance, atol=tolerance, equal_nan=True)


def order_measures(subject: Subject) -> list[Measure]:
    """``column_order``, ``row_order`` and ``batch_size``."""
    return [_column_order(subject), _row_order(subject), _batch_size(subject)]


def _column_order(subject: Subject) -> Measure:
    inputs = subject.inputs
    if inputs.shape[1] < 2:
        return Measure(name="column_order", value=None, rows=len(inputs), note="a single column has no order")
    predictions = attempt(subject, reordered(inputs))
    if isinstance(predictions, str):
        # Refusing is as safe as answering alike: no row gets a wrong prediction.
        return Measure(name="column_order", value=0.0, rows=len(inputs), note=predictions)
    return _share("column_order", changed_rows(subject.predictions, predictions))


def _row_order(subject: Subject) -> Measure:

    order = np.random.default_rng(subject.bootstrap.seed).permutation(len(subject.inputs))
    predictions = attempt(subject, subject.inputs.iloc[order].reset_index(drop=True))
    if isinstance(predictions, str):
        return Measure(name="row_order", value=None, rows=len(order), note=predictions)
    return _share("row_order", changed_rows(part_of(subject.predictions, order), predictions))


def _batch_size(subject: Subject) -> Measure:

    changed = np.zeros(len(subject.inputs), dtype=bool)
    seen = changed.copy()
    for rows in batches(len(changed)):
        predictions = attempt(subject, subject.inputs.iloc[rows].reset_index(drop=True))
        if isinstance(predictions, str):
            return Measure(
                name="batch_size", value=None, rows=len(rows), note=f"{len(rows)} rows at once: {predictions}"
            )
        changed[rows] |= changed_rows(part_of(subject.predictions, rows), predictions)
        seen[rows] = True
    return _share("batch_size", changed[seen])


def batches(rows: int) -> Iterator[np.ndarray]:
    """A few rows one by one, from all over, then some batches of 64 or of half the rows."""

    for row in np.unique(np.linspace(0, rows - 1, SINGLE_ROWS).astype(int)) if rows else ():
        yield np.array([row])
    size = min(BATCH, -(-rows // 2))
    for start in range(0, min(rows, MOST_BATCHES * size), size or 1):
        yield np.arange(start, min(start + size, rows))


def _share(name: str, changed: np.ndarray) -> Measure:
    note = "" if len(changed) else "there are no rows"
    return Measure(name=name, value=float(changed.mean()) if len(changed) else None, rows=len(changed), note=note)


def extreme_values(subject: Subject) -> tuple[Measure, list[Table]]:
    """``extreme_values``, with the columns behind it.

    A row counts if any one numeric column, moved 10 times its range to either side of its middle, gives it a
    prediction that is not finite or lies more than 10 target ranges outside the known targets.
    """

    inputs = subject.inputs
    columns = extremes(inputs, columns_of(subject.features, "numeric"), EXTREME_TIMES)
    size = min(len(inputs), MOST_EXTREME_ROWS)
    note = "" if columns else "no numeric column that varies"
    if subject.spec.task == "classification" and subject.predictions.probabilities is None:
        note = "the model gives no probabilities"
    elif subject.spec.task == "regression" and len(set(_target_range(subject))) < 2:
        note = "the target is constant"
    if note:
        return Measure(name="extreme_values", value=None, rows=size, note=note), []
    chosen = np.sort(np.random.default_rng(subject.bootstrap.seed).choice(len(inputs), size, replace=False))
    absurd = _absurd_by_column(subject, inputs.iloc[chosen], columns)
    if isinstance(absurd, str):
        return Measure(name="extreme_values", value=None, rows=size, note=absurd), []
    value = float(np.any(list(absurd.values()), axis=0).mean())
    return Measure(name="extreme_values", value=value, rows=size), [_column_table(absurd, columns)]


def _absurd_by_column(
    subject: Subject, inputs: pd.DataFrame, columns: dict[str, tuple[float, float]]
) -> dict[str, np.ndarray] | str:
    """For each column, whether a row's prediction is absurd at either of its extremes."""

    moved = [(name, value) for name, ends in columns.items() for value in ends]
    absurd = {name: np.zeros(len(inputs), dtype=bool) for name in columns}
    step = max(MOST_PREDICTED // len(inputs), 1)
    for start in range(0, len(moved), step):
        block = moved[start : start + step]
        predictions = attempt(
            subject, pd.concat([inputs.assign(**{name: value}) for name, value in block], ignore_index=True)
        )
        if isinstance(predictions, str):
            return predictions
        for (name, _), mask in zip(block, _absurd(subject, predictions).reshape(len(block), -1), strict=True):
            absurd[name] |= mask
    return absurd


def _absurd(subject: Subject, predictions: Predictions) -> np.ndarray:

    if predictions.probabilities is not None:
        return np.asarray((~np.isfinite(predictions.probabilities)).any(axis=1))
    low, high = _target_range(subject)
    reach = EXTREME_TIMES * (high - low)
    given: np.ndarray = np.asarray(predictions.values, dtype=np.float64)
    return np.isnan(given) | (given < low - reach) | (given > high + reach)


def _target_range(subject: Subject) -> tuple[float, float]:

    parts = [rows[subject.features.target].to_numpy(dtype=np.float64) for rows in (subject.test, subject.validation)]
    known = np.concatenate(parts)
    return float(np.nanmin(known)), float(np.nanmax(known))


def _column_table(absurd: dict[str, np.ndarray], columns: dict[str, tuple[float, float]]) -> Table:
    worst = sorted(((float(mask.mean()), name) for name, mask in absurd.items()), key=lambda item: (-item[0], item[1]))
    rows = [
        ExtremeRow(column=name, low=columns[name][0], high=columns[name][1], share=share)
        for share, name in worst[:MOST_LINES]
    ]
    return Table.of(ExtremeRow, "Columns by the share of rows with an absurd prediction at their extremes", rows)
