from dataclasses import replace
from math import comb
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.evaluation.diagnoses import slices
from mlops_assets.evaluation.diagnoses.slice_gaps import Gap, Slice, measure_gap, ranked
from mlops_assets.evaluation.diagnoses.slice_search import Halves, declared_slices, discovered_slices, halves
from mlops_assets.evaluation.diagnoses.slices import examine, row_losses
from mlops_assets.evaluation.diagnosis import Diagnosis, Subject
from mlops_assets.metrics.outcomes import Outcomes
from mlops_assets_tests.evaluation.conftest import Case


def subject_of(case: Case, **columns: Any) -> Subject:
    rows = case.rows.assign(**columns)
    return Subject(case.spec, case.features, case.pipeline, rows, rows.iloc[:0], case.predictions)


def value_of(found: Diagnosis, name: str) -> float | None:
    return next(measure.value for measure in found.measures if measure.name == name)


def gap_of(p: float, rule: str = "r") -> Gap:
    return Gap(rule, "declared", 30, 0.5, 0.5 - p, (-1, 1), p)


def test_losses_are_errors_or_multiples_of_the_mean_error():
    labels = Outcomes("classification", np.array([0, 1, 1]), np.array([0, 0, 1]), classes=("a", "b"))
    numbers = Outcomes("regression", np.array([0.0, 0.0]), np.array([1.0, -3.0]))
    assert row_losses(labels).tolist() == [0, 1, 0]
    assert row_losses(numbers).tolist() == [0.5, 1.5]
    assert row_losses(Outcomes("regression", np.ones(2), np.ones(2))).tolist() == [0, 0]


def test_independent_errors_are_compared_by_newcombe_and_fisher():
    losses = np.r_[np.ones(56), np.zeros(14), np.ones(48), np.zeros(32)]
    found = measure_gap(Slice("s", np.arange(150) < 70), losses)
    # Newcombe (1998), table II, case (a): 56/70 - 48/80, method 10.
    assert found.gap == pytest.approx(0.2)
    assert found.interval == pytest.approx((0.0524, 0.3339), abs=5e-5)
    ways = [comb(104, errors) * comb(46, 70 - errors) for errors in range(24, 71)]
    assert found.p == pytest.approx(sum(ways[56 - 24 :]) / comb(150, 70))


def test_rows_of_one_group_do_not_count_as_independent():
    rng = np.random.default_rng(0)
    losses, units = np.repeat(rng.lognormal(size=40), 10), np.repeat(np.arange(40), 10)
    inside = units < 10
    alone = measure_gap(Slice("s", inside), losses)
    together = measure_gap(Slice("s", inside), losses, units)
    by_unit = measure_gap(Slice("s", inside[::10]), losses[::10])
    assert together.interval == pytest.approx(by_unit.interval, rel=0.05)
    assert together.interval[1] - together.interval[0] > 2.5 * (alone.interval[1] - alone.interval[0])


def test_holm_steps_down():
    found = ranked([gap_of(0.03, "c"), gap_of(0.01, "a"), gap_of(0.02, "b"), gap_of(0.9, "d")])
    assert {gap.rule: gap.adjusted for gap in found} == pytest.approx({"a": 0.04, "b": 0.06, "c": 0.06, "d": 0.9})
    assert [gap.rule for gap in found] == ["d", "c", "b", "a"]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_correction_never_lowers_a_p_value_and_keeps_their_order(ps: list[float]):
    found = sorted(ranked([gap_of(p) for p in ps]), key=lambda gap: gap.p)
    assert all(gap.p <= gap.adjusted <= 1 for gap in found)
    assert [gap.adjusted for gap in found] == sorted(gap.adjusted for gap in found)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.integers(1, 59), st.booleans())
