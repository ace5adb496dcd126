import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from mlops_assets.comparison.delong import delong_of_outcomes
from mlops_assets.metrics.blocks import Blocks, fill_blocks
from mlops_assets.metrics.bootstrap import Bootstrap
from mlops_assets.metrics.estimate import Estimate, estimate
from mlops_assets.metrics.losses import blocked_median, weighted_median
from mlops_assets.metrics.outcomes import Outcomes, Predictions, read_outcomes
from mlops_assets.metrics.scoring import applicable, statistic, values

LARGE = 300_000
SMALL = LARGE // 8
"""Rows of the ordinary run: with as many blocks and resamples, intervals are known as well from an eighth of them."""


def classified(rows: int, seed: int = 0, classes: int = 2, positive_share: float = 0.5) -> Outcomes:
    rng = np.random.default_rng(seed)
    others = [(1 - positive_share) / (classes - 1)] * (classes - 1)
    truth = rng.choice(classes, rows, p=[*others, positive_share])
    scores = np.exp(rng.normal(size=(rows, classes)) + 1.5 * np.eye(classes)[truth])
    probabilities = scores / scores.sum(axis=1, keepdims=True)
    given = Predictions(probabilities.argmax(axis=1), probabilities, tuple(range(classes)))
    return read_outcomes("classification", truth, given, classes=range(classes))


def regressed(rows: int, seed: int = 0) -> Outcomes:
    rng = np.random.default_rng(seed)
    truth = rng.gamma(2.0, 10.0, rows) + 1
    return read_outcomes("regression", truth, Predictions(truth * rng.normal(1, 0.05, rows)))


def width(estimated: Estimate) -> float:
    assert estimated.interval is not None
    return estimated.interval[1] - estimated.interval[0]


def by_block(outcomes: Outcomes, blocks: Blocks, weights: np.ndarray) -> dict[str, np.ndarray]:
    return statistic(applicable(outcomes), outcomes, blocks)(weights)


@pytest.mark.parametrize(
    "outcomes", [classified(3_000), classified(3_000, classes=3), regressed(3_000)], ids=["two", "three", "regression"]
)
@pytest.mark.parametrize("grouped", [False, True])
def test_metrics_of_drawn_blocks_are_those_of_their_rows(outcomes: Outcomes, grouped: bool) -> None:
    groups = np.random.default_rng(5).integers(0, 700, 3_000) if grouped else None
    blocks = fill_blocks(3_000, groups, Bootstrap(blocks=250))
    weights = blocks.atoms.draw(40, np.random.default_rng(1))
    rows = statistic(applicable(outcomes), outcomes)(weights.take(blocks.of_row, axis=1))
    for name, estimated in by_block(outcomes, blocks, weights).items():
        np.testing.assert_allclose(estimated, rows[name], rtol=1e-12, err_msg=name)


def test_scores_in_fewer_bins_than_there_are_give_the_metrics_of_the_rows_to_a_hundredth_of_their_spread() -> None:
    outcomes = classified(60_000, positive_share=0.02)
    blocks = fill_blocks(60_000, None, Bootstrap())
    weights = blocks.atoms.draw(20, np.random.default_rng(1))
    rows = statistic(["roc_auc", "average_precision"], outcomes)(weights.take(blocks.of_row, axis=1))
    for name, exact in rows.items():
        assert np.abs(by_block(outcomes, blocks, weights)[name] - exact).max() < exact.std() / 100


def test_blocks_are_of_equal_size_and_hold_whole_groups() -> None:
    alone = fill_blocks(10_050, None, Bootstrap(blocks=100))
    assert set(alone.sizes.tolist()) == {100, 101}
    groups = np.arange(9_000) // 9
    together = fill_blocks(9_000, groups, Bootstrap(blocks=100))
    assert set(together.sizes.tolist()) == {90}
    assert all(len(set(together.of_row[groups == group])) == 1 for group in range(0, 1_000, 50))
    assert fill_blocks(9_000, groups // 100, Bootstrap(blocks=100)).count == 10


def test_a_median_in_blocks_that_differ_is_found_however_far_it_lies() -> None:
    groups = np.repeat(np.arange(40), 50)
    values = groups + np.random.default_rng(2).random(2_000)
    blocks = fill_blocks(2_000, groups, Bootstrap())
    weights = blocks.atoms.draw(500, np.random.default_rng(3))
    estimated = blocked_median(values, blocks)(weights)
    rows = weighted_median(values)(weights.take(blocks.of_row, axis=1))
    assert np.ptp(rows) > 10
    assert (estimated == rows).all()


def test_blocks_are_drawn_only_above_the_rows_that_are_told_apart_and_the_note_says_so() -> None:
    outcomes = classified(1_000)
    few, many = (
        estimate(applicable(outcomes), outcomes, bootstrap=Bootstrap(300, most_rows=n, blocks=b))
        for n, b in ((1_000, 1_000), (999, 100))
    )
    assert few == estimate(applicable(outcomes), outcomes, bootstrap=Bootstrap(300))
    assert not any(each.note for each in few.values())
    assert many["f1_macro"] == few["f1_macro"], "four atoms are drawn as ever"
    assert many["average_precision"].note == "drawn as 100 random blocks of rows, as there are 1,000 different rows"
    assert many["log_loss"].note == "drawn as 100 random blocks of rows"
    assert {name: each.value for name, each in many.items()} == {name: each.value for name, each in few.items()}


def test_groups_in_blocks_give_the_interval_of_groups() -> None:
    outcomes, groups = classified(400), np.repeat(np.arange(400), 10)
    repeated = outcomes.take(groups)
    names = ["f1_macro", "roc_auc", "log_loss"]
    exact = estimate(names, repeated, groups, Bootstrap(4_000))
    blocked = estimate(names, repeated, groups, Bootstrap(4_000, most_rows=100, blocks=200))
    single = estimate(names, repeated, groups, Bootstrap(4_000, most_rows=100))
    assert "200 random blocks of groups" in blocked["f1_macro"].note
    # 200 blocks know the spread to 5 %.
    for name in names:
        assert width(blocked[name]) == pytest.approx(width(exact[name]), rel=0.15)
        assert width(single[name]) == pytest.approx(width(exact[name]), rel=0.06)
        assert single[name].note == "", "each group is a block"


def test_classes_that_scores_keep_apart_stay_apart_in_bins() -> None:
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 2, 30_000)
    scores = (truth + rng.random(30_000)) / 2
    given = Predictions(truth, np.column_stack([1 - scores, scores]), (0, 1))
    estimated = estimate(
        ["roc_auc"], read_outcomes("classification", truth, given), bootstrap=Bootstrap(50, most_rows=9)
    )
    assert estimated["roc_auc"].interval is not None
    assert estimated["roc_auc"].interval[1] == 1 > estimated["roc_auc"].interval[0] > 0.999
    assert "no error was seen" in estimated["roc_auc"].note


