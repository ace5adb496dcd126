from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.evaluation.catalogue import DIAGNOSES
from mlops_assets.evaluation.conformal import MEASURES, Coverage, examine
from mlops_assets.evaluation.diagnosis import Diagnosis
from mlops_assets.evaluation.prediction_sets import (
    Sets,
    label_scores,
    mondrian_thresholds,
    quantile_edges,
    rank_needed,
    threshold,
)
from mlops_assets.evaluation.proportion import effective_trials, share_interval, wilson_interval
from mlops_assets_tests.evaluation.subjects import Classifier, Labeller, Regressor, measures, subject_of, values


def table(found: Diagnosis) -> dict[str, dict[str, Any]]:
    shown = found.tables[0]
    return {str(row[0]): dict(zip(shown.columns, row, strict=True)) for row in shown.rows}


def noisy(rows: int, seed: int, spread: str = "even") -> pd.DataFrame:
    """x is the best prediction; the noise has size 1, or grows fivefold with x."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 4, rows)
    size = 1 if spread == "even" else 0.5 + x / 2
    return pd.DataFrame({"x": x, "goal": x + size * rng.normal(size=rows), "@side": np.where(x < 1, "low", "high")})


def classes(rows: int, seed: int, concentration: float = 0.6) -> pd.DataFrame:
    """Columns a, b, c are the true probabilities."""
    rng = np.random.default_rng(seed)
    stated = rng.dirichlet([concentration] * 3, rows)
    truth = (rng.uniform(size=(rows, 1)) > stated.cumsum(axis=1)).sum(axis=1)
    return pd.DataFrame(stated, columns=pd.Index(["a", "b", "c"])).assign(goal=np.minimum(truth, 2))


IDENTITY = Regressor(lambda rows: rows["x"])
STATED = Classifier(lambda rows: rows[["a", "b", "c"]], 3)


def test_coverage_of_a_thousand_rows_is_beta_901_100() -> None:
    """Section 8: U(0,1) scores make the threshold the coverage itself."""
    from scipy.stats import beta, kstest

    scores = np.random.default_rng(0).uniform(size=(4000, 1000))
    coverage = np.array([threshold(row, 0.9) for row in scores], dtype=float)
    assert rank_needed(1000, 0.9) == 901
    assert coverage.mean() == pytest.approx(901 / 1001, abs=0.0005)
    assert coverage.std() == pytest.approx(0.0095, abs=0.0003)
    assert np.quantile(coverage, [0.05, 0.95]) == pytest.approx([0.884, 0.915], abs=0.001)
    assert kstest(coverage, beta(901, 100).cdf).pvalue > 0.01


@pytest.mark.parametrize(("rows", "rank"), [(8, 9), (9, 9), (10, 10), (19, 18), (69, 63), (109, 99), (999, 900)])
def test_the_rank_is_exact_where_it_is_whole(rows: int, rank: int) -> None:
    assert rank_needed(rows, 0.9) == rank
    assert rank_needed(99, 0.55) == 55
    found = threshold(np.arange(1.0, rows + 1)[::-1], 0.9)
    assert found == (rank if rank <= rows else None)


@given(rows=st.integers(1, 60), confidence=st.floats(0.51, 0.98), seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_exchangeable_rows_are_covered_on_average(rows: int, confidence: float, seed: int) -> None:
    """At least as stated, and by less than one rank more; too few rows have no threshold."""
    scores = np.random.default_rng(seed).exponential(size=(3000, rows + 1))
    found = [threshold(row[:-1], confidence) for row in scores]
    if rank_needed(rows, confidence) > rows:
        assert found == [None] * 3000
        return
    covered = np.mean(scores[:, -1] <= np.array(found, dtype=float))
    error = 4.5 * (confidence * (1 - confidence) / 3000) ** 0.5
    assert confidence - error <= covered <= confidence + 1 / (rows + 1) + error


def test_ties_only_add_coverage() -> None:
    scores = np.random.default_rng(1).integers(0, 3, size=(2000, 51))
    covered = [row[-1] <= (threshold(row[:-1], 0.9) or 0) for row in scores]
    assert np.mean(covered) >= 0.9


def test_mondrian_thresholds_are_those_of_each_segment() -> None:
    scores = np.array([*range(1, 20), *range(100, 119), 5.0])
    segments = ["a"] * 19 + ["b"] * 19 + ["few"]
    assert mondrian_thresholds(scores, segments, 0.9) == {"a": 18, "b": 117, "few": None}


@given(
    rows=st.lists(st.lists(st.floats(0.001, 1), min_size=4, max_size=4), min_size=1, max_size=8),
    sets=st.sampled_from(["least_ambiguous", "adaptive"]),
)
def test_a_likelier_label_enters_a_set_no_later(rows: list[list[float]], sets: Sets) -> None:
    given_probabilities = np.array(rows) / np.sum(rows, axis=1, keepdims=True)
    scores = label_scores(given_probabilities, sets)
    for stated, score in zip(given_probabilities, scores, strict=True):
        assert (np.diff(score[np.argsort(-stated, kind="stable")]) >= -1e-9).all()
    assert (scores >= 0).all() and (scores <= 1).all()
    if sets == "adaptive":
        assert scores.max(axis=1) == pytest.approx(1)


def test_adaptive_scores_are_the_probability_down_to_the_label() -> None:
    assert label_scores(np.array([[0.2, 0.7, 0.1]]), "adaptive") == pytest.approx(np.array([[0.9, 0.7, 1.0]]))
    assert label_scores(np.array([[0.2, 0.7, 0.1]])) == pytest.approx(np.array([[0.8, 0.3, 0.9]]))


@given(values_=st.lists(st.integers(-3, 3), min_size=1, max_size=50))
def test_every_part_between_quantiles_has_rows(values_: list[int]) -> None:
    numbers = np.array(values_, dtype=float)
    edges = quantile_edges(numbers)
    parts = np.searchsorted(edges, numbers, side="right")
    assert set(parts) == set(range(len(edges) + 1)) and len(edges) <= 3


@pytest.mark.parametrize(("hits", "rows"), [(0, 30), (3, 40), (27, 30), (30, 30), (501, 1000)])
def test_the_interval_of_a_share_is_scipys(hits: int, rows: int) -> None:
    from scipy.stats import binomtest

    expected = binomtest(hits, rows).proportion_ci(method="wilson")
    assert wilson_interval(hits / rows, rows) == pytest.approx((expected.low, expected.high))


def test_copied_rows_do_not_narrow_the_interval() -> None:
    hits = np.random.default_rng(3).uniform(size=400) < 0.3
    copied, clusters = np.repeat(hits, 5), np.repeat(np.arange(400), 5)
    assert effective_trials(copied, clusters) == pytest.approx(400, rel=0.01)
    assert share_interval(copied, clusters) == pytest.approx(share_interval(hits), abs=0.001)
    # Variance of the mean of three pairs that agree, 24/9 · 3/2 / 6², is three times that of six single rows, 2/9 / 6.
    assert effective_trials(np.array([1, 1, 1, 1, 0, 0]), np.array([0, 0, 1, 1, 2, 2])) == pytest.approx(2)
    assert effective_trials(np.ones(50), np.repeat(np.arange(10), 5)) == 10
    assert effective_trials(hits, np.arange(400)) == pytest.approx(400, rel=0.01)


def test_the_interval_of_clustered_rows_holds_as_often_as_stated() -> None:
    rng, held = np.random.default_rng(4), 0
    clusters = np.repeat(np.arange(80), 6)
    for _ in range(600):
        hits = rng.uniform(size=480) < np.repeat(rng.beta(2, 6, 80), 6)
        low, high = share_interval(hits, clusters)
        held += low <= 0.25 <= high
    assert 0.92 <= held / 600 <= 0.98


def test_even_noise_is_covered_everywhere() -> None:
    found = examine(subject_of(IDENTITY, noisy(4000, 0), noisy(2000, 1)))
    by_name = measures(found)
    assert set(by_name) == set(MEASURES) == set(DIAGNOSES["conformal"].measures)
    assert by_name["coverage"].value == pytest.approx(0.9, abs=0.015)
    low, high = by_name["coverage"].interval or (1, 0)
    assert low < 0.9 < high and high - low < 0.02
    assert by_name["mean_width"].value == pytest.approx(2 * 1.645 / (1 + 16 / 12) ** 0.5, rel=0.05)
    assert by_name["mean_set_size"].value is None
    assert "no segment is under-covered" in found.headline


def test_growing_noise_is_under_covered_where_it_is_large_and_own_thresholds_mend_it() -> None:
    found = examine(subject_of(IDENTITY, noisy(8000, 0, "growing"), noisy(4000, 1, "growing")))
    gap, rows = measures(found)["coverage_gap"], table(found)
    parts = [one for name, one in rows.items() if name.startswith("prediction")]
    assert [one["rows"] for one in parts] == pytest.approx([2000] * 4, abs=150)
    assert parts[0]["coverage"] > 0.98 and parts[3]["coverage"] < 0.8
    assert gap.value == pytest.approx(0.9 - parts[3]["coverage"])
    assert gap.interval and gap.interval[0] < gap.value < gap.interval[1] and gap.interval[0] > 0.05  # pyright: ignore[reportOperatorIssue, reportOptionalOperand]
    assert "under-covered: prediction part 4 of 4" in found.headline and "part 1" not in found.headline
    assert [one["coverage, own threshold"] for one in parts] == pytest.approx([0.9] * 4, abs=0.025)
    assert parts[0]["width, own threshold"] < parts[0]["width"] < parts[3]["width, own threshold"]
    assert {"side low", "side high"} < set(rows)


def test_the_gap_of_evenly_covered_rows_fires_at_no_more_than_its_rate() -> None:
    """With a threshold as from endless validation rows, the simultaneous interval excludes 0 in 5 % at most."""
    fired, validation = 0, noisy(40_000, 10_000)
    for seed in range(150):
        gap = measures(examine(subject_of(IDENTITY, noisy(400, seed), validation)))["coverage_gap"]
        assert gap.interval
        fired += gap.interval[0] > 0
    assert fired / 150 <= 0.08


def test_grouped_rows_widen_the_interval() -> None:
    test = noisy(400, 0)
    copied = test.loc[test.index.repeat(5)].assign(**{"@site": np.repeat(np.arange(400), 5)}).reset_index(drop=True)
    alone = measures(examine(subject_of(IDENTITY, test, noisy(500, 1))))["coverage"].interval
    grouped = measures(examine(subject_of(IDENTITY, copied, noisy(500, 1), group="site")))["coverage"].interval
    assert grouped == pytest.approx(alone, abs=0.002)


@pytest.mark.parametrize("sets", ["least_ambiguous", "adaptive"])
def test_label_sets_cover_as_stated(sets: Sets) -> None:
    found = examine(subject_of(STATED, classes(4000, 0), classes(2000, 1)), Coverage(sets=sets))
    by_name = values(found)
    assert by_name["coverage"] == pytest.approx(0.9, abs=0.02)
    assert 1 < by_name["mean_set_size"] < 3 and by_name["mean_width"] is None
    assert set(table(found)) == {"class 0", "class 1", "class 2"}


def test_a_rare_class_is_under_covered_and_its_own_threshold_mends_it() -> None:
    rng = np.random.default_rng(5)

    def made(rows: int) -> pd.DataFrame:
        goal = (rng.uniform(size=rows) < 0.1).astype(int)
        odds = 0.1 / 0.9 * np.exp(2 * (rng.normal(size=rows) + 2 * goal) - 2)
        return pd.DataFrame({"p": odds / (1 + odds), "goal": goal})

    found = examine(subject_of(Classifier(lambda rows: rows["p"]), made(6000), made(6000)))
    rare = table(found)["class 1"]
    assert rare["coverage"] < 0.7 and "under-covered: class 1" in found.headline
    assert rare["coverage, own threshold"] == pytest.approx(0.9, abs=0.04)
    assert rare["labels, own threshold"] > rare["labels"]


def test_a_class_too_rare_for_a_threshold_is_in_every_set_of_the_others() -> None:
    """By class, each label is held against its own class's threshold; one without cannot be ruled out."""
    validation = classes(600, 1)
    kept = (validation["goal"] != 2) | ((validation["goal"] == 2).cumsum() <= 5)
    validation = validation.loc[kept].reset_index(drop=True)
    shown = table(examine(subject_of(STATED, classes(2000, 0), validation)))
    assert shown["class 2"]["coverage, own threshold"] is None and shown["class 2"]["labels, own threshold"] is None
    limits = mondrian_thresholds(
        1 - validation[["a", "b", "c"]].to_numpy()[np.arange(len(validation)), validation["goal"]],
        validation["goal"].tolist(),
        0.9,
    )
    test = classes(2000, 0)
    sizes = 1 + (1 - test["a"] <= limits[0]).astype(int) + (1 - test["b"] <= limits[1])
    for label in (0, 1):
        expected = sizes[test["goal"] == label].mean()
        assert shown[f"class {label}"]["labels, own threshold"] == pytest.approx(expected)


