"""Two models' predictions compared in one call, with every setting by name."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from mlops_assets.comparison.comparison import Comparison
from mlops_assets.comparison.cost import CostSpec
from mlops_assets.comparison.method import Method
from mlops_assets.comparison.pair import Pair, read_pair
from mlops_assets.metrics.bootstrap import Bootstrap
from mlops_assets.metrics.catalogue import METRICS
from mlops_assets.metrics.outcomes import Predictions


def compare(
    metric: str,
    truth: Any,
    challenger: Predictions,
    champion: Predictions,
    groups: np.ndarray | None = None,
    *,
    method: Method = "auto",
    **settings: Any,
) -> Comparison:
    pair = read_pair(METRICS[metric].task, truth, challenger, champion, settings.pop("classes", ()))
    return _set(pair, groups, **settings).compare(metric, method)


def compare_costs(
    cost: CostSpec,
    truth: Any,
    challenger: Predictions,
    champion: Predictions,
    groups: np.ndarray | None = None,
    *,
    method: Method = "auto",
    classes: Iterable[Any] = (),
) -> Comparison:
    pair = read_pair("classification", truth, challenger, champion, classes)
    return _set(pair, groups).compare_cost(cost, method)


def _set(pair: Pair, groups: np.ndarray | None, **bootstrap: Any) -> Pair:
    return replace(pair, groups=groups, bootstrap=Bootstrap(**bootstrap))
