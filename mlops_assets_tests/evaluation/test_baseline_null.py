"""How often a model that knows nothing passes `beats_baseline`: no more often than stated, by any metric."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.evaluation.gates import judge
from mlops_assets.evaluation.spec import GateSpec
from mlops_assets.metrics.bootstrap import Bootstrap
from mlops_assets.metrics.catalogue import METRICS
from mlops_assets.metrics.outcomes import Predictions
from mlops_assets_tests.evaluation.subjects import evidence_of

STATED = 0.025
TARGETS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda rng, rows: 50 + rng.normal(0, 5, rows),
    "log-normal": lambda rng, rows: np.exp(rng.normal(size=rows)),
    "heavy tails": lambda rng, rows: 50 + rng.standard_t(2, rows),
}
POSITIVE = {"50 %": 0.5, "10 %": 0.1, "3 %": 0.03}
CORNERS = (
    ("mean_absolute_error", "log-normal", 300),
    ("mean_absolute_percentage_error", "log-normal", 100),
    ("f1_macro", "50 %", 300),
    ("average_precision", "3 %", 300),
)
Drawn = tuple[np.ndarray, np.ndarray, Predictions]
"""Truth that was learned from, truth that is judged on, and answers."""


def cases() -> Iterator[Any]:
    for metric in METRICS.values():
        for kind in TARGETS if metric.task == "regression" else POSITIVE:
            for rows in (100, 300, 1_000):
                case = (metric.name, kind, rows)
                if case in CORNERS:
                    yield pytest.param(*case, 60)
                yield pytest.param(*case, 300, marks=pytest.mark.soak("rates"))


def knows_nothing(metric: str, kind: str, rows: int, rng: np.random.Generator) -> Drawn:
    """Numbers near the median; coin flips and random scores as often positive as the truth, or half the time."""
    if METRICS[metric].task == "regression":
        learned, truth = (TARGETS[kind](rng, size) for size in (3 * rows, rows))
        return learned, truth, Predictions(np.median(learned) * (1 + rng.normal(0, 0.01, rows)))
    learned, truth = (rng.permutation(size) < round(POSITIVE[kind] * size) for size in (3 * rows, rows))
    score, cut = rng.uniform(size=rows), rng.choice([POSITIVE[kind], 0.5])
    return learned, truth, Predictions(score > 1 - cut, np.column_stack([1 - score, score]), (False, True))


@pytest.mark.parametrize(("metric", "kind", "rows", "runs"), list(cases()))
def test_a_model_that_knows_nothing_passes_no_more_often_than_stated(
    metric: str, kind: str, rows: int, runs: int, record_property: Callable[[str, object], None]
):
    rng = np.random.default_rng(rows)
    gate = GateSpec(check="beats_baseline", metric=metric)
    passed = 0
    for run in range(runs):
        learned, truth, said = knows_nothing(metric, kind, rows, rng)
        before, now = pd.DataFrame({"y": learned}), pd.DataFrame({"y": truth})
        task = METRICS[metric].task
        evidence = evidence_of(task, now, "y", said, {}, Bootstrap(resamples=200, seed=run), before)
        passed += judge(gate, evidence).passed
    record_property("passed", f"{passed / runs:.3f}")
    assert passed / runs <= STATED + 3 * (STATED * (1 - STATED) / runs) ** 0.5


@pytest.mark.parametrize(
    ("metric", "kind"), [("mean_absolute_error", "log-normal"), ("roc_auc", "10 %"), ("f1_macro", "50 %")]
)
def test_a_model_that_knows_something_passes(metric: str, kind: str):
    rng, passed = np.random.default_rng(8), 0
    for run in range(20):
        learned, truth, _ = knows_nothing(metric, kind, 300, rng)
        signal = np.log(truth) if truth.dtype == float else 2.0 * truth
        seen = signal + rng.normal(0, 0.7, len(truth))
        score = 1 / (1 + np.exp(1 - seen))
        said = (
            Predictions(np.exp(0.7 * seen))
            if truth.dtype == float
            else Predictions(score > 0.5, np.column_stack([1 - score, score]), (False, True))
        )
        before, now = pd.DataFrame({"y": learned}), pd.DataFrame({"y": truth})
        evidence = evidence_of(METRICS[metric].task, now, "y", said, {}, Bootstrap(resamples=200, seed=run), before)
        passed += judge(GateSpec(check="beats_baseline", metric=metric), evidence).passed
    assert passed == 20
