"""Prediction sets: split conformal thresholds, and what they cover: scores in, thresholds out."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

Sets = Literal["least_ambiguous", "adaptive"]
"""The smallest sets on average (Sadinle et al. 2019), or sets that grow where a row is hard (Romano et al. 2020)."""


def rank_needed(rows: int, confidence: float) -> int:
    """Which smallest of ``rows`` calibration scores is the threshold: ceil((n + 1) confidence); above n, none."""
    # 100 * 0.55 is 55.00000000000001 to a machine.
    return math.ceil((rows + 1) * confidence - 1e-9)


def threshold(scores: "np.ndarray", confidence: float) -> float | None:
    """The score that a new exchangeable row stays at or below with ``confidence``; None from too few rows.

    Split conformal prediction (Papadopoulos et al. 2002, Lei et al. 2018).

    Example:
        >>> import numpy as np
        >>> errors = np.arange(1, 100) / 100  # of 99 rows that the model was not fitted on
        >>> threshold(errors, 0.9)
        0.9
        >>> threshold(errors[:5], 0.9)  # five rows cannot tell
    """
    import numpy as np

    rank = rank_needed(len(scores), confidence)
    return None if rank > len(scores) else float(np.partition(scores, rank - 1)[rank - 1])


def mondrian_thresholds(
    scores: "np.ndarray", segments: "np.ndarray | Sequence[Any]", confidence: float
) -> dict[Any, float | None]:
    """A threshold for each segment from its own rows, so that each is covered (Vovk et al. 2005)."""
    import pandas as pd

    return {
        segment: threshold(own.to_numpy(), confidence)
        for segment, own in pd.Series(scores).groupby(pd.Series(segments, dtype=object), dropna=False)
    }


def label_scores(probabilities: "np.ndarray", sets: Sets = "least_ambiguous") -> "np.ndarray":
    """How badly each label fits each row, shape (n, k): a prediction set holds the labels up to a threshold.

    ``least_ambiguous``: one minus the label's probability. ``adaptive``: the probability of all labels down to it,
    without the random part of Romano et al., so that equal rows have equal sets.
    """
    import numpy as np

    if sets == "least_ambiguous":
        return 1 - probabilities
    order = np.argsort(-probabilities, axis=1, kind="stable")
    # The sum of all labels is 1 but for its last digits, which must not decide.
    reached = np.take_along_axis(probabilities, order, axis=1).cumsum(axis=1).round(6)
    scores = np.empty_like(reached)
    np.put_along_axis(scores, order, reached, axis=1)
    return scores


def quantile_edges(values: "np.ndarray", segments: int = 4) -> "np.ndarray":
    """Inner edges of segments of about equal size, each an observed value; fewer where values repeat."""
    import numpy as np

    inner = np.quantile(values, np.arange(1, segments) / segments, method="inverted_cdf")
    return np.unique(inner[inner > values.min()])
