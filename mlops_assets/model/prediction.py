"""Predictions: what a fitted pipeline says about rows."""

from typing import TYPE_CHECKING, Any, TypeAlias

from mlops_assets.metrics.outcomes import Predictions

if TYPE_CHECKING:
    import pandas as pd


Fitted: TypeAlias = Any
"""A fitted pipeline or step of one, or what stands in for it: no type describes how scikit-learn declares methods."""


def predict(pipeline: Fitted, rows: "pd.DataFrame") -> Predictions:
    """Predictions of a fitted scikit-learn pipeline for ``rows``."""
    values = pipeline.predict(rows)
    classes, predict_proba = (getattr(pipeline, name, None) for name in ("classes_", "predict_proba"))
    if classes is None:
        return Predictions(values)
    return Predictions(values, predict_proba(rows) if predict_proba else None, tuple(classes.tolist()))
