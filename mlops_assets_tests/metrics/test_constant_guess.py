"""The constant guess is, for each metric, the best that one answer for all rows can reach."""

import numpy as np
import pytest

from mlops_assets.metrics.catalogue import METRICS, metrics_of
from mlops_assets.metrics.constant_guess import constant_guess
from mlops_assets.metrics.outcomes import Outcomes, Predictions, read_outcomes
from mlops_assets.metrics.scoring import values

RNG = np.random.default_rng(4)
SKEWED = np.exp(RNG.normal(1, 1, 401))
RARE = RNG.uniform(size=400) < 0.1


def score(metric: str, outcomes: Outcomes) -> float:
    value = values([metric], outcomes)[metric]
    return -np.inf if value is None else value if METRICS[metric].greater_is_better else -value


@pytest.mark.parametrize("metric", sorted({*metrics_of("regression")} - {"median_absolute_error"}))
def test_no_other_number_scores_better_on_the_rows_it_is_made_from(metric: str):
    guess = constant_guess("regression", SKEWED)
    own = score(metric, guess.outcomes(metric, guess.learned))
    others = np.quantile(SKEWED, np.linspace(0.01, 0.99, 197))
    said = (read_outcomes("regression", SKEWED, Predictions(np.full(401, other))) for other in [*others, SKEWED.mean()])
    assert own >= max(score(metric, each) for each in said) - 1e-12


@pytest.mark.parametrize("metric", [m for m in metrics_of("classification") if METRICS[m].needs == "labels"])
def test_no_other_class_scores_better_on_the_rows_it_is_made_from(metric: str):
    guess = constant_guess("classification", RARE, positive=True)
    own = score(metric, guess.outcomes(metric, guess.learned))
    said = (
        read_outcomes("classification", RARE, Predictions(np.full(400, label)), [False, True], True)
        for label in (False, True)
    )
    assert own == max(score(metric, each) for each in said)


def test_what_is_guessed_is_what_textbooks_say():
    guess = constant_guess("regression", np.array([1.0, 2.0, 2.0, 3.0, 92.0]))
    assert guess.answer("r2") == guess.answer("root_mean_squared_error") == 20
    assert guess.answer("mean_absolute_error") == guess.answer("median_absolute_error") == 2
    assert guess.answer("mean_absolute_percentage_error") == 2
    assert guess.answer("root_mean_squared_log_error") == pytest.approx(np.expm1(np.log([2, 3, 3, 4, 93]).mean()))
    two = constant_guess("classification", RARE, positive=True)
    assert [two.answer(name) for name in ("accuracy", "f1", "f2", "recall", "precision")] == [0, 1, 1, 1, 1]


def test_probabilities_are_the_shares_of_the_classes():
    guess = constant_guess("classification", RARE)
    rows = read_outcomes("classification", ~RARE, Predictions(RARE))
    said = guess.outcomes("log_loss", rows)
    assert said.probabilities is not None
    assert said.probabilities[0].tolist() == pytest.approx([1 - RARE.mean(), RARE.mean()])
    assert values(["roc_auc"], said)["roc_auc"] == 0.5


def test_a_target_that_has_no_logarithm_is_guessed_by_its_mean():
    guess = constant_guess("regression", np.array([-3.0, 1.0, 5.0]))
    assert guess.answer("root_mean_squared_log_error") == 1
