from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.evaluation.diagnoses import fairness
from mlops_assets.evaluation.diagnoses.disparities import Counts, Disparity, disparities, group_rows
from mlops_assets.evaluation.diagnoses.fairness import FairnessSpec, examine
from mlops_assets.evaluation.diagnoses.group_errors import ErrorRow
from mlops_assets.evaluation.diagnosis import Diagnosis, Subject
from mlops_assets.features.version import FeatureColumn
from mlops_assets.metrics.bootstrap import Bootstrap
from mlops_assets.metrics.outcomes import Predictions
from mlops_assets_tests.evaluation.conftest import Case

FAST = Bootstrap(resamples=400)
CLASSIFIED, REGRESSED = (fairness.INFO.for_task(task).measures for task in ("classification", "regression"))
DPD, EOD, EO, DPR = CLASSIFIED


def measured(
    truth: np.ndarray, selected: np.ndarray, *columns: Any, groups: Any = None, seed: int = 0
) -> dict[str, Disparity]:
    groupings = [group_rows(f"c{index}", values, min_group=1) for index, values in enumerate(columns)]
    counts = Counts(groupings, truth.astype(bool), selected.astype(bool))
    return {one.name: one for one in disparities(counts, groups, Bootstrap(400, 0.95, seed))}


def interval_of(found: Disparity) -> tuple[float, float]:
    assert found.interval is not None
    return found.interval


def test_fairlearn_toy_values():
    # Ten copies of fairlearn's eight rows: the rates are the same, and every class is large enough.
    truth, selected = np.tile([1, 1, 0, 0, 1, 1, 0, 0], 10), np.tile([1, 0, 1, 0, 1, 1, 0, 0], 10)
    found = measured(truth, selected, list("aaaabbbb") * 10)
    assert (found[DPD].value, found[EOD].value, found[DPR].value) == (0, 0.5, 1)
    assert found[EO].value == 0.5


@pytest.fixture(scope="module")
def taiwan(shared_data: Path) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Test part (30 %, stratified, seed 0) of UCI's Taiwan default, predicted by HistGradientBoosting."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import train_test_split

    rows = pd.read_csv(shared_data / "credit_uci_default" / "UCI_Credit_Card.csv")
    truth, inputs = rows.iloc[:, -1].to_numpy(), rows.iloc[:, :-1].drop(columns="ID")
    train, test = train_test_split(np.arange(len(rows)), test_size=0.3, random_state=0, stratify=truth)
    model = HistGradientBoostingClassifier(random_state=0).fit(inputs.iloc[train], truth[train])
    return truth[test], np.asarray(model.predict(inputs.iloc[test])), inputs.iloc[test]


def test_fairlearn_values_on_taiwan_default(taiwan: tuple[np.ndarray, np.ndarray, pd.DataFrame]):
    truth, selected, rows = taiwan
    counts = Counts([group_rows("SEX", rows["SEX"])], truth == 1, selected == 1)
    rates = counts.hit[0] / counts.of[0]
    assert rates == pytest.approx(np.array([[0.1239, 0.1123], [0.3483, 0.3669], [0.0515, 0.0463]]), abs=5e-5)
    found = {one.name: one for one in disparities(counts, None, FAST)}
    assert found[DPD].value == pytest.approx(0.0117, abs=5e-5)
    assert found[EOD].value == pytest.approx(0.0186, abs=5e-5)
    assert found[DPR].value == pytest.approx(0.906, abs=5e-4)
    low, high = interval_of(found[DPD])
    assert low == 0
    # The ordinary interval of a difference of two proportions: 0.0117 ± 1.96 · 0.0069.
    assert high == pytest.approx(0.0253, abs=0.001)


@pytest.mark.parametrize(("groups", "rows", "rate"), [(2, 300, 0.3), (2, 200, 0.05), (5, 600, 0.3)])
def test_a_true_gap_of_zero_is_seldom_told_from_zero(groups: int, rows: int, rate: float):
    rng, trials = np.random.default_rng(2), 150
    fired = dict.fromkeys(CLASSIFIED, 0)
    for trial in range(trials):
        column = rng.choice(groups, rows, p=np.arange(1, groups + 1) / np.arange(1, groups + 1).sum())
        found = measured(rng.random(rows) < 0.4, rng.random(rows) < rate, column, seed=trial)
        for name, one in found.items():
            if one.interval is not None:
                fired[name] += one.interval[1] < 1 if name == DPR else one.interval[0] > 0
    # 0.05 and three standard errors of 150 trials.
    assert max(fired.values()) / trials <= 0.05 + 3 * (0.05 * 0.95 / trials) ** 0.5


def test_a_true_gap_is_told_from_zero_and_held():
    rng, held, fired, trials = np.random.default_rng(3), 0, 0, 150
    for trial in range(trials):
        column = np.arange(600) % 2
        selected = rng.random(600) < np.where(column == 1, 0.5, 0.3)
        interval = measured(rng.random(600) < 0.5, selected, column, seed=trial)[DPD].interval
        assert interval is not None
        held, fired = held + (interval[0] <= 0.2 <= interval[1]), fired + (interval[0] > 0)
    assert held / trials >= 0.95 - 3 * (0.05 * 0.95 / trials) ** 0.5
    assert fired / trials > 0.95


