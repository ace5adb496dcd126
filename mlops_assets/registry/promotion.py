"""Promotion: may the challenger take the champion's place?"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

    from mlops_assets.evaluation.comparison import Comparison

FEWEST_ROWS = 30
"""Below this many common rows no comparison is made."""


@dataclass(frozen=True)
class Judgement:
    """The answer with its reason."""

    decision: Literal["promoted", "kept"]
    reason: str
    comparison: "Comparison | None" = None


def judge(comparison: "Comparison", margin: float) -> Judgement:
    """Promote unless the challenger may be worse by more than ``margin``, in units of the metric."""
    low, high = comparison.interval
    standing = comparison.standing(margin)
    reason = (
        f"{standing}: {comparison.metric} {comparison.challenger:.4g} against {comparison.champion:.4g} on "
        f"{comparison.rows} rows, difference {comparison.difference:+.4g} [{low:+.4g}, {high:+.4g}], margin {margin:g}"
    )
    promoted = standing in ("superior", "equal within margin")
    return Judgement("promoted" if promoted else "kept", reason, comparison)


def rows_neither_was_trained_on(test: "pd.DataFrame", champion_seen: "pd.DataFrame") -> "pd.DataFrame":
    """The challenger's test rows without those the champion saw in training or validation."""
    return test.loc[~test["_identity"].isin(champion_seen["_identity"])]
