"""Robustness: what becomes of a model's predictions when rows arrive noisy, incomplete, strange or reordered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pydantic import Field

from mlops_assets.errors import NotEvaluated
from mlops_assets.evaluation.diagnoses.invariance import attempt, extreme_values, order_measures, part_of
from mlops_assets.evaluation.diagnoses.perturbation import columns_of, spreads, with_missing, with_noise, with_unseen
from mlops_assets.evaluation.diagnoses.robustness_curve import MOST_RESAMPLES, LossPoint, relative_losses
from mlops_assets.evaluation.diagnosis import Diagnosis, Measure, Row, Subject, Table
from mlops_assets.evaluation.diagnosis_catalogue import DIAGNOSES, PERTURBATION_LEVELS
from mlops_assets.metrics.catalogue import METRICS
from mlops_assets.metrics.outcomes import Outcomes
from mlops_assets.metrics.scoring import obstacle, values

INFO = DIAGNOSES["robustness"]
LEVELS = PERTURBATION_LEVELS
REPEATS = 3
MOST_ROWS = 5_000


@dataclass(frozen=True)
class Perturbation:
    """One way to worsen the rows, and how much of it."""

    measure: str
    kind: str
    share: float


SWEEP = (
    *(Perturbation(f"noise_{level}", "noise", level / 100) for level in LEVELS),
    *(Perturbation(f"missing_{level}", "missing", level / 100) for level in LEVELS),
    Perturbation("unseen_category", "unseen category", 1.0),
)


class LossRow(Row):
    """The metric under one perturbation; ``none`` before any."""

    table = "losses"

    perturbation: str
    share: float | None
    metric: float | None
    loss: float | None = Field(title="relative loss")
    low: float | None
    high: float | None
    note: str


class SteadyRow(Row):
    """Rows whose prediction depends on what it must not."""

    table = "steady"

    change: str
    share: float | None = Field(title="share of rows")
    rows: int
    note: str


def examine(subject: Subject) -> Diagnosis:
    """The curve of the primary metric's relative loss, and what order, batch and extreme values do.

    The sweep draws one pattern per repeat and stretches it, so that levels differ by the level alone.
    """
    from threadpoolctl import threadpool_limits

    if subject.test.empty:
        return Diagnosis.not_evaluated(INFO, "there are no test rows", 0)
    # Many small predictions: threads would cost more than they do, up to twenty times on a busy machine.
    with threadpool_limits(limits=1):
        return _examine(subject)


def _examine(subject: Subject) -> Diagnosis:
    metric = subject.spec.primary_metric
    chosen = _chosen(subject)
    base, points = _base(subject, chosen, metric), []
    if isinstance(base, Outcomes):
        points = _points(subject, chosen)
        losses = relative_losses(metric, base, points, _groups(subject, chosen), subject.bootstrap)
    else:
        losses = [Measure(name=each.measure, value=None, rows=len(chosen), note=base) for each in SWEEP]
    extreme, columns = extreme_values(subject)
    steady = [extreme, *order_measures(subject)]
    curve = _curve(metric, base if isinstance(base, Outcomes) else None, points, losses)
    return Diagnosis(
        name=INFO.name,
        title=INFO.title,
        headline=_headline(metric, [*losses, *steady]),
        measures=[*losses, *steady],
        tables=[curve, _steady_table(steady), *columns],
        notes=_notes(metric, len(chosen), subject),
    )


def _chosen(subject: Subject) -> np.ndarray:
    """Positions of at most 5,000 test rows."""

    rows = len(subject.test)
    if rows <= MOST_ROWS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(subject.bootstrap.seed).choice(rows, MOST_ROWS, replace=False))


def _groups(subject: Subject, chosen: np.ndarray) -> pd.Series | None:
    groups = subject.groups
    return None if groups is None else groups.iloc[chosen]


def _base(subject: Subject, chosen: np.ndarray, metric: str) -> Outcomes | str:
    """The unperturbed rows, or why the metric cannot be computed on them."""
    try:
        outcomes = subject.outcomes.take(chosen)
    except NotEvaluated as reason:
        return str(reason)
    return obstacle(metric, outcomes) or outcomes


def _points(subject: Subject, chosen: np.ndarray) -> list[LossPoint]:
    rows, inputs = subject.test.iloc[chosen].reset_index(drop=True), subject.inputs
    numeric, categorical = columns_of(subject.features, "numeric"), columns_of(subject.features, "categorical")
    scales = spreads(inputs, numeric)
    kept = inputs.iloc[chosen].reset_index(drop=True)
    quiet = "" if scales.any() else "no numeric column that varies"
    plain = "" if categorical else "no categorical column"
    return [
        *(
            _point(
                f"noise_{level}",
                subject,
                rows,
                lambda rng, level=level: with_noise(kept, numeric, scales * level / 100, rng),
                quiet,
            )
            for level in LEVELS
        ),
        *(
            _point(
                f"missing_{level}",
                subject,
                rows,
                lambda rng, level=level: with_missing(kept, numeric, categorical, level / 100, rng),
            )
            for level in LEVELS
        ),
        _point("unseen_category", subject, rows, lambda rng: with_unseen(kept, categorical), plain, repeats=1),
    ]


def _point(
    name: str,
    subject: Subject,
    rows: pd.DataFrame,
    perturb: Callable[[np.random.Generator], pd.DataFrame],
    why_not: str = "",
    repeats: int = REPEATS,
) -> LossPoint:

    if why_not:
        return LossPoint(name, note=why_not)
    seeds = [np.random.default_rng([subject.bootstrap.seed, repeat]) for repeat in range(repeats)]
    changed = pd.concat([perturb(rng) for rng in seeds], ignore_index=True)
    predictions = attempt(subject, changed)
    if isinstance(predictions, str):
        return LossPoint(name, note=predictions)
    try:
        parts = [slice(start, start + len(rows)) for start in range(0, len(changed), len(rows))]
        return LossPoint(name, tuple(subject.read(rows, part_of(predictions, part)) for part in parts))
    except NotEvaluated as reason:
        return LossPoint(name, note=str(reason))


def _curve(metric: str, base: Outcomes | None, points: Sequence[LossPoint], losses: Sequence[Measure]) -> Table:
    rows: list[LossRow] = []
    if base is not None:
        before = values([metric], base)[metric]
        rows.append(LossRow(perturbation="none", share=None, metric=before, loss=0.0, low=None, high=None, note=""))
    after = {point.name: _mean_value(metric, point) for point in points}
    for perturbation, loss in zip(SWEEP, losses, strict=True):
        low, high = loss.interval or (None, None)
        rows.append(
            LossRow(
                perturbation=perturbation.kind,
                share=perturbation.share,
                metric=after.get(loss.name),
                loss=loss.value,
                low=low,
                high=high,
                note=loss.note,
            )
        )
    return Table.of(LossRow, f"{METRICS[metric].title} under perturbation", rows)


def _mean_value(metric: str, point: LossPoint) -> float | None:
    measured = [values([metric], repeat)[metric] for repeat in point.repeats]
    known = [value for value in measured if value is not None]
    return sum(known) / len(known) if known and len(known) == len(measured) else None


def _steady_table(measures: Sequence[Measure]) -> Table:
    rows = [
        SteadyRow(change=measure.name.replace("_", " "), share=measure.value, rows=measure.rows, note=measure.note)
        for measure in measures
    ]
    return Table.of(SteadyRow, "Order, batch and extreme values", rows)


def _headline(metric: str, measures: Sequence[Measure]) -> str:
    value = {measure.name: measure.value for measure in measures}
    orders = ("column_order", "row_order", "batch_size")
    changed = [name.replace("_", " ") for name in orders if value[name]]
    unknown = [name.replace("_", " ") for name in orders if value[name] is None]
    order = f"predictions change with {', '.join(changed)}" if changed else "no order or batch was seen to matter"
    order += f" ({', '.join(unknown)} not evaluated)" if unknown else ""
    return (
        f"{METRICS[metric].title} loses {_per_cent(value['noise_10'])} under 10 % noise and "
        f"{_per_cent(value['missing_10'])} with 10 % of the cells empty; {order}."
    )


def _per_cent(share: float | None) -> str:
    return "an unknown share" if share is None else f"{share + 0.0:.1%}"


def _notes(metric: str, rows: int, subject: Subject) -> list[str]:
    resamples = min(subject.bootstrap.resamples, MOST_RESAMPLES)
    return [
        f"Loss of {metric} on {rows:,} of {len(subject.test):,} test rows, mean of {REPEATS} repeats (seed "
        f"{subject.bootstrap.seed}); intervals from {resamples} paired resamples, with the perturbations held.",
        "A negative loss is an improvement. SD and range of a column are those of the test rows.",
    ]
