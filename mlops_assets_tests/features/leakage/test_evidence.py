"""What counts as evidence of a leak: rows, in any order, with the width of an interval."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.features.leakage.flipped_label import flipped_labels
from mlops_assets.features.leakage.linear_sum import sum_formula
from mlops_assets.features.leakage.moving_window import moving_window
from mlops_assets.features.leakage.presence import presence_evidence
from mlops_assets.features.leakage.score_interval import balanced_accuracy, r2
from mlops_assets.features.leakage.single_feature import single_feature_scores
from mlops_assets.features.leakage.target_mean import repeats_target_mean
from mlops_assets_tests.features.honest_tables import judged


def mixed(seed: int, task: str) -> pd.DataFrame:
    """A table with rising numbers, copies of rows, ties, gaps and one leak or another."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(60, 200))
    target = rng.integers(0, 2, count) if task == "classification" else rng.normal(size=count).round(2)
    shop = rng.integers(0, count // 4, count)
    table = pd.DataFrame(
        {
            "rising": np.cumsum(rng.integers(1, 900, count)),
            "coarse": rng.integers(0, 3, count),
            "kind": rng.choice(list("uvw"), count),
            "near": target + rng.normal(0, rng.choice([0.01, 0.3, 3]), count),
            "gaps": np.where(rng.random(count) < 0.4, np.nan, rng.normal(size=count)),
            "y": target,
        }
    )
    table["mean"] = table.groupby(shop)["y"].transform("mean") if rng.random() < 0.5 else rng.normal(size=count)
    copies = table.sample(frac=float(rng.choice([0, 0.2])), random_state=int(rng.integers(1000)))
    return pd.concat([table, copies], ignore_index=True)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["classification", "regression"]))
def test_the_order_of_the_rows_changes_neither_verdict_nor_text(seed: int, task: str):
    table = mixed(seed, task)
    shuffled = table.sample(frac=1, random_state=seed % 1000)
    verdicts, others = judged(table, "y", task), judged(shuffled, "y", task)
    for name in ("no_leakage", "no_proxy"):
        assert others[name] == verdicts[name]


def test_rising_whole_numbers_are_no_identifier_in_any_order():
    rng = np.random.default_rng(0)
    amount = np.sort(rng.integers(0, 10**6, 300))
    table = pd.DataFrame({"amount": amount, "x": rng.normal(size=300), "y": rng.normal(size=300)})
    assert judged(table, "y", "regression")["no_leakage"].passed
    assert judged(table.sample(frac=1, random_state=0), "y", "regression")["no_leakage"].passed


def test_fifty_values_in_many_rows_name_no_rows():
    """Of one coarse feature there are as many distinct rows as values."""
    rng = np.random.default_rng(0)
    waiting = np.where(rng.random(272) < 0.35, rng.normal(54, 6, 272), rng.normal(80, 6, 272)).round()
    table = pd.DataFrame({"waiting": waiting, "long": ((waiting > 67) ^ (rng.random(272) < 0.05)).astype(int)})
    assert table["waiting"].nunique() < 60
    verdict = judged(table, "long", "classification")["no_leakage"]
    assert verdict.passed, verdict.reason
    assert 160 < (verdict.rows or 0) < 220, "train rows, not distinct ones"


def test_a_name_that_is_copied_with_its_row_is_still_one():
    rng = np.random.default_rng(0)
    once = pd.DataFrame({"id": np.arange(400), "x": rng.normal(size=400), "y": rng.normal(size=400)})
    table = pd.concat([once, once.head(100)])
    assert judged(table, "y", "regression")["no_leakage"].details["columns"] == ["id"]


@pytest.mark.parametrize(("rows", "errors", "accused"), [(158, 1, False), (158, 0, False), (400, 0, True)])
def test_balanced_accuracy_is_judged_at_its_lower_end(rows: int, errors: int, accused: bool):
    labels = np.arange(rows) % 2
    predicted = labels.copy()
    predicted[:errors] = 1 - predicted[:errors]
    score, lower = balanced_accuracy(predicted, labels, np.arange(rows))
    assert score >= 0.99
    assert (lower >= 0.99) is accused


def test_lower_ends_cover_as_often_as_stated():
    rng = np.random.default_rng(0)
    labels = (np.arange(300) < 60).astype(int)
    above = 0
    for _ in range(500):
        right = rng.random(300) < np.where(labels == 1, 0.95, 0.85)
        above += balanced_accuracy(np.where(right, labels, 1 - labels), labels, np.arange(300))[1] > 0.9
    assert above <= 500 * 0.02


def test_a_value_in_few_rows_is_scored_on_these():
    rng = np.random.default_rng(0)
    for _ in range(40):
        target, there = rng.normal(size=200), rng.permutation(200) < 21
        features = pd.DataFrame({"x": np.where(there, 3 * target, np.nan), "noise": rng.normal(size=200)})
        best, _ = single_feature_scores(features, target, "regression", np.arange(200))
        assert (best.feature, best.method) == ("x", "straight line")
        assert best.score == pytest.approx(1)


