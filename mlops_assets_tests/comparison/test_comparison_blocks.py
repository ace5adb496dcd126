"""Of many rows, comparisons draw random blocks as metrics do: the same interval, in time that hardly grows."""

from dataclasses import replace

import numpy as np
import pytest

from mlops_assets.comparison.cost import CostSpec
from mlops_assets.comparison.pair import Pair
from mlops_assets.metrics.bootstrap import Bootstrap
from mlops_assets.metrics.outcomes import Predictions, read_outcomes

ROWS = 12_000
ALL = Bootstrap(resamples=2000)
BLOCKS = replace(ALL, most_rows=5_000, blocks=2_000)


def numbers() -> Pair:
    rng = np.random.default_rng(1)
    truth = np.exp(rng.normal(size=ROWS))
    said = (Predictions(truth + rng.normal(0, spread, ROWS)) for spread in (0.98, 1))
    ours, theirs = (read_outcomes("regression", truth, each) for each in said)
    return Pair(ours, theirs)


def labels() -> Pair:
    rng = np.random.default_rng(2)
    truth = (rng.uniform(size=ROWS) < 0.3).astype(int)
    score = [np.clip(0.3 * truth + rng.normal(0.4, spread, ROWS), 0, 1) for spread in (0.24, 0.25)]
    said = (Predictions((s > 0.5).astype(int), np.column_stack([1 - s, s]), (0, 1)) for s in score)
    ours, theirs = (read_outcomes("classification", truth, each) for each in said)
    return Pair(ours, theirs)


@pytest.mark.parametrize("metric", ["mean_absolute_error", "r2", "median_absolute_error"])
@pytest.mark.parametrize("grouped", [False, True])
def test_blocks_give_the_interval_that_all_rows_give(metric: str, grouped: bool):
    pair = replace(numbers(), groups=np.arange(ROWS) // 3 if grouped else None)
    whole, drawn = (replace(pair, bootstrap=bootstrap).compare(metric) for bootstrap in (ALL, BLOCKS))
    assert drawn.difference == whole.difference
    width = whole.interval[1] - whole.interval[0]
    assert np.allclose(drawn.interval, whole.interval, atol=0.12 * width)
    assert (whole.note, drawn.note) == ("", f"drawn as 2,000 random blocks of {'groups' if grouped else 'rows'}")


@pytest.mark.parametrize("metric", ["log_loss", "average_precision"])
def test_blocks_give_it_for_probabilities_too(metric: str):
    whole, drawn = (replace(labels(), bootstrap=bootstrap).compare(metric) for bootstrap in (ALL, BLOCKS))
    width = whole.interval[1] - whole.interval[0]
    assert np.allclose(drawn.interval, whole.interval, atol=0.12 * width)
    assert "random blocks" in drawn.note


def test_blocks_give_the_interval_of_a_cost():
    pair = replace(labels(), groups=np.arange(ROWS))  # every row is a group, so that rows of one answer stay apart
    cost = CostSpec(false_positive=1, false_negative=3)
    whole, drawn = (replace(pair, bootstrap=bootstrap).compare_cost(cost) for bootstrap in (ALL, BLOCKS))
    width = whole.interval[1] - whole.interval[0]
    assert np.allclose(drawn.interval, whole.interval, atol=0.12 * width)
    assert "random blocks" in drawn.note