def test_groups_of_rows_are_drawn_together():
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(60), 10)
    column, selected = person % 2, np.repeat(rng.random(60) < 0.4, 10)
    truth = rng.random(600) < 0.5
    alone, together = (measured(truth, selected, column, groups=groups)[DPD].interval for groups in (None, person))
    assert alone is not None and together is not None
    assert together[1] > alone[1] + 0.1


def test_no_selected_row_in_a_small_group_does_not_prove_a_gap():
    column = np.r_[np.zeros(30), np.ones(1000)]
    selected = np.r_[np.zeros(30), np.arange(1000) % 20 == 0]
    found = measured(np.ones(1030), selected, column)
    assert found[DPD].value == pytest.approx(0.05)
    assert interval_of(found[DPD])[0] == 0
    assert found[DPR].value == 0
    assert interval_of(found[DPR])[1] == 1


def test_the_worst_column_counts():
    truth, mild, strong = np.ones(80), np.arange(80) % 2, np.arange(80) // 40
    selected = strong.astype(float)
    found = measured(truth, selected, mild, strong)
    assert (found[DPD].value, found[DPD].column) == (1, "c1")
    assert (found[DPR].value, found[DPR].column) == (0, "c1")


def test_small_groups_are_named_and_left_out():
    grouping = group_rows("place", ["a"] * 30 + ["b"] * 29 + [None] * 31, min_group=30)
    assert grouping.labels == ["a", "missing"]
    assert grouping.left_out == ["b (29 rows)"]
    assert grouping.codes.tolist() == [0] * 30 + [-1] * 29 + [1] * 31


def test_rates_without_rows_are_not_evaluated():
    column, half = np.arange(80) % 2, np.arange(80) < 40
    nobody = measured(half, np.zeros(80), column)
    assert (nobody[DPD].value, nobody[DPR].value) == (0, None)
    assert nobody[DPR].note == "no row of these groups is selected"
    no_positive = measured(np.zeros(80), half, column)
    assert no_positive[EO].value is None and no_positive[EOD].value is None
    assert "5 rows of the positive class" in no_positive[EO].note
    assert no_positive[DPD].value == 0


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(2, 4))
def test_values_lie_in_their_intervals_and_follow_no_name_or_order(seed: int, groups: int):
    rng = np.random.default_rng(seed)
    truth, selected, column = rng.random(200) < 0.5, rng.random(200) < 0.4, rng.integers(0, groups, 200)
    found = measured(truth, selected, column)
    for one in found.values():
        assert one.value is not None and one.interval is not None
        assert 0 <= one.interval[0] <= one.value <= one.interval[1] <= 1
    order = rng.permutation(200)
    other = measured(truth[order], selected[order], (groups - column)[order])
    assert {name: one.value for name, one in other.items()} == pytest.approx(
        {name: one.value for name, one in found.items()}
    )


@pytest.fixture
def two_classes(classification: Case) -> Subject:
    """The shared case with a target and predictions of two classes."""
    rows = classification.rows.assign(goal=np.where(classification.rows["length"] > 0, "yes", "no"))
    rows["sex"] = np.where(np.arange(len(rows)) % 2, "f", "m")
    features = classification.features.model_copy(
        update={
            "classes": ["no", "yes"],
            "columns": [*classification.features.columns, FeatureColumn(name="sex", kind="categorical")],
        }
    )
    predicted = Predictions(np.where(rows["width"] > 0, "yes", "no").astype(object), None, ("no", "yes"))
    return Subject(classification.spec, features, None, rows, rows.iloc[:0], predicted, FAST)


def test_protected_columns_are_features_or_travel_beside_them(two_classes: Subject):
    found = examine(two_classes, FairnessSpec(protected=["region", "sex", "absent"]))
    assert [measure.name for measure in found.measures] == list(CLASSIFIED)
    assert {row[0] for row in found.tables[0].rows} == {"region", "sex"}
    assert "absent is not compared: the rows carry no column absent." in found.notes
    assert "Selected means predicted as 'yes'." in found.notes
    selected = two_classes.predictions.values == "yes"
    for column, group, rows, rate, *_ in found.tables[0].rows:
        mask = two_classes.test[f"@{column}" if column == "region" else column] == group
        assert (rows, rate) == (mask.sum(), pytest.approx(selected[mask].mean()))


def test_groups_below_the_minimum_leave_nothing_to_compare(two_classes: Subject):
    found = examine(two_classes, FairnessSpec(protected=["region"], min_group=100))
    assert {measure.value for measure in found.measures} == {None}
    assert "Column region: too small and left out: south (45 rows)." in found.notes


@pytest.mark.parametrize(
    ("protected", "why"),
    [([], "no protected column is declared"), (["absent"], "the rows carry no column absent")],
)
def test_without_columns_nothing_is_evaluated(two_classes: Subject, protected: list[str | list[str]], why: str):
    found = examine(two_classes, FairnessSpec(protected=protected))
    assert {(measure.value, measure.note) for measure in found.measures} == {(None, why)}