def test_segments_are_those_of_the_validation_rows() -> None:
    """So that a segment's own threshold is of the same rows that it is used on."""
    validation = noisy(500, 1).assign(x=lambda rows: rows["x"] * 2)
    shown = table(examine(subject_of(IDENTITY, noisy(500, 0), validation)))
    edges = quantile_edges(validation["x"].to_numpy())
    assert f"prediction part 1 of 4 (below {edges[0]:.3f})" in shown
    assert shown[f"prediction part 2 of 4 ({edges[0]:.3f} to {edges[1]:.3f})"]["rows"] == pytest.approx(250, abs=30)


def test_sets_are_smaller_where_the_model_is_surer() -> None:
    size = [
        values(examine(subject_of(STATED, classes(2000, 0, spread), classes(2000, 1, spread))))["mean_set_size"]
        for spread in (0.1, 1, 10)
    ]
    assert size == sorted(size) and size[0] < 1.2 and size[2] > 2


@pytest.mark.parametrize("nominal", [0.8, 0.95])
def test_another_promise_is_kept(nominal: float) -> None:
    found = examine(subject_of(IDENTITY, noisy(3000, 0), noisy(3000, 1)), Coverage(nominal=nominal))
    assert values(found)["coverage"] == pytest.approx(nominal, abs=0.02)
    assert found.headline.startswith(f"{nominal:.0%} intervals")


