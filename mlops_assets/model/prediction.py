"""Predictions: what a fitted pipeline says about rows."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predicted values of ``n`` rows.

    ``values`` has shape (n,): labels for classification, numbers for regression.
    ``probabilities`` has shape (n, k), columns in the order of ``classes``; None for regression
    and for classifiers that give none.
    """

    values: "np.ndarray"
    probabilities: "np.ndarray | None" = None
    classes: tuple[Any, ...] = ()


def predict(pipeline: Any, rows: "pd.DataFrame") -> Predictions:
    """Predictions of a fitted scikit-learn pipeline for ``rows``."""
    values = pipeline.predict(rows)
    if not hasattr(pipeline, "classes_"):
        return Predictions(values)
    probabilities = pipeline.predict_proba(rows) if hasattr(pipeline, "predict_proba") else None
    return Predictions(values, probabilities, tuple(pipeline.classes_.tolist()))
