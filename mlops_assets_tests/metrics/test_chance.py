"""Chance: answers that depend on no row are as good as shuffled ones as often as stated, whatever the metric."""

import numpy as np
import pytest

from mlops_assets.metrics.chance import MOST_ROWS, chance
from mlops_assets.metrics.outcomes import Predictions, read_outcomes


def test_a_constant_is_no_better_than_its_own_answers_elsewhere():
    truth = np.exp(np.random.default_rng(0).normal(size=501))
    constant = read_outcomes("regression", truth, Predictions(np.full(501, 0.1)))
    for metric in ("mean_absolute_error", "r2", "root_mean_squared_log_error", "median_absolute_error"):
        assert chance(metric, constant) == 1, "sums in another order differ in their last digits"


def test_groups_change_places_as_wholes():
    """20 groups of 10 equal rows: rows alone would be far from what such a model reaches by luck."""
    rng, p_rows, p_groups = np.random.default_rng(3), list[float](), list[float]()
    who = np.repeat(np.arange(20), 10)
    for seed in range(60):
        truth, said = (rng.integers(0, 2, 20)[who] for _ in range(2))
        outcomes = read_outcomes("classification", truth, Predictions(said))
        p_rows.append(chance("accuracy", outcomes, seed=seed))
        p_groups.append(chance("accuracy", outcomes, who, seed=seed))
    assert np.mean(np.array(p_rows) <= 0.025) > 0.2
    assert np.mean(np.array(p_groups) <= 0.025) <= 0.1


def test_groups_of_any_size_all_change_places():
    who = np.repeat(np.arange(6), [1, 2, 3, 4, 5, 45])
    truth = np.arange(60) % 2
    known = read_outcomes("classification", truth, Predictions(truth))
    assert chance("accuracy", known) == 0.005
    assert 0.005 < chance("accuracy", known, who) < 0.5, "six groups have 720 orders, of which many differ little"


@pytest.mark.parametrize(("level", "least"), [(0.025, 0.005), (0.005, 0.001), (0.05, 0.01)])
def test_there_are_as_many_shuffles_as_the_level_asks_for(level: float, least: float):
    truth = np.arange(50.0)
    known = read_outcomes("regression", truth, Predictions(truth))
    assert chance("mean_absolute_error", known, level=level) == pytest.approx(least)


def test_of_more_rows_so_many_are_drawn_that_a_weak_model_is_still_told_from_chance():
    rng = np.random.default_rng(5)
    truth = rng.normal(size=3 * MOST_ROWS)
    weak = read_outcomes("regression", truth, Predictions(0.03 * truth + rng.normal(0, 0.3, len(truth))))
    assert chance("r2", weak) <= 0.025


@pytest.mark.parametrize("metric", ["roc_auc", "average_precision", "f1"])
def test_a_rare_class_is_among_the_rows_that_are_drawn(metric: str):
    """Fifty positives in sixty thousand rows: of rows drawn alike a third of them would be there, or none."""
    rng = np.random.default_rng(6)
    truth = np.arange(3 * MOST_ROWS) < 50
    for shift, knows in ((2.5, True), (0.0, False)):
        score = 1 / (1 + np.exp(3 - shift * truth - rng.normal(size=len(truth))))
        said = Predictions(score > 0.5, np.column_stack([1 - score, score]), (False, True))
        outcomes = read_outcomes("classification", truth, said, positive=True)
        assert (chance(metric, outcomes) <= 0.025) is knows


def test_what_has_no_value_is_no_knowledge():
    one_class = read_outcomes("classification", np.zeros(50, dtype=int), Predictions(np.zeros(50, dtype=int)), [0, 1])
    assert chance("matthews_corrcoef", one_class) == 1
