"""A model that a plain linear one beats is told of, and nothing else is."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlops_assets.evaluation.gate_evidence import Evidence
from mlops_assets.evaluation.linear_baseline import verdict
from mlops_assets.metrics.outcomes import Predictions
from mlops_assets_tests.evaluation.subjects import evidence_of

ROWS = 300


def said(accuracy: float, seed: int) -> Predictions:
    rng = np.random.default_rng(seed)
    right = rng.permutation(ROWS) < round(accuracy * ROWS)
    return Predictions(np.where(right, np.arange(ROWS) % 2, 1 - np.arange(ROWS) % 2))


def against(linear: Predictions | None) -> Evidence:
    """A model that is right in 63 of 100 rows."""
    rows = pd.DataFrame({"kind": np.arange(ROWS) % 2, "@site": np.arange(ROWS) // 100})
    return evidence_of("classification", rows, "kind", said(0.63, 1), {"linear": linear} if linear else {})


@pytest.mark.parametrize(("accuracy", "outcome"), [(0.8, "failed"), (0.65, "passed"), (0.4, "passed")])
def test_only_a_significantly_better_linear_model_is_warned_of(accuracy: float, outcome: str):
    seen = verdict(against(said(accuracy, 2)), "accuracy")
    assert (seen.name, seen.outcome, seen.severity, seen.blocks) == ("not_worse_than_linear", outcome, "warn", False)
    assert seen.reason.startswith(f"accuracy 0.630 against {accuracy:.3f} of the linear baseline on 300 rows")
    assert ("Remedy: declare a linear model" in seen.reason) is (outcome == "failed")


def test_what_cannot_be_compared_is_not_evaluated():
    assert verdict(against(None), "accuracy").outcome == "not evaluated"
    few = replace(against(said(0.8, 2)), units=pd.Series(np.arange(300) // 100))
    assert (verdict(few, "accuracy").outcome, verdict(few, "roc_auc").outcome) == ("not evaluated", "not evaluated")
