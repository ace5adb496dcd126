from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.evaluation.diagnoses.invariance import batches
from mlops_assets.evaluation.diagnoses.perturbation import (
    EMPTY,
    UNSEEN,
    extremes,
    reordered,
    spreads,
    with_missing,
    with_noise,
    with_unseen,
)
from mlops_assets.evaluation.diagnoses.robustness import INFO, LEVELS, examine
from mlops_assets.evaluation.diagnoses.robustness_curve import relative_loss
from mlops_assets.evaluation.diagnosis import Diagnosis, Measure, Subject
from mlops_assets.features.version import FeatureColumn, FeaturesVersion, SplitPlan
from mlops_assets.metrics.bootstrap import Bootstrap
from mlops_assets.model.prediction import predict

ROWS = 800
NUMERIC = ["x", "z"]
Rule = Callable[[pd.DataFrame], Any]


class Model:
    """A pipeline that predicts by a rule."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def predict(self, rows: pd.DataFrame) -> Any:
        return np.asarray(self.rule(rows))


class Classifier(Model):
    classes_ = np.array([0, 1])

    def predict(self, rows: pd.DataFrame) -> Any:
        return (super().predict(rows) > 0.5).astype(int)

    def predict_proba(self, rows: pd.DataFrame) -> Any:
        one = super().predict(rows)
        return np.column_stack([1 - one, one])


def linear(rows: pd.DataFrame) -> pd.Series:
    return rows["x"].fillna(0) + 3 * (rows["kind"] == "a")


def by_kind(rows: pd.DataFrame) -> pd.Series:
    return (rows["kind"] == "a") * 3.0


def by_place(rows: pd.DataFrame) -> pd.Series:
    """The first number it comes upon."""
    return rows.select_dtypes("number").iloc[:, 0].fillna(0)


def inputs(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    numbers = {"x": rng.normal(size=rows), "z": rng.normal(5, 2, size=rows)}
    return pd.DataFrame({**numbers, "kind": rng.choice(np.array(["a", "b"], dtype=object), rows)})


def subject(
    model: Model, rows: int = ROWS, metric: str | None = None, columns: tuple[str, ...] = ("x", "z", "kind")
) -> Subject:
    """Rows whose target is ``linear`` with noise, and a model of them."""
    task = "classification" if isinstance(model, Classifier) else "regression"
    test = inputs(rows)
    goal = linear(test) + 0.5 * np.random.default_rng(2).normal(size=rows)
    test["goal"] = (goal > 1).astype(int) if task == "classification" else goal
    kinds = {"x": "float", "z": "float", "kind": "string", "goal": "integer" if task == "classification" else "float"}
    declared = {name: {"type": kind} for name, kind in kinds.items()}
    spec = {"name": "plant", "task": task, "dataset": {"target": "goal", "columns": declared}}
    features = FeaturesVersion(
        system="plant",
        digest="2" * 64,
        dataset_digest="3" * 64,
        dataset_table_version=1,
        table_version=1,
        columns=[FeatureColumn(name=name, kind="numeric" if name in NUMERIC else "categorical") for name in columns],
        target="goal",
        classes=[0, 1] if task == "classification" else None,
        rows={"train": 0, "validation": 0, "test": rows, "excluded": 0},
        plan=SplitPlan(system="plant", digest="6" * 64),
    )
    spec |= {"registry": {"metric": metric}} if metric else {}
    found = predict(model, test.loc[:, features.names])
    return Subject(
        SystemSpec.model_validate(spec), features, model, test, test.iloc[:0], found, Bootstrap(resamples=300)
    )


def measures(found: Diagnosis) -> dict[str, Measure]:
    return {one.name: one for one in found.measures}


def values(found: Diagnosis) -> dict[str, Any]:
    return {one.name: one.value for one in found.measures}


def test_noise_has_the_declared_size_and_leaves_the_rest() -> None:
    before = inputs(4000)
    before.loc[::10, "x"] = np.nan
    scales = spreads(before, NUMERIC) * 0.1
    after = with_noise(before, NUMERIC, scales, np.random.default_rng(0))
    moved = after[NUMERIC] - before[NUMERIC]
    assert moved.std(ddof=0).to_numpy() == pytest.approx(scales, rel=0.05)
    assert scales == pytest.approx([0.1, 0.2], rel=0.05)
    assert (after["x"].isna() == before["x"].isna()).all()
    assert after["kind"].equals(before["kind"])
    twice = with_noise(before, NUMERIC, 2 * scales, np.random.default_rng(0))
    np.testing.assert_allclose(twice[NUMERIC] - before[NUMERIC], 2 * moved)


def test_missing_cells_are_nested_in_the_declared_share_of_every_column() -> None:
    before = inputs(4000)
    masks = []
    for share in (0.05, 0.2):
        after = with_missing(before, NUMERIC, ["kind"], share, np.random.default_rng(0))
        mask = after.isna().assign(kind=after["kind"] == EMPTY)
        assert mask.to_numpy().mean(axis=0) == pytest.approx([share] * 3, abs=0.02)
        kept = ~mask
        assert after.where(kept).equals(before.where(kept))
        assert list(after.dtypes) == list(before.dtypes)
        masks.append(mask)
    assert (masks[1] | ~masks[0]).all(axis=None)
    together = masks[1].astype(int).corr().to_numpy()
    assert np.abs(together - np.eye(3)).max() < 0.06


def test_unseen_extreme_and_reordered() -> None:
    before = inputs(50).assign(flat=3.0)
    unseen = with_unseen(before, ["kind"])
    assert set(unseen["kind"]) == {UNSEEN}
    assert UNSEEN not in set(before["kind"])
    before["x"] = np.linspace(-1, 3, 50)
    before.loc[7, "x"] = np.nan
    assert extremes(before, ["x", "flat"], 10) == {"x": (1 - 40, 1 + 40)}
    assert list(reordered(before).columns) == ["z", "kind", "flat", "x"]
    assert reordered(before)[before.columns].equals(before)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1500))
def test_batches_are_of_several_sizes_and_never_all_rows(rows: int) -> None:
    found = list(batches(rows))
    assert all(len(batch) == len(set(batch)) and set(batch) <= set(range(rows)) for batch in found)
    assert sum(map(len, found)) <= 8 + 640
    if rows >= 4:
        assert {1, min(64, -(-rows // 2))} <= {len(batch) for batch in found}
        assert max(map(len, found)) < rows


@pytest.mark.parametrize(
    ("before", "after", "greater", "expected"),
    [(2, 3, False, 0.5), (2, 1, False, -0.5), (0.8, 0.6, True, 0.25), (0, 1, False, np.nan), (-0.1, -1, True, np.nan)],
)
def test_relative_loss_is_positive_where_it_got_worse(
    before: float, after: float, greater: bool, expected: float
) -> None:
    found = relative_loss(np.array(before), np.array(after), greater)
    assert float(found) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("metric", ["root_mean_squared_error", "mean_absolute_error"])
def test_the_curve_of_a_linear_model_is_what_its_noise_adds(metric: str) -> None:
    made = subject(Model(linear), rows=4000, metric=metric)
    found = measures(examine(made))
    for level in LEVELS:
        # Errors of SD .5 and noise of SD level are independent: their squares add up.
        expected = np.sqrt(0.25 + (level / 100) ** 2) / 0.5 - 1
        one = found[f"noise_{level}"]
        assert one.value == pytest.approx(expected, abs=0.006)
        assert one.interval is not None and one.interval[0] < one.value < one.interval[1]  # pyright: ignore
        assert one.interval[1] - one.interval[0] < 0.03
    lost = [found[f"missing_{level}"].value or 0 for level in LEVELS]
    assert lost == sorted(lost)
    assert lost[-1] > 10 * lost[0] > 0
    # Half of the rows are "a": without their category each of them is 3 too low.
    if metric == "mean_absolute_error":
        assert found["unseen_category"].value == pytest.approx(1.5 / 0.4 - 0.5, abs=0.3)


def test_a_score_that_falls_is_a_loss() -> None:
    made = subject(Classifier(lambda rows: 1 / (1 + np.exp(-4 * (linear(rows) - 1)))), rows=2000)
    found = values(examine(made))
    assert found["noise_1"] == pytest.approx(0, abs=0.01)
    assert 0.02 < found["missing_20"] < 0.5
    # Without its category every "a" (half of the rows) is taken for a "b": most of them change class.
    unseen = np.mean((linear(made.inputs.assign(kind="b")) > 1) == made.truth)
    before = np.mean(made.predictions.values == made.truth)
    assert found["unseen_category"] == pytest.approx((before - unseen) / before)
    assert found["extreme_values"] == 0


def test_a_model_that_looks_at_nothing_loses_nothing() -> None:
    found = values(examine(subject(Model(lambda rows: np.ones(len(rows))))))
    assert found == dict.fromkeys(INFO.measures, 0)


def test_intervals_are_paired() -> None:
    """One column's tiny effect is seen beside errors a hundred times as large."""
    one = measures(examine(subject(Model(lambda rows: 100 + rows["z"]))))["noise_20"]
    assert one.interval is not None and one.interval[1] - one.interval[0] < 0.002


