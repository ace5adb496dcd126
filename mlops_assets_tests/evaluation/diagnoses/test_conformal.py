from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.errors import NotEvaluated
from mlops_assets.evaluation.diagnoses.conformal import OF_EARLIER_RELEASE, examine
from mlops_assets.evaluation.diagnosis import Diagnosis, Subject
from mlops_assets.evaluation.diagnosis_catalogue import DIAGNOSES
from mlops_assets.metrics.proportion import clopper_pearson, effective_trials, share_interval
from mlops_assets.model.conformal import Sets, mondrian_thresholds, quantile_edges
from mlops_assets.model.prediction_intervals import fit_intervals
from mlops_assets.model.spec import IntervalsSpec
from mlops_assets_tests.evaluation.subjects import Classifier, Labeller, Regressor, measures, subject_of, values


def table(found: Diagnosis) -> dict[str, dict[str, Any]]:
    shown = found.tables[0]
    return {str(row[0]): dict(zip(shown.columns, row, strict=True)) for row in shown.rows}


def fitted(subject: Subject, **declared: Any) -> Subject:
    """With intervals from the subject's validation rows, as the model stage fits them."""
    spec, rows = IntervalsSpec(**declared), subject.validation
    try:
        predictions = subject.predict(rows.loc[:, subject.features.names])
        found = fit_intervals(spec, predictions, rows["goal"].to_numpy(), rows.get(f"@{spec.by}"))
    except NotEvaluated as reason:
        return replace(subject, intervals_note=str(reason))
    return replace(subject, intervals=found)


def examined(subject: Subject, **declared: Any) -> Diagnosis:
    return examine(fitted(subject, **declared))


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


@pytest.mark.parametrize(("hits", "rows"), [(0, 30), (3, 40), (27, 30), (30, 30), (501, 1000)])
def test_the_interval_of_a_share_is_scipys(hits: int, rows: int) -> None:
    from scipy.stats import binomtest

    expected = binomtest(hits, rows).proportion_ci(method="exact")
    assert clopper_pearson(hits / rows, rows) == pytest.approx((expected.low, expected.high))


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
    found = examined(subject_of(IDENTITY, noisy(4000, 0), noisy(2000, 1)))
    by_name = measures(found)
    assert set(by_name) == set(DIAGNOSES["conformal"].measures)
    assert by_name["coverage"].value == pytest.approx(0.9, abs=0.015)
    low, high = by_name["coverage"].interval or (1, 0)
    assert low < 0.9 < high and high - low < 0.02
    assert by_name["mean_width"].value == pytest.approx(2 * 1.645 / (1 + 16 / 12) ** 0.5, rel=0.05)
    assert by_name["mean_set_size"].value is None
    assert "no segment is under-covered" in found.headline


def test_growing_noise_is_under_covered_where_it_is_large_and_own_thresholds_mend_it() -> None:
    subject = subject_of(IDENTITY, noisy(8000, 0, "growing"), noisy(4000, 1, "growing"))
    found, mended = examined(subject), examined(subject, by="prediction")
    gap, rows = measures(found)["coverage_gap"], table(found)
    parts = [one for name, one in rows.items() if name.startswith("prediction")]
    assert [one["rows"] for one in parts] == pytest.approx([2000] * 4, abs=150)
    assert parts[0]["coverage"] > 0.98 and parts[3]["coverage"] < 0.8
    assert gap.value == pytest.approx(0.9 - parts[3]["coverage"])
    assert gap.interval and gap.interval[0] < gap.value < gap.interval[1] and gap.interval[0] > 0.05  # pyright: ignore[reportOperatorIssue, reportOptionalOperand]
    assert "under-covered: prediction part 4 of 4" in found.headline and "part 1" not in found.headline
    assert {one["threshold"] for one in rows.values()} == {"of all rows"} and {"side low", "side high"} < set(rows)
    own = [one for name, one in table(mended).items() if name.startswith("prediction")]
    assert [one["coverage"] for one in own] == pytest.approx([0.9] * 4, abs=0.025)
    assert {one["threshold"] for one in own} == {"own"}
    assert own[0]["width"] < parts[0]["width"] < own[3]["width"]
    assert "no segment is under-covered" in mended.headline
    assert values(mended)["coverage"] == pytest.approx(0.9, abs=0.015)


def test_the_gap_of_evenly_covered_rows_fires_at_no_more_than_its_rate() -> None:
    """With a threshold as from endless validation rows, the simultaneous interval excludes 0 in 5 % at most."""
    fired, validation = 0, noisy(40_000, 10_000)
    for seed in range(150):
        gap = measures(examined(subject_of(IDENTITY, noisy(400, seed), validation)))["coverage_gap"]
        assert gap.interval
        fired += gap.interval[0] > 0
    assert fired / 150 <= 0.08


