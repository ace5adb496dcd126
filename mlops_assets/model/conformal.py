"""Prediction sets: split conformal thresholds, and what they cover: scores in, thresholds out."""

import math
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

Sets = Literal["least_ambiguous", "adaptive"]
"""The smallest sets on average (Sadinle et al. 2019), or sets that grow where a row is hard (Romano et al. 2020)."""
SEED = 2020
"""Of the random part of adaptive calibration scores."""


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
    """The lowest score that each label of each row can have, shape (n, k): a set holds the labels up to a threshold.

    ``least_ambiguous``: one minus the label's probability. ``adaptive``: the probability of the labels ranked before
    it. The label that crosses a threshold is then in, so that no set is empty and equal rows have equal sets.

    Example:
        >>> import numpy as np
        >>> label_scores(np.array([[0.2, 0.7, 0.1]]), "adaptive")
        array([[0.7, 0. , 0.9]])
    """
    import numpy as np

    if sets == "least_ambiguous":
        return 1 - probabilities
    order, sums = _ranked(probabilities)
    return _unranked(order, np.pad(sums[:, :-1], ((0, 0), (1, 0))))


def calibration_scores(
    probabilities: "np.ndarray", columns: "np.ndarray", sets: Sets = "least_ambiguous"
) -> "np.ndarray":
    """How badly its true label, of the given column, fits each row, shape (n,).

    ``adaptive`` is the probability of the labels down to it less a random share of its own, uniform on (0, 1] for each
    row (Romano, Sesia and Candès 2020). Never below ``label_scores``, so that a threshold which new rows' scores stay
    at or below as often as stated holds for the sets of ``label_scores`` too. The shares come of a fixed seed and the
    labels in their order: equal rows give equal scores, and other rows are not calibrated with the same draw.

    Example:
        >>> import numpy as np
        >>> calibration_scores(np.array([[0.2, 0.7, 0.1]]), np.array([0]))
        array([0.8])
    """
    import numpy as np

    rows = np.arange(len(columns))
    lowest = label_scores(probabilities, sets)[rows, columns]
    if sets == "least_ambiguous":
        return lowest
    rng = np.random.default_rng([SEED, zlib.crc32(columns.astype("<i8").tobytes())])
    return lowest + rng.random(len(columns)) * probabilities[rows, columns]


def cumulative_scores(probabilities: "np.ndarray") -> "np.ndarray":
    """Adaptive scores of earlier releases: the probability down to each label with all of its own, shape (n, k).

    A threshold below a row's largest probability leaves that row's set empty.
    """
    order, sums = _ranked(probabilities)
    return _unranked(order, sums)


def _ranked(probabilities: "np.ndarray") -> "tuple[np.ndarray, np.ndarray]":
    """Columns from the likeliest label on, equal ones in their own order, and the sums of probability down to each."""
    import numpy as np

    order = np.argsort(-probabilities, axis=1, kind="stable")
    # The sum of all labels is 1 but for its last digits, which must not decide.
    return order, np.take_along_axis(probabilities, order, axis=1).cumsum(axis=1).round(6)


def _unranked(order: "np.ndarray", ranked: "np.ndarray") -> "np.ndarray":
    """Values by rank, each back in its label's column."""
    import numpy as np

    values = np.empty_like(ranked)
    np.put_along_axis(values, order, ranked, axis=1)
    return values


def quantile_edges(values: "np.ndarray", segments: int = 4) -> "np.ndarray":
    """Inner edges of segments of about equal size, each an observed value; fewer where values repeat."""
    import numpy as np

    inner = np.quantile(values, np.arange(1, segments) / segments, method="inverted_cdf")
    return np.unique(inner[inner > values.min()])