@pytest.mark.parametrize(
    ("runs", "least", "most"), [(100, 0.88, 1.0), pytest.param(300, 0.91, 0.98, marks=pytest.mark.soak("rates"))]
)
@pytest.mark.parametrize("name", ["average_precision", "median_absolute_error", "mean_absolute_error"])
def test_intervals_from_blocks_cover_the_truth_as_often_as_they_say(
    name: str, runs: int, least: float, most: float, record_property: Callable[[str, object], None]
) -> None:
    make = classified if name == "average_precision" else regressed
    truth = values([name], make(1_000_000, 99))[name]
    assert truth is not None
    covered = 0
    for run in range(runs):
        estimated = estimate([name], make(1_500, run), bootstrap=Bootstrap(300, 0.95, run, most_rows=500, blocks=300))
        low, high = estimated[name].interval or (1, 0)
        covered += low <= truth <= high
    record_property("covered", f"{covered / runs:.3f}")
    assert least <= covered / runs <= most


@pytest.mark.parametrize("rows", [SMALL, pytest.param(LARGE, marks=pytest.mark.soak("rates"))])
@pytest.mark.parametrize("make", [classified, regressed])
def test_intervals_of_many_rows_are_as_wide_as_those_from_single_rows(
    make: Callable[[int], Outcomes], rows: int
) -> None:
    outcomes = make(rows)
    names = [name for name in applicable(outcomes) if name in ("average_precision", "f1_macro")]
    names = names[1:] or ["median_absolute_error", "mean_absolute_error_relative"]
    single = estimate(names, outcomes, bootstrap=Bootstrap(400, 0.8, most_rows=LARGE))
    blocks = estimate(names, outcomes, bootstrap=Bootstrap(4_000, 0.8, seed=1, most_rows=rows * 2 // 3))
    for name in names:
        assert blocks[name].value == single[name].value
        assert "10,000 random blocks" in blocks[name].note
        # 400 resamples know the width to 5 %.
        assert width(blocks[name]) == pytest.approx(width(single[name]), rel=0.15)


@pytest.mark.parametrize(
    ("rows", "resamples", "tolerance"),
    [(SMALL, 4_000, 0.05), pytest.param(LARGE, 20_000, 0.03, marks=pytest.mark.soak("rates"))],
)
def test_intervals_of_many_rows_have_the_width_that_theory_gives(rows: int, resamples: int, tolerance: float) -> None:
    bootstrap = Bootstrap(resamples, 0.9, 3, most_rows=rows * 2 // 3)
    outcomes, numbers = classified(rows), regressed(rows)
    estimated = estimate(["roc_auc", "log_loss"], outcomes, bootstrap=bootstrap)
    estimated |= estimate(["mean_absolute_error"], numbers, bootstrap=bootstrap)
    assert outcomes.probabilities is not None
    constant = Outcomes("classification", outcomes.truth, outcomes.predicted, np.full((rows, 2), 0.5), (0, 1), 1)
    losses = -np.log(outcomes.probabilities[np.arange(rows), outcomes.truth])
    errors = {
        "roc_auc": delong_of_outcomes(outcomes, constant, 0.9).standard_error,
        "log_loss": losses.std() / rows**0.5,
        "mean_absolute_error": np.abs(numbers.truth - numbers.predicted).std() / rows**0.5,
    }
    for name, error in errors.items():
        assert width(estimated[name]) == pytest.approx(2 * 1.6449 * error, rel=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("make", [classified, regressed])
def test_two_thousand_resamples_of_a_million_rows_take_seconds(make: Callable[[int], Outcomes]) -> None:
    outcomes = make(1_000_000)
    tracemalloc.start()
    started = time.process_time()
    estimated = estimate(applicable(outcomes), outcomes)
    # Processor time of all threads, about 3 s here when nothing else runs: the bound is for a busy machine.
    assert time.process_time() - started < 15
    assert tracemalloc.get_traced_memory()[1] < 500e6
    tracemalloc.stop()
    assert all(each.interval is not None for each in estimated.values())
