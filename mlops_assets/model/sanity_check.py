"""The sanity check: did the model learn anything? A constant guess is the yardstick."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from mlops_assets.declaration.base import Task
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.metrics.constant_guess import constant_guess
from mlops_assets.metrics.outcomes import Outcomes, read_outcomes
from mlops_assets.metrics.scoring import values
from mlops_assets.model.prediction import predict
from mlops_assets.verdict import Verdict

if TYPE_CHECKING:
    from mlops_assets.model.training import Trained

MEASURES: dict[Task, tuple[str, str]] = {"classification": ("accuracy", "accuracy"), "regression": ("r2", "R²")}
"""By task the metric, and its name in the sentence."""


def learned(
    trained: "Trained", features: FeaturesVersion, train: pd.DataFrame, rows: pd.DataFrame, part: str
) -> Verdict:
    """Compare accuracy or R² on ``rows`` with the best constant of the ``train`` rows.

    A declared threshold gives up accuracy for what it maximises, so the likelier class counts then.
    """
    known = rows[rows[features.target].notna()]
    if known.empty:
        return Verdict(name="learned", outcome="not evaluated", severity="warn", reason=f"no {part} rows", rows=0)
    task: Task = "classification" if features.classes else "regression"
    metric, measure = MEASURES[task]
    truth = known[features.target].to_numpy()
    said = read_outcomes(task, truth, predict(trained.pipeline, known.loc[:, features.names]), features.classes)
    said = _likelier(said) if trained.decision else said
    guess = constant_guess(task, train[features.target].to_numpy(), said.classes).outcomes(metric, said)
    score, constant = values([metric], said)[metric], values([metric], guess)[metric]
    if score is None or constant is None:
        reason = f"{measure} is undefined on {len(known)} {part} rows"
        return Verdict(name="learned", outcome="not evaluated", severity="warn", reason=reason, rows=len(known))
    return Verdict(
        name="learned",
        outcome="passed" if score > constant else "failed",
        severity="warn",
        value=score,
        bound=constant,
        rows=len(known),
        reason=f"{measure} {score:.4g} on {len(known)} {part} rows; a constant guess reaches {constant:.4g}",
    )


def _likelier(said: Outcomes) -> Outcomes:
    """The class with the larger probability in the place of the one that the threshold decides for."""
    assert said.probabilities is not None, "a threshold decides by probabilities"
    return replace(said, predicted=said.probabilities.argmax(axis=1))
