"""Metrics: every name of the catalogue as a function of row weights, and its value on given rows."""

import math
from collections.abc import Iterable

import numpy as np

from mlops_assets.declaration.base import one_of
from mlops_assets.errors import SpecError
from mlops_assets.metrics.blocks import Blocks
from mlops_assets.metrics.bootstrap import Statistic
from mlops_assets.metrics.catalogue import BINARY_ONLY, METRICS, metrics_of
from mlops_assets.metrics.confusion import label_statistic
from mlops_assets.metrics.losses import loss_statistic
from mlops_assets.metrics.outcomes import Outcomes
from mlops_assets.metrics.ranking import ranking_statistic

RANKINGS = frozenset({"roc_auc", "average_precision"})


def applicable(outcomes: Outcomes) -> list[str]:
    """The metrics that make sense for these outcomes: those of two classes only where there are two."""
    names = metrics_of(outcomes.task)
    return names if len(outcomes.classes) == 2 else [name for name in names if name not in BINARY_ONLY]


def obstacle(name: str, outcomes: Outcomes) -> str:
    """Why ``name`` cannot be computed on these rows; empty where it can.

    Raises:
        SpecError: if there is no such metric, or it belongs to the other task.
    """
    if name not in metrics_of(outcomes.task):
        raise SpecError(f"{name!r} is not a {outcomes.task} metric. Metrics: {one_of(metrics_of(outcomes.task))}")
    if len(outcomes) == 0:
        return "there are no rows"
    if name in BINARY_ONLY and outcomes.positive is None:
        return f"{name} is for two classes, here are {len(outcomes.classes)}"
    if METRICS[name].needs == "probabilities" and outcomes.probabilities is None:
        return "the model gives no probabilities"
    if name in RANKINGS:
        return _missing_class(outcomes)
    if name == "root_mean_squared_log_error" and min(outcomes.truth.min(), outcomes.predicted.min()) <= -1:
        return "a target or prediction is -1 or less, where log(1 + x) is undefined"
    return ""


def _missing_class(outcomes: Outcomes) -> str:

    counts = np.bincount(outcomes.truth, minlength=len(outcomes.classes))
    missing = [repr(label) for label, count in zip(outcomes.classes, counts, strict=True) if count == 0]
    if missing:
        return f"no row is of class {', '.join(missing)}"
    return "every row is of one class" if len(outcomes.classes) < 2 else ""


def statistic(names: Iterable[str], outcomes: Outcomes, blocks: Blocks | None = None) -> Statistic:
    """Metrics as a function of row weights, with everything that does not depend on them done once.

    With ``blocks``, they are a function of block weights, shape (b, blocks.count), in time that hardly grows with rows.
    None of ``names`` may have an ``obstacle``.
    """
    names = tuple(names)
    labels = [name for name in names if METRICS[name].needs == "labels"]
    rankings = [name for name in names if name in RANKINGS]
    losses = [name for name in names if name not in labels and name not in rankings]
    parts: list[Statistic] = []
    if labels:
        parts.append(label_statistic(outcomes, labels, blocks))
    if rankings:
        parts.append(ranking_statistic(outcomes, rankings, blocks))
    if losses:
        parts.append(loss_statistic(outcomes, losses, blocks))
    return lambda weights: {name: values for part in parts for name, values in part(weights).items()}


def values(names: Iterable[str], outcomes: Outcomes, weights: np.ndarray | None = None) -> dict[str, float | None]:
    """The value of each metric on these rows, weighted where asked; None where it is undefined."""

    names = tuple(names)
    computable = [name for name in names if not obstacle(name, outcomes)]
    ones = np.ones(len(outcomes), dtype=np.int64) if weights is None else np.asarray(weights)
    measured = statistic(computable, outcomes)(ones[np.newaxis]) if computable else {}
    return {name: _defined(measured[name][0]) if name in measured else None for name in names}


def _defined(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