@pytest.mark.parametrize(
    ("model", "test", "validation", "note"),
    [
        (IDENTITY, noisy(100, 0), noisy(8, 1), "8 validation rows, intervals of 90% coverage need 9"),
        (IDENTITY, noisy(100, 0), None, "there are no validation rows"),
        (IDENTITY, noisy(9, 0).iloc[:0], noisy(50, 1), "there are no test rows"),
        (Labeller(lambda rows: rows["a"]), classes(50, 0).clip(upper=1), classes(50, 1).clip(upper=1), "probabilities"),
    ],
)
def test_what_cannot_be_promised_has_no_value(model: Any, test: pd.DataFrame, validation: Any, note: str) -> None:
    found = examine(subject_of(model, test, validation))
    assert all(one.value is None and note in one.note for one in found.measures)
    assert found.headline.startswith("Not evaluated")


def test_few_or_constant_rows_say_what_they_can() -> None:
    few = measures(examine(subject_of(IDENTITY, noisy(29, 0), noisy(9, 1))))
    assert few["coverage"].value is not None and few["coverage_gap"].note == "no segment has 30 rows"
    same = noisy(50, 0).assign(x=1.0, goal=2.0)
    found = measures(examine(subject_of(IDENTITY, same, same)))
    assert found["coverage"].value == 1 and found["mean_width"].note == "the target is constant"


