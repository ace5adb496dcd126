import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, uniform

from mlops_assets.model.conformal import (
    Sets,
    calibration_scores,
    cumulative_scores,
    label_scores,
    mondrian_thresholds,
    quantile_edges,
    rank_needed,
    threshold,
)


def test_coverage_of_a_thousand_rows_is_beta_901_100() -> None:
    """Section 8: U(0,1) scores make the threshold the coverage itself."""
    from scipy.stats import beta

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
        assert (scores.min(axis=1) == 0).all(), "the likeliest label is in every set"


def test_adaptive_scores_lie_between_the_probability_before_the_label_and_that_down_to_it() -> None:
    stated = np.array([[0.2, 0.7, 0.1]])
    assert label_scores(stated, "adaptive") == pytest.approx(np.array([[0.7, 0.0, 0.9]]))
    assert cumulative_scores(stated) == pytest.approx(np.array([[0.9, 0.7, 1.0]]))
    assert label_scores(stated) == pytest.approx(np.array([[0.8, 0.3, 0.9]]))
    many, columns = np.repeat(stated, 3000, axis=0), np.repeat([0, 1, 2], 1000)
    scores = calibration_scores(many, columns, "adaptive").reshape(3, 1000)
    for (low, high), own in zip([(0.7, 0.9), (0.0, 0.7), (0.9, 1.0)], scores, strict=True):
        assert low <= own.min() and own.max() <= high
        assert kstest(own, uniform(low, high - low).cdf).pvalue > 0.01
    assert (calibration_scores(many, columns, "adaptive").reshape(3, 1000) == scores).all(), (
        "equal rows have equal scores"
    )
    assert calibration_scores(stated, np.array([0])).tolist() == [0.8]


def outcomes(rows: int, classes: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, of which four in five are near 0 or 1, and the truths that they give."""
    sure, hard = (rng.dirichlet([concentration] * classes, rows) for concentration in (0.05, 1.0))
    given = np.where(rng.uniform(size=(rows, 1)) < 4 / 5, sure, hard)
    truth = (rng.uniform(size=(rows, 1)) > given.cumsum(axis=1)).sum(axis=1)
    return given, np.minimum(truth, classes - 1)


@pytest.mark.parametrize("classes", [2, 3, 6])
@pytest.mark.parametrize("power", [1.0, 3.0, 0.3], ids=["calibrated", "overconfident", "underconfident"])
def test_adaptive_sets_cover_as_stated_and_leave_no_row_without_a_label(classes: int, power: float) -> None:
    """Of 600 calibrations of 99 rows; the randomised scores, which the sets contain, cover 90 of 100 exactly."""
    rng = np.random.default_rng(classes)
    covered, exactly, empty_before, sizes = [], [], [], []
    for _ in range(600):
        given, truth = outcomes(299, classes, rng)
        stated = given**power / (given**power).sum(axis=1, keepdims=True)
        scores = calibration_scores(stated, truth, "adaptive")
        limit = threshold(scores[:99], 0.9)
        assert limit is not None
        sets = label_scores(stated[99:], "adaptive") <= limit
        assert sets.any(axis=1).all()
        surest = stated[99:].max(axis=1) >= np.median(stated[99:].max(axis=1))
        sizes.append((sets[surest].sum(axis=1).mean(), sets[~surest].sum(axis=1).mean()))
        covered.append(sets[np.arange(200), truth[99:]].mean())
        exactly.append((scores[99:] <= limit).mean())
        earlier = cumulative_scores(stated)
        least = threshold(earlier[np.arange(99), truth[:99]], 0.9)
        empty_before.append(not (earlier[99:] <= least).any(axis=1).all())
    error = np.std(covered) / 600**0.5
    assert np.mean(covered) >= 0.9 - 3 * error
    assert np.mean(exactly) == pytest.approx(0.9, abs=3 * float(np.std(exactly)) / 600**0.5)
    on_sure, on_hard = np.mean(sizes, axis=0)
    assert on_sure <= on_hard
    if power < 1 and classes > 2:
        assert np.mean(empty_before) > 0.3, "the scores of earlier releases would have left rows without a label"


@given(values_=st.lists(st.integers(-3, 3), min_size=1, max_size=50))
def test_every_part_between_quantiles_has_rows(values_: list[int]) -> None:
    numbers = np.array(values_, dtype=float)
    edges = quantile_edges(numbers)
    parts = np.searchsorted(edges, numbers, side="right")
    assert set(parts) == set(range(len(edges) + 1)) and len(edges) <= 3
