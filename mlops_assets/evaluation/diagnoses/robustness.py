"""Robustness: what becomes of a model's predictions when rows arrive noisy, incomplete, strange or reordered."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from mlops_assets.declaration.base import Task
from mlops_assets.errors import NotEvaluated
from mlops_assets.evaluation.diagnoses.invariance import EXTREME_TIMES, attempt, extreme_values, order_measures, part_of
from mlops_assets.evaluation.diagnoses.perturbation import columns_of, spreads, with_missing, with_noise, with_unseen
from mlops_assets.evaluation.diagnoses.robustness_curve import MOST_RESAMPLES, Point, relative_losses
from mlops_assets.evaluation.diagnosis import Cell, Diagnosis, Measure, Subject, Table
from mlops_assets.metrics.catalogue import METRICS
from mlops_assets.metrics.outcomes import Outcomes
from mlops_assets.metrics.scoring import obstacle, values

NAME = "robustness"
TITLE = "Robustness"
TASKS: frozenset[Task] = frozenset({"classification", "regression"})
LEVELS = (1, 5, 10, 20)
"""Per cent."""
MEASURES = {
    **{
        f"noise_{level}": f"Relative loss of the primary metric under noise of {level} % of each numeric column's SD "
        "(lower is better)"
        for level in LEVELS
    },
    **{
        f"missing_{level}": f"Relative loss of the primary metric with {level} % of the cells empty (lower is better)"
        for level in LEVELS
    },
    "unseen_category": "Relative loss of the primary metric with an unseen category in every categorical column "
    "(lower is better)",
    "extreme_values": f"Share of rows with an absurd prediction once a numeric column lies {EXTREME_TIMES} times its "
    "range away (lower is better)",
    "column_order": "Share of rows whose prediction changes with the order of the columns (lower is better)",
    "row_order": "Share of rows whose prediction changes with the order of the rows (lower is better)",
    "batch_size": "Share of rows whose prediction changes with the size of the batch (lower is better)",
}
REPEATS = 3
MOST_ROWS = 5_000


def examine(subject: Subject) -> Diagnosis:
    """The curve of the primary metric's relative loss, and what order, batch and extreme values do.

    The sweep draws one pattern per repeat and stretches it, so that levels differ by the level alone.
    """
    from threadpoolctl import threadpool_limits

    if subject.test.empty:
        return _without("there are no test rows")
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
        losses = [Measure(name=name, value=None, rows=len(chosen), note=base) for name in _sweep_names()]
    extreme, columns = extreme_values(subject)
    steady = [extreme, *order_measures(subject)]
    curve = _curve(metric, base if isinstance(base, Outcomes) else None, points, losses)
    return Diagnosis(
        name=NAME,
        title=TITLE,
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


def _points(subject: Subject, chosen: np.ndarray) -> list[Point]:
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
) -> Point:

    if why_not:
        return Point(name, note=why_not)
    seeds = [np.random.default_rng([subject.bootstrap.seed, repeat]) for repeat in range(repeats)]
    changed = pd.concat([perturb(rng) for rng in seeds], ignore_index=True)
    predictions = attempt(subject, changed)
    if isinstance(predictions, str):
        return Point(name, note=predictions)
    try:
        parts = [slice(start, start + len(rows)) for start in range(0, len(changed), len(rows))]
        return Point(name, tuple(subject.read(rows, part_of(predictions, part)) for part in parts))
    except NotEvaluated as reason:
        return Point(name, note=str(reason))


def _sweep_names() -> list[str]:
    return [name for name in MEASURES if name.startswith(("noise", "missing", "unseen"))]


def _curve(metric: str, base: Outcomes | None, points: Sequence[Point], losses: Sequence[Measure]) -> Table:
    lines: list[list[Cell]] = []
    if base is not None:
        lines.append(["none", None, values([metric], base)[metric], 0.0, None, None, ""])
    after = {point.name: _mean_value(metric, point) for point in points}
    for loss in losses:
        kind, _, level = loss.name.rpartition("_")
        known = level.isdigit()
        low, high = loss.interval or (None, None)
        name, share = (kind, int(level) / 100) if known else ("unseen category", 1.0)
        lines.append([name, share, after.get(loss.name), loss.value, low, high, loss.note])
    return Table(
        title=f"{METRICS[metric].title} under perturbation",
        columns=["perturbation", "share", "metric", "relative loss", "low", "high", "note"],
        rows=lines,
    )


def _mean_value(metric: str, point: Point) -> float | None:
    found = [values([metric], one)[metric] for one in point.repeats]
    known = [value for value in found if value is not None]
    return sum(known) / len(known) if known and len(known) == len(found) else None


def _steady_table(measures: Sequence[Measure]) -> Table:
    return Table(
        title="Order, batch and extreme values",
        columns=["change", "share of rows", "rows", "note"],
        rows=[[measure.name.replace("_", " "), measure.value, measure.rows, measure.note] for measure in measures],
    )


def _headline(metric: str, measures: Sequence[Measure]) -> str:
    found = {measure.name: measure.value for measure in measures}
    orders = ("column_order", "row_order", "batch_size")
    changed = [name.replace("_", " ") for name in orders if found[name]]
    unknown = [name.replace("_", " ") for name in orders if found[name] is None]
    order = f"predictions change with {', '.join(changed)}" if changed else "no order or batch was seen to matter"
    order += f" ({', '.join(unknown)} not evaluated)" if unknown else ""
    return (
        f"{METRICS[metric].title} loses {_per_cent(found['noise_10'])} under 10 % noise and "
        f"{_per_cent(found['missing_10'])} with 10 % of the cells empty; {order}."
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


def _without(reason: str) -> Diagnosis:
    return Diagnosis(
        name=NAME,
        title=TITLE,
        headline=f"Not evaluated: {reason}.",
        measures=[Measure(name=name, value=None, rows=0, note=reason) for name in MEASURES],
    )
