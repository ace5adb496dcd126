"""How often equal models are told apart, against what a comparison of two numbers would do."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import norm

from mlops_assets.comparison.few_positives import FEWEST
from mlops_assets.comparison.method import Method
from mlops_assets.metrics.outcomes import Predictions
from mlops_assets_tests.comparison.pairs import compare

RUNS = 300
STATED = 0.025
"""Share of equal challengers that a two-sided interval of 95 % calls superior."""
MONTE_CARLO = 3 * (STATED * (1 - STATED) / RUNS) ** 0.5


def equal_models(rows: int, rng: np.random.Generator) -> tuple[np.ndarray, Predictions, Predictions]:
    """Two-class truth and two models that see the same evidence, each with as much noise of its own."""
    truth = (rng.random(rows) < 0.4).astype(int)
    evidence = 1.5 * truth + rng.normal(size=rows)
    scores = (1 / (1 + np.exp(0.7 - evidence - 0.5 * rng.normal(size=rows))) for _ in range(2))
    ours, theirs = (Predictions((s > 0.5).astype(int), np.column_stack([1 - s, s]), (0, 1)) for s in scores)
    return truth, ours, theirs


@pytest.mark.parametrize(
    "rows", [500, *(pytest.param(rows, marks=pytest.mark.soak("rates")) for rows in (2_000, 10_000))]
)
@pytest.mark.parametrize(
    ("metric", "test"),
    [("roc_auc", "DeLong"), ("accuracy", "McNemar (exact)"), ("f1_macro", "paired bootstrap (percentile)")],
)
def test_equal_models_are_superior_no_more_often_than_stated_and_half_the_time_by_their_values(
    metric: str, test: str, rows: int, record_property: Callable[[str, object], None]
) -> None:
    rng = np.random.default_rng(rows)
    found = [compare(metric, *equal_models(rows, rng), seed=run) for run in range(RUNS)]
    assert {comparison.test for comparison in found} == {test}
    assert np.mean([comparison.challenger > comparison.champion for comparison in found]) > 0.38
    record_property("superior", f"{np.mean([comparison.superior for comparison in found]):.3f}")
    assert np.mean([comparison.superior for comparison in found]) <= STATED + MONTE_CARLO
    assert np.mean([comparison.standing() == "inferior" for comparison in found]) <= STATED + MONTE_CARLO
    p_values = np.array([comparison.p_value for comparison in found])
    for level in (0.05, 0.25, 0.5):
        assert np.mean(p_values < level) <= level + 3 * (level * (1 - level) / RUNS) ** 0.5


@pytest.mark.parametrize(
    ("runs", "sides"),
    [(120, ("superior", "inferior")), pytest.param(RUNS, ("superior",), marks=pytest.mark.soak("rates"))],
    ids=["either way", "superior"],
)
def test_few_groups_tell_equal_models_apart_by_plain_percentiles_but_not_by_those_that_decide(
    runs: int, sides: tuple[str, ...], record_property: Callable[[str, object], None]
) -> None:
    rng = np.random.default_rng(6)
    groups = np.repeat(np.arange(6), 20)
    apart: dict[Method, list[bool]] = {"auto": [], "bootstrap": []}
    for run in range(runs):
        truth = rng.normal(size=120)
        ours, theirs = (Predictions(truth + (1 + 0.2 * rng.random(6))[groups] * rng.normal(size=120)) for _ in range(2))
        for method, decided in apart.items():
            compared = compare("mean_absolute_error", truth, ours, theirs, groups, seed=run, method=method)
            decided.append(compared.standing() in sides)
    rates = {method: float(np.mean(decided)) for method, decided in apart.items()}
    stated = STATED * len(sides)
    for method, rate in rates.items():
        record_property(method, f"{rate:.3f}")
    assert rates["auto"] <= stated + 3 * (stated * (1 - stated) / runs) ** 0.5 < rates["bootstrap"]


def worse_by(margin: float, area: float, positives: int, shared: float, rng: np.random.Generator):
    """300 rows with normal scores: of the champion with ``area``, of the challenger with less by ``margin``."""
    truth = np.repeat([1, 0], [positives, 300 - positives])
    common = rng.normal(size=300)
    areas = (area - margin, area)
    scores = (
        norm.cdf(shared**0.5 * common + (1 - shared) ** 0.5 * rng.normal(size=300) + norm.ppf(each) * 2**0.5 * truth)
        for each in areas
    )
    ours, theirs = (Predictions((s > 0.5).astype(int), np.column_stack([1 - s, s]), (0, 1)) for s in scores)
    return truth, ours, theirs


@pytest.mark.parametrize(
    ("area", "positives", "margin", "runs"),
    [
        (0.97, 9, 0.02, RUNS),
        *(
            pytest.param(*each, 2_000, marks=pytest.mark.soak("rates"))
            for each in ((0.97, 9, 0.02), (0.85, 9, 0.02), (0.97, 30, 0.02), (0.9, 45, 0.05))
        ),
    ],
)
def test_a_challenger_worse_by_just_the_margin_is_rarely_called_non_inferior_by_few_positives(
    area: float, positives: int, margin: float, runs: int, record_property: Callable[[str, object], None]
) -> None:
    rng = np.random.default_rng(positives)
    found = [compare("roc_auc", *worse_by(margin, area, positives, 0.5, rng), seed=run) for run in range(runs)]
    rate = float(np.mean([comparison.not_worse(margin) for comparison in found]))
    record_property("non-inferior", f"{rate:.3f}")
    assert {comparison.test for comparison in found} == {"DeLong"}
    if positives < FEWEST:
        assert all("rows of the smaller class" in comparison.note for comparison in found if comparison.difference)
    assert rate <= STATED + 3 * (STATED * (1 - STATED) / runs) ** 0.5
