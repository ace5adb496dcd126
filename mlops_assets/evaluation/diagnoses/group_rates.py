"""Group rates: how often each protected group is selected, with intervals, as the report draws it."""

import numpy as np

from mlops_assets.evaluation.diagnosis import Cell, Table
from mlops_assets.metrics.proportion import share_interval

RATES = ("selection rate", "true positive rate", "false positive rate")
"""Share of the rows that are selected: of all, of the positive class, of the negative class."""


def group_rates(
    labels: list[tuple[str, str]],
    member: np.ndarray,
    truth: np.ndarray,
    selected: np.ndarray,
    clusters: np.ndarray | None,
    confidence: float,
) -> Table:
    """Each rate of each group with the Wilson interval of that rate alone.

    ``labels`` name column and group of each column of ``member``, shape (n, groups); ``truth`` and ``selected`` are
    masks of shape (n,); ``clusters`` numbers rows that do not stand alone.
    """

    rows: list[list[Cell]] = []
    for rate, among in zip(RATES, (np.ones(len(truth), dtype=bool), truth, ~truth), strict=True):
        for index, (column, label) in enumerate(labels):
            inside = member[:, index] & among
            if not inside.any():
                rows.append([rate, column, label, 0, None, None, None])
                continue
            kept = None if clusters is None else np.unique(clusters[inside], return_inverse=True)[1]
            hits = selected[inside]
            ends = share_interval(hits, kept, confidence)
            rows.append([rate, column, label, int(inside.sum()), float(hits.mean()), *ends])
    return Table(
        title=f"Rates by group with {100 * confidence:g} % intervals, each for itself",
        columns=["rate", "column", "group", "of rows", "value", "low", "high"],
        rows=rows,
    )
