from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.evaluation.diagnoses.consistency import CALLS, examine
from mlops_assets.evaluation.diagnoses.monotonicity import against, ladder, levels_of, move
from mlops_assets.evaluation.diagnosis import Diagnosis
from mlops_assets.evaluation.diagnosis_catalogue import DIAGNOSES
from mlops_assets_tests.evaluation.subjects import Classifier, Labeller, Regressor, measures, subject_of, values


def rows_of(rows: int = 300, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x, z = rng.uniform(size=(2, rows))
    return pd.DataFrame({"x": x, "z": z, "goal": (x > 0.5).astype(float)})


def table(found: Diagnosis) -> dict[str, dict[str, Any]]:
    shown = found.tables[0]
    return {str(row[0]): dict(zip(shown.columns, row, strict=True)) for row in shown.rows}


RISING = Regressor(lambda rows: rows["x"] - 2 * rows["z"])


class Forgetful(Regressor):
    """Answers some rows otherwise from the second call on."""

    calls = 0

    def predict(self, rows: pd.DataFrame) -> Any:
        self.calls += 1
        found = super().predict(rows)
        found[: 30 * (self.calls > 1)] += 0.001 * self.calls
        return found


def test_levels_are_observed_values() -> None:
    numbers = np.array([3.0, 1, 1, 1, 7, np.nan])
    assert levels_of(numbers).tolist() == [1, 3, 7]
    assert levels_of(np.array([np.nan])).tolist() == []
    many = np.random.default_rng(0).normal(size=1000)
    found = levels_of(many)
    assert len(found) == 21 and set(found) <= set(many) and found[0] == many.min() and found[-1] == many.max()


def test_a_row_climbs_over_the_next_levels() -> None:
    found = ladder(np.array([1.0, 2.5, 4, np.nan]), np.array([1.0, 2, 3, 4]), steps=2)
    none = np.nan
    np.testing.assert_array_equal(found, [[1, 2, 3], [2.5, 3, 4], [4, none, none], [none, none, none]])


@given(numbers=st.lists(st.integers(-50, 50), min_size=1, max_size=80), steps=st.integers(1, 4))
def test_rungs_rise_strictly_and_were_observed(numbers: list[int], steps: int) -> None:
    observed = np.array(numbers, dtype=float)
    rungs = ladder(observed, levels_of(observed), steps)
    assert rungs.shape == (len(numbers), steps + 1) and (rungs[:, 0] == observed).all()
    rises = np.diff(rungs, axis=1)
    assert (rises[~np.isnan(rises)] > 0).all()
    assert set(rungs[~np.isnan(rungs)]) <= set(observed)


@given(rises=st.lists(st.floats(-5, 5), min_size=1, max_size=40).map(np.array))
def test_a_step_goes_against_one_direction_at_most(rises: np.ndarray) -> None:
    falls, climbs = against(rises, "increasing", 0), against(rises, "decreasing", 0)
    assert (falls * climbs == 0).all()
    assert (climbs - falls == rises).all()


def test_declared_directions_that_hold() -> None:
    found = examine(subject_of(RISING, rows_of(), monotone={"x": "increasing", "z": "decreasing"}))
    by_name = measures(found)
    assert set(by_name) == set(DIAGNOSES["consistency"].measures)
    violations = by_name["monotone_violations"]
    assert violations.value == 0 and violations.interval and violations.interval[0] == 0
    # 300 rows, not their 850 steps, are what stands alone; two features are looked at.
    assert violations.interval[1] == pytest.approx(1 - 0.0125 ** (1 / 300), rel=0.03)
    assert by_name["repeat_calls"].value == 0 and by_name["repeat_calls"].rows == 300


def test_a_direction_declared_the_wrong_way_fails_at_every_step() -> None:
    found = examine(subject_of(RISING, rows_of()), {"x": "decreasing", "z": "decreasing"})
    violations = measures(found)["monotone_violations"]
    assert violations.value == 1 and violations.interval and violations.interval[1] == 1
    assert violations.note.endswith("x")
    shown = table(found)
    assert shown["x"]["against"] == 1 and shown["z"]["against"] == 0
    assert shown["x"]["steps"] == pytest.approx(3 * 300, abs=60)


def test_the_share_of_a_dent_is_counted() -> None:
    """x counts but for a dent over a fifth of its range."""
    dented = Regressor(lambda rows: np.where((rows["x"] > 0.4) & (rows["x"] < 0.6), -rows["x"], rows["x"]))
    found = examine(subject_of(dented, rows_of(2000)), {"x": "increasing"})
    violations = measures(found)["monotone_violations"]
    # Of 20 levels, four lie in the dent: about five steps of twenty fall.
    assert violations.value == pytest.approx(0.25, abs=0.06)
    assert violations.interval and violations.value and violations.interval[0] < violations.value
    assert violations.value < violations.interval[1] < violations.value + 0.03
    assert table(found)["x"]["largest step against"] == pytest.approx(0.85, abs=0.06)


def test_flat_steps_and_rounding_keep_the_direction() -> None:
    steps = Regressor(lambda rows: np.floor(rows["x"] * 3) - 1e-9 * rows["x"])
    assert values(examine(subject_of(steps, rows_of()), {"x": "increasing"}))["monotone_violations"] == 0


def test_other_features_stay_and_so_do_the_rows() -> None:
    test = rows_of()
    seen: list[pd.DataFrame] = []

    def rule(rows: pd.DataFrame) -> Any:
        seen.append(rows)
        return rows["x"]

    before = test.copy()
    subject = subject_of(Regressor(rule), test)
    found = move(subject, "x")
    pd.testing.assert_frame_equal(test, before)
    moved = seen[-1]
    assert (moved["z"].to_numpy() == test["z"].loc[moved.index].to_numpy()).all()
    assert set(moved["x"]) <= set(test["x"])
    assert set(found.row) <= set(range(300))


def test_rows_without_a_value_do_not_move() -> None:
    test = rows_of()
    test.loc[::3, "x"] = np.nan
    found = move(subject_of(Regressor(lambda rows: rows["x"].fillna(-9)), test), "x")
    assert len(found.rises) and not set(found.row) & set(range(0, 300, 3))


@pytest.mark.parametrize("kind", [Classifier, Labeller])
@pytest.mark.parametrize("positive", [0, 1])
def test_of_two_classes_the_positive_one_rises(kind: type[Labeller], positive: int) -> None:
    test = rows_of().astype({"goal": int})
    subject = subject_of(kind(lambda rows: rows["x"]), test, positive=positive)
    held, broken = ("increasing", "decreasing") if positive else ("decreasing", "increasing")
    assert values(examine(subject, {"x": held}))["monotone_violations"] == 0
    assert values(examine(subject, {"x": broken}))["monotone_violations"] > 0.02


def test_steps_of_a_group_do_not_stand_alone() -> None:
    waves = Regressor(lambda rows: np.sin(7 * rows["x"]))
    test = rows_of(200)
    copied = test.loc[test.index.repeat(5)].assign(**{"@site": np.repeat(np.arange(200), 5)}).reset_index(drop=True)

    def width(rows: pd.DataFrame, group: str | None) -> float:
        found = measures(examine(subject_of(waves, rows, group=group), {"x": "increasing"}))["monotone_violations"]
        assert found.value == pytest.approx(0.45, abs=0.1) and found.interval
        return found.interval[1] - found.interval[0]

    assert width(copied, "site") == pytest.approx(width(test, None), rel=0.05)
    assert width(copied, None) < width(test, None) / 2


@pytest.mark.parametrize(
    ("test", "monotone", "note"),
    [
        (rows_of(), {}, "no direction is declared"),
        (rows_of(), {"depth": "increasing"}, "there is no feature 'depth'"),
        (rows_of(), {"kind": "increasing"}, "there is no feature 'kind'"),
        (rows_of().assign(x=1.0), {"x": "increasing"}, "x: the feature has one value"),
        (rows_of().assign(x=np.nan), {"z": "decreasing", "x": "increasing"}, "x: the feature is empty in every row"),
        (rows_of().assign(z=np.nan), {"x": "increasing"}, "x: the prediction is not a finite number in"),
        (rows_of(29), {"x": "increasing"}, "29 rows, 30 are needed"),
    ],
)
def test_what_cannot_be_moved_has_no_value(test: pd.DataFrame, monotone: Any, note: str) -> None:
    found = measures(examine(subject_of(RISING, test), monotone))["monotone_violations"]
    assert found.value is None and found.interval is None and note in found.note


def test_texts_and_several_classes_have_no_direction() -> None:
    texts = rows_of().assign(kind="a")
    found = examine(subject_of(RISING, texts, kinds={"kind": "categorical"}), {"kind": "increasing"})
    assert "not a numeric feature" in measures(found)["monotone_violations"].note
    three = Classifier(lambda rows: np.column_stack([rows["x"] / 2, rows["x"] / 2, 1 - rows["x"]]), 3)
    found = examine(subject_of(three, rows_of().astype({"goal": int})), {"x": "increasing"})
    assert "3 classes have no direction" in measures(found)["monotone_violations"].note


def test_a_pipeline_that_refuses_is_no_violation() -> None:
    def rule(rows: pd.DataFrame) -> Any:
        if len(rows) > 300:
            raise ValueError("too many rows")
        return rows["x"]

    found = measures(examine(subject_of(Regressor(rule), rows_of()), {"x": "increasing"}))
    assert found["monotone_violations"].value is None and "too many rows" in found["monotone_violations"].note
    assert found["repeat_calls"].value == 0


def test_a_model_that_changes_its_mind_is_found() -> None:
    found = measures(examine(subject_of(Forgetful(lambda rows: rows["x"]), rows_of())))["repeat_calls"]
    assert found.value == pytest.approx(0.1) and found.note == f"{CALLS} equal calls"
    assert found.interval == pytest.approx((0.0685, 0.1397), abs=0.001)


def test_every_call_counts() -> None:
    """Only the middle one of three differs."""
    answers = iter([0.0, 1.0, 0.0])
    test = rows_of(40)
    found = examine(subject_of(Regressor(lambda rows: np.full(len(rows), next(answers))), test))
    assert values(found)["repeat_calls"] == 1


def test_no_rows_no_answer() -> None:
    assert measures(examine(subject_of(RISING, rows_of().iloc[:0])))["repeat_calls"].note == "there are no test rows"


@pytest.mark.parametrize("constraint", [0, 1])
def test_a_constrained_booster_keeps_the_direction_that_a_free_one_breaks(constraint: int) -> None:
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(0)
    rows = rows_of(600).assign(goal=lambda frame: frame["x"] + rng.normal(size=600))
    model = HistGradientBoostingRegressor(monotonic_cst={"x": constraint}, max_iter=40)
    with threadpool_limits(limits=1, user_api="openmp"):
        model.fit(rows[["x", "z"]], rows["goal"])
    found = values(examine(subject_of(model, rows), {"x": "increasing"}))["monotone_violations"]
    assert found == 0 if constraint else found > 0.1


@given(seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    waves = Regressor(lambda rows: np.sin(7 * rows["x"]) + rows["z"])
    test = rows_of(120)
    shuffled = test.sample(frac=1, random_state=seed)
    found, again = (
        measures(examine(subject_of(waves, rows), {"x": "increasing"}))["monotone_violations"]
        for rows in (test, shuffled)
    )
    assert found.value == again.value and found.interval == pytest.approx(again.interval)
