from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_assets.errors import NotEvaluated, StorageError
from mlops_assets.metrics.outcomes import Predictions
from mlops_assets.model.prediction_intervals import Intervals, fit_intervals, read_intervals, rows_needed
from mlops_assets.model.spec import IntervalsSpec
from mlops_assets_tests.model.conftest import held_out

RIDGE = "sklearn.linear_model.Ridge"


def drawn(rows: int, seed: int = 0) -> tuple[Predictions, np.ndarray]:
    """Predictions whose error grows with their size."""
    rng = np.random.default_rng(seed)
    predicted = rng.uniform(1, 5, rows)
    return Predictions(predicted), predicted + predicted * rng.normal(size=rows)


def stored(intervals: Intervals, folder: Path) -> Path:
    path = folder / "intervals.json"
    path.write_text(intervals.to_json(), encoding="utf-8")
    return path


def test_a_tenth_of_new_rows_lies_outside_on_each_quarter_of_the_prediction() -> None:
    plain, own = (fit_intervals(IntervalsSpec(by=by), *drawn(4000)) for by in ("none", "prediction"))
    predictions, truth = drawn(8000, seed=1)
    quarter = np.searchsorted(own.edges, predictions.values, side="right")
    misses = np.abs(truth - predictions.values)
    covered = {
        name: [float((misses <= one.half_widths(predictions))[quarter == part].mean()) for part in range(4)]
        for name, one in (("plain", plain), ("own", own))
    }
    assert covered["plain"][0] > 0.97 and covered["plain"][3] < 0.82
    assert covered["own"] == pytest.approx([0.9] * 4, abs=0.025)
    assert [one.segment for one in own.own] == ["1", "2", "3", "4"] and sum(one.rows for one in own.own) == 4000
    assert plain.own == [] and plain.edges == own.edges and plain.threshold == own.threshold


def test_what_is_stored_is_what_was_fitted_and_a_changed_file_is_refused(tmp_path) -> None:
    found = fit_intervals(IntervalsSpec(coverage=0.8, by="prediction"), *drawn(500))
    path = stored(found, tmp_path)
    assert read_intervals(path, found.digest) == found
    path.write_text(found.to_json().replace('"coverage": 0.8', '"coverage": 0.9'), encoding="utf-8")
    with pytest.raises(StorageError, match=f"holds the intervals .*, not {found.digest}. Remedy: restore the file"):
        read_intervals(path, found.digest)


def test_a_column_of_whole_numbers_is_read_alike_with_and_without_empty_cells() -> None:
    predictions, truth = drawn(60)
    column = pd.Series([1, 2, 3] * 20)
    found = fit_intervals(IntervalsSpec(by="zone"), predictions, truth, column)
    assert [one.segment for one in found.own] == ["1", "2", "3"]
    gaps = column.astype(float).where(column != 3)
    half = found.half_widths(predictions, gaps)
    limits = {one.segment: one.threshold for one in found.own}
    assert half.tolist() == [limits.get(name, found.threshold) for name in gaps.map({1.0: "1", 2.0: "2"}).fillna("")]


def test_label_sets_hold_the_labels_up_to_the_threshold() -> None:
    stated = np.array([[0.7, 0.2, 0.1], [0.4, 0.35, 0.25]])
    intervals = Intervals(coverage=0.9, sets="least_ambiguous", by="none", rows=99, threshold=0.66)
    predictions = Predictions(np.array(["a", "a"]), stated, ("a", "b", "c"))
    assert intervals.label_sets(predictions).tolist() == [[True, False, False], [True, True, False]]
    own = Intervals.model_validate(
        {**intervals.model_dump(), "by": "prediction", "own": [{"segment": "c", "rows": 30, "threshold": 0.95}]}
    )
    assert own.label_sets(predictions).tolist() == [[True, False, True], [True, True, True]]


OF_AN_EARLIER_RELEASE = """{
 "coverage": 0.7,
 "sets": "adaptive",
 "by": "none",
 "rows": 20,
 "threshold": 0.8,
 "edges": [],
 "own": []
}"""
"""What it stored, and the sets that it gave, for ``SURE_AND_HARD``."""
SETS_OF_AN_EARLIER_RELEASE = [[1, 0, 0], [1, 1, 0], [0, 0, 0], [1, 1, 0]]
SURE_AND_HARD = Predictions(
    np.array(["a"] * 4),
    np.array([[0.7, 0.2, 0.1], [0.4, 0.35, 0.25], [0.96, 0.03, 0.01], [0.5, 0.3, 0.2]]),
    ("a", "b", "c"),
)