def test_a_missing_value_of_a_column_is_a_segment_and_many_values_are_none() -> None:
    test, validation = (
        noisy(200, seed).assign(**{"@kind": [None, "b"] * 100, "@id": np.arange(200), "@one": 1}) for seed in (0, 1)
    )
    shown = table(examine(subject_of(IDENTITY, test, validation)))
    assert {"kind missing", "kind b"} < set(shown)
    assert not [name for name in shown if name.startswith(("id ", "one "))]


def test_king_county_is_covered_overall_but_not_in_every_price_segment(shared_data: Path) -> None:
    """Section 8: overall .9054, by quarter of the price .870/.935/.931/.887."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    sales = pd.read_csv(shared_data / "king_county" / "kc_house_data.csv").drop(columns=["id", "date"])
    sales = sales.rename(columns={"price": "goal"}).assign(goal=lambda rows: np.log(rows["goal"]))
    quarter = np.searchsorted(np.quantile(sales["goal"], [0.25, 0.5, 0.75]), sales["goal"], side="right") + 1
    sales = sales.assign(**{"@quarter": quarter}).sample(frac=1, random_state=0)
    train, validation, test = sales.iloc[:12_000], sales.iloc[12_000:16_000], sales.iloc[16_000:]
    names = [name for name in sales.columns if name not in ("goal", "@quarter")]
    with threadpool_limits(limits=1, user_api="openmp"):
        model = HistGradientBoostingRegressor(random_state=0).fit(train[names], train["goal"])
        found = examine(subject_of(model, test, validation))
    by_name, rows = values(found), table(found)
    assert 0.885 <= by_name["coverage"] <= 0.915
    price = [rows[f"quarter {part}"]["coverage"] for part in "1234"]
    assert max(price[0], price[3]) < min(price[1], price[2])
    assert price[0] < 0.885
    assert by_name["coverage_gap"] > 0.02 and "under-covered" in found.headline
    assert [rows[f"quarter {part}"]["coverage, own threshold"] for part in "1234"] == pytest.approx([0.9] * 4, abs=0.03)
