"""Method: which test of a difference suits a metric."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Literal, TypeAlias

from mlops_assets.errors import SpecError

if TYPE_CHECKING:
    from mlops_assets.comparison.difference import Difference
    from mlops_assets.metrics.bootstrap import Bootstrap
    from mlops_assets.metrics.outcomes import Outcomes

    Test: TypeAlias = Callable[[Outcomes, Outcomes, float], Difference]
    """Challenger, champion and confidence -> their difference."""

Method = Literal["auto", "bootstrap", "bca", "delong", "mcnemar"]
"""How a difference is tested.

``auto``: DeLong for the area under the ROC curve of two classes, McNemar for accuracy, both where rows stand alone; a
paired bootstrap by expanded percentiles for everything else. ``bootstrap``: a paired bootstrap by plain percentiles.
``bca``: by corrected ones (BCa), for a difference that is skewed. It is not the default, because between equal models
it finds a difference more often than stated where errors have long tails or classes are rare.
"""


@dataclass(frozen=True)
class MetricTest:
    """A method that is for one metric, on rows without groups; ``auto`` stands for it there."""

    metric: str
    test: str
    """Where its ``Test`` is, below ``comparison/``: imported when it is used."""
    two_classes: bool = False

    def suits(self, metric: str, outcomes: "Outcomes") -> bool:
        return metric == self.metric and (outcomes.positive is not None or not self.two_classes)

    def __str__(self) -> str:
        return f"{self.metric} of two classes" if self.two_classes else self.metric


METRIC_TESTS: dict[Method, MetricTest] = {
    "delong": MetricTest("roc_auc", "delong.delong_of_outcomes", two_classes=True),
    "mcnemar": MetricTest("accuracy", "mcnemar.mcnemar"),
}
"""The methods that are not for every metric; the others are bootstraps."""

FEWEST_RESAMPLES, IN_THE_TAIL = 2000, 10
"""``auto`` draws at least this many, and so many that as many lie beyond either end of the interval."""


def suited_method(metric: str, outcomes: "Outcomes", grouped: bool, asked: Method = "auto") -> Method:
    """The test of this metric where ``auto`` stands for it; any other method as it was asked for.

    Raises:
        SpecError: if the method is not for this metric, or not for groups.
    """
    suited: list[Method] = [name for name, test in METRIC_TESTS.items() if test.suits(metric, outcomes)]
    own = suited[0] if suited and not grouped else None
    if asked == "auto":
        return own or "auto"
    if asked in METRIC_TESTS and asked != own:
        raise SpecError(
            f"method {asked!r} is for {METRIC_TESTS[asked]} on rows without groups, here is {metric}"
            f"{' by group' if grouped else ''} of {len(outcomes.classes)} classes. Remedy: method 'auto'"
        )
    return asked


def metric_test(method: Method) -> "Test | None":
    """The test that a method is; None for a bootstrap."""
    if method not in METRIC_TESTS:
        return None
    module, _, name = METRIC_TESTS[method].test.rpartition(".")
    return getattr(import_module(f"mlops_assets.comparison.{module}"), name)


def enough_resamples(bootstrap: "Bootstrap", asked: Method) -> "Bootstrap":
    """The bootstrap as declared; ``auto`` draws no fewer than 2,000, and more where the confidence is high."""
    if asked != "auto":
        return bootstrap
    of_tail = math.ceil(2 * IN_THE_TAIL / (1 - bootstrap.confidence))
    return replace(bootstrap, resamples=max(bootstrap.resamples, FEWEST_RESAMPLES, of_tail))
