"""Predictions: what a fitted pipeline says about rows."""

from typing import TYPE_CHECKING, Any

from mlops_assets.metrics.outcomes import Predictions

if TYPE_CHECKING:
    import pandas as pd


def predict(pipeline: Any, rows: "pd.DataFrame") -> Predictions:
    """Predictions of a fitted scikit-learn pipeline for ``rows``."""
    values = pipeline.predict(rows)
    if not hasattr(pipeline, "classes_"):
        return Predictions(values)
    probabilities = pipeline.predict_proba(rows) if hasattr(pipeline, "predict_proba") else None
    return Predictions(values, probabilities, tuple(pipeline.classes_.tolist()))
