"""Scoring: every metric of the catalogue as a function of row weights, and its value on given rows."""

import math
from collections.abc import Iterable

import numpy as np

from mlops_assets.declaration.base import one_of
from mlops_assets.errors import SpecError
from mlops_assets.metrics.blocks import Blocks
from mlops_assets.metrics.bootstrap import Statistic
from mlops_assets.metrics.catalogue import BINARY_ONLY, METRICS, metrics_of
from mlops_assets.metrics.label_metrics import label_statistic
from mlops_assets.metrics.losses import loss_statistic
from mlops_assets.metrics.outcomes import Outcomes
from mlops_assets.metrics.ranking import ranking_statistic

FAMILIES = {"label_metrics": label_statistic, "ranking": ranking_statistic, "losses": loss_statistic}
"""What each family of metrics is computed by, all of its names at once."""


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
    metric = METRICS[name]
    if metric.needs == "probabilities" and outcomes.probabilities is None:
        return "the model gives no probabilities"
    if metric.family == "ranking":
        return _missing_class(outcomes)
    return _undefined_term(*metric.undefined_from, outcomes) if metric.undefined_from else ""


def _undefined_term(term: str, least: float, outcomes: Outcomes) -> str:
    if min(outcomes.truth.min(), outcomes.predicted.min()) > least:
        return ""
    return f"a target or prediction is {least} or less, where {term} is undefined"


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
    families: dict[str, list[str]] = {}
    for name in names:
        families.setdefault(METRICS[name].family, []).append(name)
    parts = [FAMILIES[family](outcomes, members, blocks) for family, members in families.items()]
    return lambda weights: {name: values for part in parts for name, values in part(weights).items()}


def values(names: Iterable[str], outcomes: Outcomes, weights: np.ndarray | None = None) -> dict[str, float | None]:
    """The value of each metric on these rows, weighted where asked; None where it is undefined.

    Example:
        >>> import numpy as np
        >>> from mlops_assets.metrics.outcomes import Predictions, read_outcomes
        >>> truth = np.array(["no", "no", "no", "yes"])
        >>> outcomes = read_outcomes("classification", truth, Predictions(np.array(["no", "no", "yes", "yes"])))
        >>> values(["accuracy", "recall", "roc_auc"], outcomes)
        {'accuracy': 0.75, 'recall': 1.0, 'roc_auc': None}
    """
    names = tuple(names)
    computable = [name for name in names if not obstacle(name, outcomes)]
    ones = np.ones(len(outcomes), dtype=np.int64) if weights is None else np.asarray(weights)
    measured = statistic(computable, outcomes)(ones[np.newaxis]) if computable else {}
    return {name: _defined(measured[name][0]) if name in measured else None for name in names}


def _defined(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