def test_an_interval_holds_its_gap_and_turns_with_its_slice(seed: int, size: int, whole: bool):
    rng = np.random.default_rng(seed)
    losses = rng.integers(0, 2, 60).astype(float) if whole else rng.lognormal(size=60)
    if not whole:
        size = min(max(size, 2), 58)
    inside = rng.permutation(60) < size
    one, other = measure_gap(Slice("s", inside), losses), measure_gap(Slice("t", ~inside), losses)
    assert one.interval[0] <= one.gap <= one.interval[1]
    assert one.gap == pytest.approx(-other.gap)
    assert one.interval == pytest.approx((-other.interval[1], -other.interval[0]))


@pytest.mark.parametrize(
    "share", [0.06, *(pytest.param(share, marks=pytest.mark.soak("rates")) for share in (0.5, 0.94))]
)
@pytest.mark.parametrize("kind", ["errors", "skewed", "grouped"])
def test_equal_slices_are_called_worse_at_most_as_often_as_stated(kind: str, share: float):
    rng, fired, trials = np.random.default_rng(1), 0, 150
    for _ in range(trials):
        losses, units = rng.lognormal(size=500), None
        if kind == "errors":
            losses = (rng.random(500) < 0.15).astype(float)
        if kind == "grouped":
            losses, units = np.repeat(losses[:100], 5), np.repeat(np.arange(100), 5)
        drawn = [rng.permutation(100 if kind == "grouped" else 500) for _ in range(8)]
        masks = [one[units] < share * 100 if units is not None else one < share * 500 for one in drawn]
        gaps = ranked([measure_gap(Slice("s", mask), losses, units) for mask in masks])
        fired += min(gap.adjusted for gap in gaps) <= 0.05
    # 0.05 and three standard errors of 150 trials.
    assert fired / trials <= 0.05 + 3 * (0.05 * 0.95 / trials) ** 0.5


def test_only_large_enough_values_of_listed_columns_are_declared_slices():
    columns = {
        "kind": pd.Series(["a"] * 60 + ["b"] * 31 + ["c"] * 5 + [None] * 40),
        "number": pd.Series(np.arange(136.0)),
        "few": pd.Series([1, 2] * 68),
        "constant": pd.Series(["x"] * 136),
        "copy": pd.Series(["A"] * 60 + ["B"] * 76),
    }
    found = [one.rule for one in declared_slices(columns)]
    assert found == ["kind = 'a'", "kind = 'b'", "kind is missing", "few = 1", "few = 2", "copy = 'B'"]


def test_a_slice_of_few_groups_is_not_examined():
    column, units = pd.Series(["a", "b"] * 100), np.arange(200) % 8
    assert declared_slices({"kind": column}, units) == []
    assert len(declared_slices({"kind": column}, np.arange(200) % 10)) == 2


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.integers(2, 40))
def test_halves_keep_groups_whole(seed: int, groups: int):
    units = np.random.default_rng(seed).integers(0, groups, 200)
    first, second = halves(200, units, seed)
    assert (first ^ second).all()
    assert not set(units[first]) & set(units[second])


def test_a_weak_region_is_discovered_and_measured_on_other_rows():
    rng = np.random.default_rng(3)
    x, y = rng.uniform(size=(2, 2000))
    y[rng.random(2000) < 0.1] = np.nan
    losses = ((x > 0.7) & (rng.random(2000) < 0.6)).astype(float)
    grown, measured = halves(2000, None, 0)
    found = discovered_slices({"x": x, "y": y}, [], losses, Halves(grown, measured))
    worst = max((measure_gap(one, losses[measured]) for one in found), key=lambda gap: gap.gap)
    assert worst.rule.startswith(("x > 0.70", "x > 0.69"))
    assert worst.gap == pytest.approx(0.6, abs=0.1)
    assert all(one.inside.shape == (measured.sum(),) for one in found)
    assert np.sum([one.inside for one in found], axis=0).max() == 1
    # What the measured half holds cannot choose the slices.
    shuffled = np.where(measured, rng.permutation(losses), losses)
    assert [one.rule for one in discovered_slices({"x": x, "y": y}, [], shuffled, Halves(grown, measured))] == [
        one.rule for one in found
    ]


