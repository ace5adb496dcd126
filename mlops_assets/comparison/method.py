"""Method: which test of a difference suits a metric."""

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from mlops_assets.errors import SpecError

if TYPE_CHECKING:
    from mlops_assets.metrics.bootstrap import Bootstrap
    from mlops_assets.metrics.outcomes import Outcomes

Method = Literal["auto", "bootstrap", "bca", "delong", "mcnemar"]
"""How a difference is tested.

``auto``: DeLong for the area under the ROC curve of two classes, McNemar for accuracy, both where rows stand alone; a
paired bootstrap by expanded percentiles for everything else. ``bootstrap``: a paired bootstrap by plain percentiles.
``bca``: by corrected ones (BCa), for a difference that is skewed. It is not the default, because between equal models
it finds a difference more often than stated where errors have long tails or classes are rare.
"""

FEWEST_RESAMPLES = 2000
"""``auto`` draws at least this many: the ends of an interval lie in the tails."""

METRIC_OF = {"delong": "roc_auc", "mcnemar": "accuracy"}
"""The metric of a method that is not for every metric."""

TESTED = {"delong": "roc_auc of two classes", "mcnemar": "accuracy"}
"""What a method that is not for every metric is for."""


def suited_method(metric: str, outcomes: "Outcomes", grouped: bool, asked: Method = "auto") -> Method:
    """``delong`` or ``mcnemar`` where ``auto`` stands for them; any other method as it was asked for.

    Raises:
        SpecError: if the method is not for this metric, or not for groups.
    """
    own: Method | None = None
    if not grouped and metric == "accuracy":
        own = "mcnemar"
    elif not grouped and metric == "roc_auc" and outcomes.positive is not None:
        own = "delong"
    if asked == "auto":
        return own or "auto"
    if asked in TESTED and asked != own:
        raise SpecError(
            f"method {asked!r} is for {TESTED[asked]} on rows without groups, here is {metric}"
            f"{' by group' if grouped else ''} of {len(outcomes.classes)} classes. Remedy: method 'auto'"
        )
    return asked


def enough_resamples(bootstrap: "Bootstrap", asked: Method) -> "Bootstrap":
    """The bootstrap as declared; ``auto`` draws no fewer than 2,000."""
    if asked != "auto" or bootstrap.resamples >= FEWEST_RESAMPLES:
        return bootstrap
    return replace(bootstrap, resamples=FEWEST_RESAMPLES)
