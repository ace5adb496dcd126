"""Intervals hold the truth as often as they say, where rows are few, rare or dependent, and say so where they do not.

Bounds are those of the benchmark ``covering``, with three standard errors of the number of tables drawn here.
"""

from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.covering import ONE_SIDED, SETTINGS, TWO_SIDED, Setting, coverage, ranked, right_at
from mlops_assets.evaluation.gate_evidence import Evidence
from mlops_assets.evaluation.gates import judge
from mlops_assets.evaluation.spec import GateSpec
from mlops_assets.metrics.bootstrap import Bootstrap
from mlops_assets.metrics.estimate import estimate
from mlops_assets.metrics.outcomes import Predictions, read_outcomes
from mlops_assets.metrics.placements import place

TABLES = 300
CORNERS = {
    ("accuracy", "200 rows, 98 % right"),
    ("accuracy", "20 groups of 10, half of the spread between them"),
    ("recall", "9 positives of 300"),
    ("balanced_accuracy", "9 positives of 300"),
    ("roc_auc", "9 positives of 300, area 0.9"),
    ("roc_auc", "50 positives of 550, area 0.99"),
    ("r2", "100 rows, normal errors"),
    ("mean_absolute_error", "2,000 rows in time, of which each follows by 0.8"),
}


def three_errors(rate: float, tables: int) -> float:
    return 3 * (rate * (1 - rate) / tables) ** 0.5


def of_settings(chosen: Callable[[Setting], bool], *marks: pytest.MarkDecorator) -> list[object]:
    return [
        pytest.param(setting, id=f"{setting.metric}-{setting.what}", marks=marks)
        for setting in SETTINGS
        if chosen(setting)
    ]


@pytest.mark.parametrize("setting", of_settings(lambda each: (each.metric, each.what) in CORNERS))
def test_the_corners_hold(setting: Setting) -> None:
    seen = coverage(setting, TABLES)
    assert seen.trials == TABLES
    assert seen.covered >= TWO_SIDED - three_errors(TWO_SIDED, TABLES)
    assert seen.worse_side <= ONE_SIDED + three_errors(ONE_SIDED, TABLES)


@pytest.mark.parametrize("setting", of_settings(lambda each: each.holds, pytest.mark.soak("rates")))
def test_every_setting_holds(setting: Setting, record_property: Callable[[str, object], None]) -> None:
    seen = coverage(setting, 2_000)
    record_property("covered", f"{seen.covered:.3f}")
    record_property("missed at the worse end", f"{seen.worse_side:.3f}")
    assert seen.covered >= TWO_SIDED - three_errors(TWO_SIDED, 2_000)
    assert seen.worse_side <= ONE_SIDED + three_errors(ONE_SIDED, 2_000)


@pytest.mark.parametrize("groups", [5, 8])
def test_few_groups_are_said_to_miss_more_often(groups: int) -> None:
    setting = next(each for each in SETTINGS if each.what.startswith(f"{groups} groups"))
    seen = coverage(setting, TABLES)
    assert seen.covered >= 0.9 - three_errors(0.9, TABLES), "as often as stated, twice over"
    assert seen.noted == 1


def test_heavy_tails_are_said_to_miss_more_often() -> None:
    rng = np.random.default_rng(7)
    errors = {"heavy": rng.standard_t(1.5, 200), "normal": rng.normal(size=200)}
    notes = {
        name: estimate(["root_mean_squared_error"], read_outcomes("regression", each, Predictions(np.zeros(200))))
        for name, each in errors.items()
    }
    heavy, normal = (notes[name]["root_mean_squared_error"].note for name in ("heavy", "normal"))
    assert heavy.startswith("heavy tails: one row or group makes ")
    assert heavy.endswith("such intervals miss two or three times as often as stated")
    assert normal == ""


@pytest.mark.parametrize(("rows", "bound"), [(100, 0.95), (50, 0.9), (200, 0.98)])
def test_a_model_exactly_at_the_bound_passes_by_its_interval_no_more_often_than_stated(rows: int, bound: float) -> None:
    gate = GateSpec.model_validate({"metric": "accuracy", "at_least": bound, "judged_on": "interval"})
    draw, passed = right_at(bound, rows), 0
    for table in range(1_000):
        outcomes, _ = draw(np.random.default_rng(table))
        passed += judge(gate, Evidence("classification", outcomes, {}, bootstrap=Bootstrap(200))).outcome == "passed"
    assert passed / 1_000 <= 0.025 + three_errors(0.025, 1_000)


@pytest.mark.parametrize(("positives", "high"), [(9, 0.336), (20, 0.168), (30, 0.116)])
def test_where_nothing_was_right_the_upper_end_is_exact(positives: int, high: float) -> None:
    truth = np.repeat([1, 0], [positives, 300 - positives])
    outcomes = read_outcomes("classification", truth, Predictions(np.zeros(300, dtype=int)), classes=(0, 1))
    assert estimate(["recall"], outcomes)["recall"].interval == (0.0, pytest.approx(high, abs=0.001))
    wrong = read_outcomes("classification", truth, Predictions(1 - truth))
    estimated = estimate(["f1", "f1_macro", "balanced_accuracy", "matthews_corrcoef", "accuracy"], wrong)
    for name, each in estimated.items():
        least = -1.0 if name == "matthews_corrcoef" else 0.0
        assert each.interval is not None
        assert each.value == each.interval[0] == least < each.interval[1] < least + 0.7


def test_the_interval_of_an_area_is_delongs_where_rows_are_many() -> None:
    """Of 1,000 rows of either class: the logit turned back is the plain interval but for its lean."""
    outcomes, _ = ranked(1_000, 1_000, 0.8)(np.random.default_rng(1))
    low, high = estimate(["roc_auc"], outcomes, bootstrap=Bootstrap(confidence=0.95))["roc_auc"].interval or (0, 0)
    assert outcomes.probabilities is not None
    placements = place(outcomes.probabilities[:, 1], outcomes.truth == 1)
    half = 1.96 * placements.variance**0.5
    assert (low, high) == pytest.approx((placements.area - half, placements.area + half), abs=0.001)