def test_grouped_rows_widen_the_interval() -> None:
    test = noisy(400, 0)
    copied = test.loc[test.index.repeat(5)].assign(**{"@site": np.repeat(np.arange(400), 5)}).reset_index(drop=True)
    alone = measures(examined(subject_of(IDENTITY, test, noisy(500, 1))))["coverage"].interval
    grouped = measures(examined(subject_of(IDENTITY, copied, noisy(500, 1), group="site")))["coverage"].interval
    assert grouped == pytest.approx(alone, abs=0.002)


@pytest.mark.parametrize("sets", ["least_ambiguous", "adaptive"])
def test_label_sets_cover_as_stated(sets: Sets) -> None:
    found = examined(subject_of(STATED, classes(4000, 0), classes(2000, 1)), sets=sets)
    by_name = values(found)
    most = 0.92 if sets == "least_ambiguous" else 1  # with the label that crosses the threshold, more than stated
    assert by_name["coverage"] and 0.88 <= by_name["coverage"] <= most
    assert 1 < by_name["mean_set_size"] < 3 and by_name["mean_width"] is None
    assert set(table(found)) == {"class 0", "class 1", "class 2"}


def test_adaptive_thresholds_of_an_earlier_release_are_named_stale() -> None:
    subject = fitted(subject_of(STATED, classes(400, 0), classes(200, 1)), sets="adaptive")
    assert subject.intervals
    assert OF_EARLIER_RELEASE not in examine(subject).notes
    earlier = replace(subject, intervals=subject.intervals.model_copy(update={"randomised": False}))
    assert examine(earlier).notes[-1] == OF_EARLIER_RELEASE
    assert table(examine(earlier)).keys() == table(examine(subject)).keys()


def test_a_rare_class_is_under_covered_and_its_own_threshold_mends_it() -> None:
    rng = np.random.default_rng(5)

    def made(rows: int) -> pd.DataFrame:
        goal = (rng.uniform(size=rows) < 0.1).astype(int)
        odds = 0.1 / 0.9 * np.exp(2 * (rng.normal(size=rows) + 2 * goal) - 2)
        return pd.DataFrame({"p": odds / (1 + odds), "goal": goal})

    subject = subject_of(Classifier(lambda rows: rows["p"]), made(6000), made(6000))
    found = examined(subject)
    rare, mended = table(found)["class 1"], table(examined(subject, by="prediction"))["class 1"]
    assert rare["coverage"] < 0.7 and "under-covered: class 1" in found.headline
    assert mended["coverage"] == pytest.approx(0.9, abs=0.04)
    assert mended["labels"] > rare["labels"]


def test_a_class_too_rare_for_a_threshold_has_that_of_all_rows_and_the_report_says_so() -> None:
    validation, test = classes(600, 1), classes(2000, 0)
    kept = (validation["goal"] != 2) | ((validation["goal"] == 2).cumsum() <= 5)
    validation = validation.loc[kept].reset_index(drop=True)
    subject = fitted(subject_of(STATED, test, validation), by="prediction")
    found = examine(subject)
    shown = table(found)
    assert [shown[f"class {label}"]["threshold"] for label in (0, 1, 2)] == ["own", "own", "of all rows"]
    assert f"the threshold of all rows holds: class 2 ({shown['class 2']['rows']} test rows)." in found.notes[1]
    assert subject.intervals
    truth = 1 - validation[["a", "b", "c"]].to_numpy()[np.arange(len(validation)), validation["goal"]]
    limits = mondrian_thresholds(truth, validation["goal"].tolist(), 0.9)
    within = 1 - test[["a", "b", "c"]].to_numpy() <= [limits[0], limits[1], subject.intervals.threshold]
    for label in (0, 1, 2):
        of_label = (test["goal"] == label).to_numpy()
        assert shown[f"class {label}"]["labels"] == pytest.approx(within[of_label].sum(axis=1).mean())
        assert shown[f"class {label}"]["coverage"] == pytest.approx(within[of_label, label].mean())


def test_intervals_by_a_column_hold_for_each_of_its_values() -> None:
    def made(rows: int, seed: int) -> pd.DataFrame:
        made = noisy(rows, seed)
        side = np.where(np.arange(rows) % 4 > 0, "calm", "wild")
        rare = np.where(np.arange(rows) % 500 == 0, "rare", side)
        noise = (made["goal"] - made["x"]) * np.where(side == "wild", 4, 1)
        return made.assign(goal=made["x"] + noise, **{"@side": rare})

    subject = subject_of(IDENTITY, made(6000, 0), made(3000, 1))
    plain, own = table(examined(subject)), examined(subject, by="side")
    assert plain["side wild"]["coverage"] < 0.75 and plain["side calm"]["coverage"] > 0.93
    assert [table(own)[f"side {name}"]["coverage"] for name in ("calm", "wild")] == pytest.approx([0.9] * 2, abs=0.025)
    assert own.notes[-1].endswith("the threshold of all rows holds: side rare (12 test rows).")
    forgotten = replace(fitted(subject, by="side"), test=subject.test.drop(columns="@side"))
    assert "intervals are by 'side', which these rows do not carry" in examine(forgotten).measures[0].note