def test_copies_make_no_interval_narrower():
    rng = np.random.default_rng(0)
    target = rng.normal(size=200)
    predicted = target + rng.normal(0, 0.3, 200)
    units = np.arange(200)
    once = r2(predicted, target, units)
    copied = r2(np.repeat(predicted, 9), np.repeat(target, 9), np.repeat(units, 9))
    assert copied == pytest.approx(once)
    labels = (target > 0).astype(int)
    guess = (predicted > 0).astype(int)
    once = balanced_accuracy(guess, labels, units)
    assert balanced_accuracy(np.repeat(guess, 9), np.repeat(labels, 9), np.repeat(units, 9)) == pytest.approx(once)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(60, 800), st.sampled_from(["numbers", "classes", "skewed"]))
def test_what_honestly_predicts_a_target_is_no_mean_of_it(seed: int, rows: int, kind: str):
    rng = np.random.default_rng(seed)
    level = rng.normal(size=rows // 4).round(2)[rng.integers(0, rows // 4, rows)]
    target = {
        "numbers": lambda: level + rng.normal(0, 1, rows),
        "classes": lambda: (level + rng.normal(0, 1, rows) > 0).astype(float),
        "skewed": lambda: np.exp(level + rng.normal(0, 1, rows)),
    }[kind]()
    assert not repeats_target_mean(level, target)
    assert not repeats_target_mean(np.round(level), target)


@pytest.mark.parametrize("digits", [2, 4])
def test_a_rounded_or_rescaled_target_mean_is_one_too(digits: int):
    rng = np.random.default_rng(1)
    shop, target = rng.integers(0, 120, 900), rng.normal(size=900)
    mean = (np.bincount(shop, target) / np.bincount(shop))[shop]
    assert repeats_target_mean(mean.round(digits), target)
    assert repeats_target_mean(5 - 3 * mean, target)
    assert not repeats_target_mean(mean, rng.normal(size=900))


def test_groups_whose_targets_balance_each_other_are_no_mean():
    """One of four is chosen in every household: the means of any feature of the household are equal."""
    rng = np.random.default_rng(2)
    chosen = np.zeros((200, 4))
    chosen[np.arange(200), rng.integers(0, 4, 200)] = 1
    income = np.repeat(rng.integers(10, 60, 200), 4).astype(float)
    assert not repeats_target_mean(income, chosen.ravel())


@pytest.mark.parametrize(
    ("label", "flips", "likely"), [("numbers", 0.2, True), ("text", 0.3, True), ("text", 0.0, False)]
)
def test_a_label_with_errors_differs_from_an_honest_feature_by_what_the_errors_go_with(label, flips, likely):
    rng = np.random.default_rng(3)
    cause = rng.normal(size=1500)
    target = (cause + rng.normal(0, 1, 1500) > 0).astype(int)
    honest = (cause + rng.normal(0, 1, 1500) > 0).astype(int)
    copy = np.where(rng.random(1500) < flips, 1 - target, target)
    features = pd.DataFrame({"x": cause + rng.normal(0, 1, 1500), "honest": honest, "copy": copy})
    if label == "text":
        features["copy"] = np.array(["no", "yes"], dtype=object)[copy]
    assert [flipped.feature for flipped in flipped_labels(features, target)] == (["copy"] if likely else [])


def test_presence_is_evidence_beyond_chance_only():
    target = np.arange(400) % 2
    amount = np.where((target == 1) & (np.arange(400) < 200), np.arange(400) + 0.5, np.nan)
    evidence = presence_evidence(pd.Series(amount), target)
    assert evidence == (True, 100, 1, None)
    few = pd.Series(np.where(np.arange(400) < 38, amount, np.nan))
    assert presence_evidence(few, target) is None, "19 rows of two classes alike agree by chance, at times"
    assert presence_evidence(pd.Series(np.where(np.arange(400) < 200, 1.5, np.nan)), target) is None
    assert presence_evidence(pd.Series(np.nan_to_num(amount)), target) == (True, 100, 1, 0.0)
    text = pd.Series(["missing" if np.isnan(value) else "paid" for value in amount], dtype=object)
    assert presence_evidence(text, target) == (True, 100, 1, None)


def test_sums_and_products_of_three_are_named_with_what_they_take():
    rng = np.random.default_rng(4)
    table = pd.DataFrame(rng.lognormal(1, 0.5, (400, 6)), columns=pd.Index(list("abcdef"))).round(2)
    table["twice"] = 2 * table["f"]
    formula = sum_formula(table, (table["a"] + table["b"] - 0.5 * table["c"]).round(2).to_numpy())
    assert formula is not None
    assert formula.formula == "a + b - 0.5 * c"
    formula = sum_formula(table, (table["a"] * table["b"] / table["c"]).to_numpy())
    assert formula is not None
    assert formula.formula == "a * b / c"
    assert sum_formula(table, (table["a"] + table["b"] + table["c"] + rng.normal(0, 0.1, 400)).to_numpy()) is None
    assert sum_formula(table.head(15), (table["a"] + table["b"] + table["c"]).to_numpy()[:15]) is None


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 9), st.integers(0, 9))
def test_windows_are_told_by_their_ends(seed: int, before: int, after: int):
    rng = np.random.default_rng(seed)
    target = np.cumsum(rng.normal(size=400)) + rng.normal(size=400)
    padded = pd.Series(target).rolling(before + after + 1).mean().shift(-after).to_numpy()
    assert moving_window(padded, target, 0.99) == (before, after)
    assert moving_window(pd.Series(target).shift(1).rolling(5).mean().to_numpy(), target, 0.99) is None
    assert moving_window(rng.normal(size=400), target, 0.99) is None