def test_of_three_classes_the_worst_counts(classification: Case):
    rows = classification.rows
    case = Subject(classification.spec, classification.features, None, rows, rows, classification.predictions, FAST)
    found = examine(case, FairnessSpec(protected=["region"]))
    assert [measure.name for measure in found.measures] == list(CLASSIFIED)
    truth, predicted = case.outcomes.truth, case.outcomes.predicted
    gaps = {}
    for index, label in enumerate(case.outcomes.classes):
        counts = Counts([group_rows("region", rows["@region"])], truth == index, predicted == index)
        gaps[label] = {each.name: each.value for each in disparities(counts, None, FAST)}
    worst = max(gaps, key=lambda label: gaps[label][DPD] or 0)
    measure = next(each for each in found.measures if each.name == DPD)
    assert measure.value == gaps[worst][DPD]
    assert measure.note.endswith(f"in column region of class {worst!r}")
    assert measure.interval is not None
    assert measure.value is not None
    assert measure.interval[0] <= measure.value <= measure.interval[1]
    assert "Each class is compared with the rest; the worst class counts." in found.notes


def test_crossed_columns_are_compared_group_by_group(two_classes: Subject):
    """Each of two columns alone shows nothing, both together show everything."""
    rows = two_classes.test.copy()
    first, second = np.arange(len(rows)) % 2, np.arange(len(rows)) // 2 % 2
    rows["@a"], rows["@b"] = np.where(first, "x", "y"), np.where(second, "p", "q")
    favoured = np.where(first == second, "yes", "no").astype(object)
    subject = replace(two_classes, test=rows, predictions=Predictions(favoured, None, ("no", "yes")))
    alone = examine(subject, FairnessSpec(protected=["a", "b"], min_group=10)).measures[0]
    crossed = examine(subject, FairnessSpec(protected=["a", "b", ["a", "b"]], min_group=10))
    assert (alone.value, crossed.measures[0].value) == (pytest.approx(0, abs=0.05), 1)
    assert "in column a × b" in crossed.measures[0].note
    assert {row[1] for row in crossed.tables[0].rows if row[0] == "a × b"} == {"x × p", "x × q", "y × p", "y × q"}


def test_a_number_of_many_values_is_cut_into_quarters(two_classes: Subject):
    rows = two_classes.test.assign(**{"@age": np.linspace(20, 60, len(two_classes.test))})
    rows.loc[rows.index[:3], "@age"] = np.nan
    found = examine(replace(two_classes, test=rows), FairnessSpec(protected=["age"], min_group=5))
    assert len({row[1] for row in found.tables[0].rows}) == 4
    assert "Column age: too small and left out: missing (3 rows)." in found.notes


def off_by(regression: Case, shift: float, scale: float) -> Diagnosis:
    """Errors that are normal; in one half of the rows moved by ``shift`` and ``scale`` times as large."""
    rng = np.random.default_rng(0)
    rows = pd.concat([regression.rows] * 10, ignore_index=True)
    half = np.arange(len(rows)) % 2 == 1
    rows["@sex"] = np.where(half, "f", "m")
    target = rows[regression.features.target].to_numpy(dtype=float)
    errors = rng.normal(size=len(rows)) * np.where(half, scale, 1.0) + np.where(half, shift, 0.0)
    subject = Subject(
        regression.spec, regression.features, None, rows, rows.iloc[:0], Predictions(target + errors), FAST
    )
    return examine(subject, FairnessSpec(protected=["sex"]))


def test_errors_of_a_regression_are_compared_between_groups(regression: Case):
    found = off_by(regression, 2.0, 3.0)
    measures = {each.name: each for each in found.measures}
    assert list(measures) == list(REGRESSED)
    lines = found.rows(ErrorRow)
    assert {line.group for line in lines} == {"f", "m"}
    means = {line.group: line for line in lines}
    spread = float(np.std(pd.concat([regression.rows] * 10)[regression.features.target]))
    gap, ratio = measures["mean_error_difference"], measures["absolute_error_ratio"]
    assert gap.value == pytest.approx(abs(means["f"].mean_error - means["m"].mean_error) / spread)
    assert ratio.value == pytest.approx(means["f"].absolute / means["m"].absolute)
    assert gap.interval and gap.interval[0] > 0
    assert ratio.interval and ratio.interval[0] > 1
    assert measures["coverage_difference"].value is None, "the model has no intervals"
    assert "no intervals" in measures["coverage_difference"].note


def test_equal_errors_are_not_told_apart(regression: Case):
    measures = {each.name: each for each in off_by(regression, 0.0, 1.0).measures}
    gap, ratio = measures["mean_error_difference"], measures["absolute_error_ratio"]
    assert gap.interval and gap.interval[0] == 0
    assert ratio.interval and ratio.interval[0] == 1


def test_a_protected_column_is_always_mentioned(regression: Case):
    found = examine(
        Subject(regression.spec, regression.features, None, regression.rows, regression.rows, regression.predictions),
        FairnessSpec(protected=["nowhere"]),
    )
    assert found.headline == "Not evaluated: the rows carry no column nowhere."