def test_segments_are_those_of_the_validation_rows() -> None:
    """So that a segment's own threshold is of the same rows that it is used on."""
    validation = noisy(500, 1).assign(x=lambda rows: rows["x"] * 2)
    shown = table(examined(subject_of(IDENTITY, noisy(500, 0), validation)))
    edges = quantile_edges(validation["x"].to_numpy())
    assert f"prediction part 1 of 4 (below {edges[0]:.3f})" in shown
    assert shown[f"prediction part 2 of 4 ({edges[0]:.3f} to {edges[1]:.3f})"]["rows"] == pytest.approx(250, abs=30)


def test_sets_are_smaller_where_the_model_is_surer() -> None:
    size = [
        values(examined(subject_of(STATED, classes(2000, 0, spread), classes(2000, 1, spread))))["mean_set_size"]
        for spread in (0.1, 1, 10)
    ]
    assert size == sorted(size) and size[0] < 1.2 and size[2] > 2


def test_what_is_examined_are_the_stored_thresholds() -> None:
    subject = fitted(subject_of(IDENTITY, noisy(500, 0), noisy(500, 1)))
    found = examine(subject)
    assert examine(replace(subject, validation=noisy(500, 2, "growing"))) == found
    assert subject.intervals
    half = subject.intervals.threshold
    within = (subject.test["goal"] - subject.test["x"]).abs() <= half
    assert values(found)["coverage"] == within.mean()
    assert measures(found)["mean_width"].note.startswith(f"{2 * half:.3f}")


def test_a_model_without_intervals_says_what_to_do() -> None:
    found = examine(subject_of(IDENTITY, noisy(50, 0), noisy(50, 1)))
    assert found.headline == "Not evaluated: the model has no intervals. Remedy: materialise the model again."


@pytest.mark.parametrize("nominal", [0.8, 0.95])
def test_another_promise_is_kept(nominal: float) -> None:
    found = examined(subject_of(IDENTITY, noisy(3000, 0), noisy(3000, 1)), coverage=nominal)
    assert values(found)["coverage"] == pytest.approx(nominal, abs=0.02)
    assert found.headline.startswith(f"{nominal:.0%} intervals")


@pytest.mark.parametrize(
    ("model", "test", "validation", "note"),
    [
        (IDENTITY, noisy(100, 0), noisy(8, 1), "8 validation rows, intervals of 90% coverage need 9"),
        (IDENTITY, noisy(100, 0), noisy(8, 1).iloc[:0], "0 validation rows"),
        (IDENTITY, noisy(9, 0).iloc[:0], noisy(50, 1), "there are no test rows"),
        (Labeller(lambda rows: rows["a"]), classes(50, 0).clip(upper=1), classes(50, 1).clip(upper=1), "probabilities"),
    ],
)
def test_what_cannot_be_promised_has_no_value(model: Any, test: pd.DataFrame, validation: Any, note: str) -> None:
    found = examined(subject_of(model, test, validation))
    assert all(one.value is None and note in one.note for one in found.measures)
    assert found.headline.startswith("Not evaluated")


def test_few_or_constant_rows_say_what_they_can() -> None:
    few = measures(examined(subject_of(IDENTITY, noisy(29, 0), noisy(9, 1))))
    assert few["coverage"].value is not None and few["coverage_gap"].note == "no segment has 30 rows"
    same = noisy(50, 0).assign(x=1.0, goal=2.0)
    found = measures(examined(subject_of(IDENTITY, same, same)))
    assert found["coverage"].value == 1 and found["mean_width"].note == "the target is constant"


def test_a_missing_value_of_a_column_is_a_segment_and_many_values_are_none() -> None:
    test, validation = (
        noisy(200, seed).assign(**{"@kind": [None, "b"] * 100, "@id": np.arange(200), "@one": 1}) for seed in (0, 1)
    )
    shown = table(examined(subject_of(IDENTITY, test, validation)))
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
        subject = subject_of(model, test, validation)
        found, own = examined(subject), examined(subject, by="quarter")
    by_name, rows = values(found), table(found)
    assert 0.885 <= by_name["coverage"] <= 0.915
    price = [rows[f"quarter {part}"]["coverage"] for part in "1234"]
    assert max(price[0], price[3]) < min(price[1], price[2])
    assert price[0] < 0.885
    assert by_name["coverage_gap"] > 0.02 and "under-covered" in found.headline
    mended = table(own)
    assert [mended[f"quarter {part}"]["coverage"] for part in "1234"] == pytest.approx([0.9] * 4, abs=0.03)