def test_the_rule_of_a_discovered_slice_names_its_rows():
    rng = np.random.default_rng(4)
    x = np.where(rng.random(1000) < 0.3, np.nan, rng.uniform(size=1000))
    kind = Slice("kind = 'a'", rng.random(1000) < 0.4)
    losses = np.where(np.isnan(x) | kind.inside, 1.0, 0.0) + 0.5 * np.nan_to_num(x > 0.5)
    grown, measured = halves(1000, None, 0)
    found = discovered_slices({"x": x}, [kind], losses, Halves(grown, measured))
    assert {"kind = 'a'" in one.rule for one in found} == {True}
    assert sum("or missing" in one.rule for one in found) >= 1
    for one in found:
        expected = np.ones(measured.sum(), dtype=bool)
        for part in one.rule.split(" and "):
            expected &= _matches(part, x[measured], kind.inside[measured])
        assert (expected == one.inside).all(), one.rule


def _matches(part: str, x: np.ndarray, kind: np.ndarray) -> np.ndarray:
    if "kind" in part:
        return ~kind if part.startswith("not") else kind
    bare = part.strip("()").replace(" or missing", "")
    _, sign, bound = bare.split(" ")
    matched = x <= float(bound) if sign == "≤" else x > float(bound)
    return matched | (np.isnan(x) & ("missing" in part))


def test_a_slice_that_fails_is_the_worst_gap(classification: Case):
    subject = subject_of(classification)
    wrong = subject.outcomes.predicted != subject.outcomes.truth
    hostile = "<script>alert(1)</script>"
    at = np.where(wrong | (np.arange(len(wrong)) % 9 == 0), hostile, "b")
    found = examine(subject_of(classification, **{"@place": at}))
    worst = found.measures[0]
    share = wrong[at == hostile].mean()
    assert worst.value is not None and worst.value == pytest.approx(share)
    assert worst.note == f"place = {hostile!r}"
    assert worst.interval is not None and 0 < worst.interval[0] < worst.value < worst.interval[1]
    row = found.tables[0].rows[0]
    assert row[0] == worst.note and row[-1] == "worse"


def test_no_significant_gap_is_zero_with_an_upper_end(classification: Case):
    found = examine(subject_of(classification))
    assert value_of(found, "worst_gap") == 0
    assert value_of(found, "slices_examined") == 2  # region north and south
    interval = found.measures[0].interval
    assert interval is not None and interval[0] == 0 and 0 < interval[1] < 0.4


def test_few_rows_are_not_evaluated(classification: Case):
    rows = classification.rows.head(36)
    few = Subject(
        classification.spec,
        classification.features,
        classification.pipeline,
        rows,
        rows.iloc[:0],
        replace(
            classification.predictions,
            values=classification.predictions.values[:36],
            probabilities=None,
        ),
    )
    found = examine(few)
    assert value_of(found, "worst_gap") is None
    assert found.measures[0].note == "no slice of at least 30 rows and as many others among 36 test rows"
    assert value_of(found, "slices_examined") == 0


def test_regression_is_measured_in_multiples_of_the_mean_error(regression: Case):
    errors = np.abs(regression.rows["goal"].to_numpy() - regression.predictions.values)
    kind = np.where(errors > np.median(errors), "far", "near")
    found = examine(subject_of(regression, **{"@kind": kind}))
    expected = (errors[kind == "far"].mean() - errors[kind == "near"].mean()) / errors.mean()
    gaps = {str(row[0]): row[5] for row in found.tables[0].rows}
    assert gaps["kind = 'far'"] == pytest.approx(expected)
    assert value_of(found, "worst_gap") == max(map(float, filter(None, gaps.values()))) >= expected
    assert {measure.name for measure in found.measures} == set(slices.INFO.measures)


def test_equal_inputs_give_equal_diagnoses(regression: Case):
    assert examine(subject_of(regression)) == examine(subject_of(regression))


def test_the_group_column_is_no_slice(classification: Case):
    grouped = replace(classification, features=classification.features.model_copy(update={"group": "site"}))
    rules = " ".join(str(row[0]) for row in examine(subject_of(grouped)).tables[0].rows)
    assert "region = 'north'" in rules and "site" not in rules