def extreme(rows: pd.DataFrame) -> Any:
    return np.exp(rows["x"]) + linear(rows)


@pytest.mark.parametrize(
    ("rule", "expected", "worst"),
    [
        (linear, 0, None),
        (extreme, 1, "x"),
        (lambda rows: np.where(rows["z"] > 40, np.nan, linear(rows)), 1, "z"),
        (lambda rows: np.where((rows["z"] > 40) & (rows["kind"] == "a"), np.inf, linear(rows)), 0.5, "z"),
    ],
    ids=["linear", "explodes", "not a number", "infinite for some"],
)
def test_extreme_values_are_counted_by_row_and_traced_to_their_column(
    rule: Rule, expected: float, worst: str | None
) -> None:
    found = examine(subject(Model(rule)))
    one = measures(found)["extreme_values"]
    assert one.value == pytest.approx(expected, abs=0.07)
    table = found.tables[-1]
    assert table.rows[0][-1] == one.value
    if worst:
        assert (table.rows[0][0], table.rows[1][-1]) == (worst, 0)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("column_order", by_place),
        ("row_order", lambda rows: linear(rows) + 1e-6 * np.arange(len(rows))),
        ("batch_size", lambda rows: linear(rows) - rows["x"].mean() * (len(rows) < ROWS)),
    ],
)
def test_a_prediction_that_depends_on_what_it_must_not_is_caught(name: str, rule: Rule) -> None:
    found = values(examine(subject(Model(rule))))
    assert found[name] > 0.9
    assert name == "row_order" or found["row_order"] == 0
    assert name == "column_order" or found["column_order"] == 0


