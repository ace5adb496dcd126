"""The sanity check: did the model learn anything? A constant guess is the yardstick."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mlops_assets.features.version import FeaturesVersion
from mlops_assets.verdict import Verdict

if TYPE_CHECKING:
    from mlops_assets.model.training import Trained


def learned(trained: "Trained", features: FeaturesVersion, rows: pd.DataFrame, part: str) -> Verdict:
    """Compare accuracy or R² (scikit-learn's default scores) with the majority or mean guess on ``rows``.

    A declared threshold gives up accuracy for what it maximises, so the likelier class counts then.
    """
    known = rows[rows[features.target].notna()]
    if known.empty:
        return Verdict(name="learned", outcome="not evaluated", severity="warn", reason=f"no {part} rows", rows=0)
    inputs, truth = known.loc[:, features.names], known.loc[:, features.target]
    score = (
        _likelier(trained, inputs, truth.to_numpy())
        if trained.decision
        else float(trained.pipeline.score(inputs, truth))
    )
    guess = float(trained.baselines["simple"].score(inputs, truth))
    measure = "accuracy" if features.classes else "R²"
    return Verdict(
        name="learned",
        outcome="passed" if score > guess else "failed",
        severity="warn",
        value=score,
        bound=guess,
        rows=len(known),
        reason=f"{measure} {score:.4g} on {len(known)} {part} rows; a constant guess reaches {guess:.4g}",
    )


def _likelier(trained: "Trained", inputs: pd.DataFrame, truth: np.ndarray) -> float:
    """Accuracy of the class with the larger probability."""
    likelier = trained.pipeline.predict_proba(inputs).argmax(axis=1)
    return float((trained.pipeline.classes_[likelier] == truth).mean())