def test_adaptive_sets_of_an_earlier_release_are_read_as_what_they_were(tmp_path) -> None:
    path = tmp_path / "intervals.json"
    path.write_text(OF_AN_EARLIER_RELEASE, encoding="utf-8")
    digest = "def7494d9711c4d0508066610a5d2098757c326c06382bd69517f71943abacc1"
    stored_then = read_intervals(path, digest)
    assert stored_then.may_be_empty and stored_then.digest == digest
    assert stored_then.label_sets(SURE_AND_HARD).astype(int).tolist() == SETS_OF_AN_EARLIER_RELEASE


def test_adaptive_sets_of_now_are_marked_in_what_is_stored_and_hold_the_likeliest_label(tmp_path) -> None:
    rng = np.random.default_rng(0)
    stated = SURE_AND_HARD.probabilities
    assert stated is not None
    many = Predictions(np.array(["a"] * 400), np.tile(stated, (100, 1)), ("a", "b", "c"))
    truth = np.array([rng.choice(["a", "b", "c"], p=row) for row in np.tile(stated, (100, 1))])
    for by in ("none", "prediction"):
        made = fit_intervals(IntervalsSpec(coverage=0.7, sets="adaptive", by=by), many, truth)
        assert '"randomised": true' in made.to_json() and not made.may_be_empty
        again = read_intervals(stored(made, tmp_path), made.digest)
        assert again == made
        assert again.label_sets(SURE_AND_HARD)[:, 0].all()
        assert fit_intervals(IntervalsSpec(coverage=0.7, sets="adaptive", by=by), many, truth) == made
    plain = fit_intervals(IntervalsSpec(), many, truth)
    assert "randomised" not in plain.to_json() and not plain.may_be_empty


@pytest.mark.parametrize(("coverage", "rows"), [(0.9, 9), (0.8, 4), (0.95, 19), (0.55, 2)])
def test_the_fewest_rows_that_can_promise_a_coverage(coverage: float, rows: int) -> None:
    assert rows_needed(coverage) == rows
    declared = IntervalsSpec(coverage=coverage)
    assert fit_intervals(declared, *drawn(rows)).rows == rows
    with pytest.raises(NotEvaluated, match=f"{rows - 1} validation rows, intervals of .* need {rows}"):
        fit_intervals(declared, *drawn(rows - 1))


def test_what_cannot_have_intervals_says_why() -> None:
    predictions, truth = drawn(50)
    with pytest.raises(NotEvaluated, match="intervals by 'zone', which the rows do not carry"):
        fit_intervals(IntervalsSpec(by="zone"), predictions, truth)
    with pytest.raises(NotEvaluated, match="not a finite number"):
        fit_intervals(IntervalsSpec(), predictions, np.where(np.arange(50) == 3, np.nan, truth))
    labels = np.array(["a", "b"] * 25)
    with pytest.raises(NotEvaluated, match="gives no probabilities"):
        fit_intervals(IntervalsSpec(), Predictions(labels, None, ("a", "b")), labels)
    with pytest.raises(NotEvaluated, match="knows no class b"):
        fit_intervals(IntervalsSpec(), Predictions(labels, np.ones((50, 1)), ("a",)), labels)


def test_training_fits_them_on_validation_rows_or_says_why_not(mixed) -> None:
    case, validation = mixed(RIDGE, "number"), held_out("number")
    trained = case.train(validation)
    misses = np.abs(validation["label"] - trained.pipeline.predict(validation)).sort_values()
    assert trained.intervals and trained.intervals.rows == 240
    assert trained.intervals.threshold == misses.iloc[217 - 1]
    assert trained.intervals_note == "90% coverage, fitted on 240 validation rows"
    notes = {
        None: "there are no validation rows",
        8: "8 validation rows, intervals of 90% coverage need 9",
    }
    for rows, note in notes.items():
        few = case.train(None if rows is None else validation.head(rows))
        assert (few.intervals, few.intervals_note) == (None, note)
    off = mixed(RIDGE, "number", intervals=None).train(validation)
    assert (off.intervals, off.intervals_note) == (None, "switched off by model.intervals")