def test_rounding_is_no_change_but_more_is() -> None:
    for size, changes in ((1e-10, False), (1e-7, True)):
        model = Model(lambda rows, size=size: 1000 + linear(rows) + size * len(rows))
        assert values(examine(subject(model)))["batch_size"] == float(changes)
    single = Model(lambda rows: (linear(rows) + 1e-9 * len(rows)).astype(np.float32))
    assert values(examine(subject(single)))["batch_size"] == 0


def test_probabilities_that_change_count_even_where_labels_stay() -> None:
    rule = Classifier(lambda rows: np.where(linear(rows) > 1, 0.9, 0.1) + 1e-5 * (len(rows) == 1))
    found = measures(examine(subject(rule)))["batch_size"]
    assert found.value == pytest.approx(8 / found.rows)


def refuse(when: Callable[[pd.DataFrame], Any], rule: Rule = linear) -> Model:
    def refusing(rows: pd.DataFrame) -> Any:
        if when(rows):
            raise RuntimeError("no such rows\nplease")
        return rule(rows)

    return Model(refusing)


def test_a_refusal_is_not_evaluated_and_says_what_was_said() -> None:
    found = measures(examine(subject(refuse(lambda rows: rows["x"].isna().any()))))
    assert found["missing_1"].value is None
    assert found["missing_1"].note == "the pipeline refuses these rows: RuntimeError: no such rows"
    assert found["noise_1"].value is not None
    assert found["unseen_category"].value is not None
    reordering = refuse(lambda rows: rows.columns[0] != "x")
    refused = measures(examine(subject(reordering)))["column_order"]
    assert refused.value == 0
    assert "no such rows" in refused.note
    alone = examine(subject(refuse(lambda rows: len(rows) == 1)))
    assert alone.headline.endswith("no order or batch was seen to matter (batch size not evaluated).")
    single = measures(alone)["batch_size"]
    assert single.value is None
    assert single.note.startswith("1 rows at once: the pipeline refuses")


@pytest.mark.parametrize(
    ("made", "missing", "note"),
    [
        (lambda: subject(Model(by_kind), columns=("kind",)), "noise_10", "no numeric column that varies"),
        (lambda: subject(Model(by_kind), columns=("kind",)), "column_order", "a single column has no order"),
        (lambda: subject(Model(by_kind), columns=("kind",)), "extreme_values", "no numeric column that varies"),
        (
            lambda: subject(Model(lambda rows: rows["x"].fillna(0)), columns=("x", "z")),
            "unseen_category",
            "no categorical column",
        ),
        (lambda: subject(Model(lambda rows: -9 * rows["x"]), metric="r2"), "noise_1", "r2 is -"),
        (
            lambda: subject(Model(lambda rows: np.where(rows["x"].isna(), np.nan, linear(rows.fillna(0))))),
            "missing_5",
            "the prediction is not a finite number",
        ),
        (lambda: subject(Model(linear), rows=0), "row_order", "there are no test rows"),
        (lambda: subject(Model(linear), metric="root_mean_squared_log_error"), "noise_1", "a target or prediction"),
    ],
)
def test_what_cannot_be_computed_says_why(made: Callable[[], Subject], missing: str, note: str) -> None:
    found = examine(made())
    assert list(values(found)) == list(INFO.measures)
    assert measures(found)[missing].value is None
    assert note in measures(found)[missing].note
    Diagnosis.model_validate_json(found.model_dump_json())


def test_few_rows_give_values_without_intervals() -> None:
    found = measures(examine(subject(Model(linear), rows=4)))
    assert found["noise_10"].value is not None
    assert found["noise_10"].interval is None
    assert found["noise_10"].note == "no interval: too few independent rows or groups"


def test_examining_twice_gives_the_same() -> None:
    made = subject(Model(linear), rows=6000)
    found = examine(made)
    assert found == examine(made)
    assert measures(found)["noise_1"].rows == 5000
    assert "5,000 of 6,000 test rows" in found.notes[0]


def test_the_curve_holds_every_point() -> None:
    found = examine(subject(Model(linear)))
    curve = found.tables[0]
    assert [(row[0], row[1]) for row in curve.rows] == [
        ("none", None),
        *(("noise", level / 100) for level in LEVELS),
        *(("missing", level / 100) for level in LEVELS),
        ("unseen category", 1.0),
    ]
    base = curve.rows[0][2]
    for row in curve.rows[1:]:
        assert isinstance(base, float) and isinstance(row[2], float)
        assert row[3] == pytest.approx(row[2] / base - 1)
