from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, rankdata, t

from mlops_assets.comparison.delong import delong, place
from mlops_assets.errors import NotEvaluated


@pytest.fixture(scope="session")
def hemorrhage(golden_data: Path) -> pd.DataFrame:
    """pROC's example: 113 patients, three markers of a poor outcome."""
    return pd.read_csv(golden_data / "aSAH.csv")


def poor(rows: pd.DataFrame) -> np.ndarray:
    return (rows["outcome"] == "Poor").to_numpy()


def marker(rows: pd.DataFrame, name: str) -> np.ndarray:
    return rows[name].to_numpy(dtype=np.float64)


@pytest.mark.parametrize(
    ("first", "second", "z", "p"),
    [
        ("wfns", "s100b", 2.20898359144091, 0.0271757822291882),
        ("wfns", "ndka", 2.79777591868904, 0.00514557970691098),
        ("ndka", "s100b", -1.39077002573558, 0.164295175223054),
    ],
)
def test_differences_of_areas_are_those_of_proc(
    hemorrhage: pd.DataFrame, first: str, second: str, z: float, p: float
) -> None:
    found = delong(marker(hemorrhage, first), marker(hemorrhage, second), poor(hemorrhage))
    assert found.statistic == pytest.approx(z, abs=1e-12)
    assert found.p_value == pytest.approx(p, abs=1e-12)


def test_areas_interval_and_one_sided_p_are_those_of_proc(hemorrhage: pd.DataFrame) -> None:
    wfns, s100b = marker(hemorrhage, "wfns"), marker(hemorrhage, "s100b")
    assert place(wfns, poor(hemorrhage)).area == pytest.approx(0.82367886, abs=1e-8)
    assert place(s100b, poor(hemorrhage)).area == pytest.approx(0.73136856, abs=1e-8)
    found = delong(wfns, s100b, poor(hemorrhage))
    assert found.interval == pytest.approx((0.0104061769564846, 0.174214419249478), abs=1e-12)
    assert found.statistic is not None
    assert norm.sf(found.statistic) == pytest.approx(0.0135878911145941, abs=1e-12)


def test_variances_of_single_areas_give_procs_unpaired_test(hemorrhage: pd.DataFrame) -> None:
    first, second = (place(marker(hemorrhage, name), poor(hemorrhage)) for name in ("wfns", "s100b"))
    statistic = (first.area - second.area) / np.sqrt(first.variance + second.variance)
    freedom = (first.variance + second.variance) ** 2 / (first.variance**2 + second.variance**2) * (len(hemorrhage) - 1)
    assert statistic == pytest.approx(1.43490640926908, abs=1e-12)
    assert 2 * t.sf(statistic, freedom) == pytest.approx(0.152825378808796, abs=1e-12)


@given(scores=st.lists(st.integers(0, 6), min_size=8, max_size=40), positives=st.integers(2, 6))
def test_placements_are_differences_of_midranks(scores: list[int], positives: int) -> None:
    values, is_positive = np.array(scores, dtype=float), np.arange(len(scores)) < positives
    found, ranks = place(values, is_positive), rankdata(values)
    np.testing.assert_array_equal(found.positives / 2, ranks[is_positive] - rankdata(values[is_positive]), strict=False)
    behind = ranks[~is_positive] - rankdata(values[~is_positive])
    np.testing.assert_array_equal(found.negatives / 2, positives - behind)


@settings(max_examples=50)
@given(seed=st.integers(0, 1000), tied=st.booleans())
def test_only_the_order_of_scores_matters(seed: int, tied: bool) -> None:
    rng = np.random.default_rng(seed)
    is_positive = np.arange(40) % 3 == 0
    ours, theirs = (np.round(rng.normal(size=40) + is_positive, 0 if tied else 8) for _ in range(2))
    found = delong(ours, theirs, is_positive)
    assert delong(np.exp(ours), 3 * theirs - 7, is_positive) == found
    order = rng.permutation(40)
    shuffled = delong(ours[order], theirs[order], is_positive[order])
    assert shuffled.interval == pytest.approx(found.interval, abs=1e-12)


def test_equal_curves_differ_by_nothing_for_sure() -> None:
    scores, is_positive = np.random.default_rng(1).random(50), np.arange(50) % 2 == 0
    for other in (scores, scores * 2):
        found = delong(scores, other, is_positive)
        assert (found.value, found.statistic, found.p_value, found.interval) == (0, 0, 1, (0, 0))


def test_scores_that_say_nothing_have_half_the_area_and_no_variance() -> None:
    found = place(np.ones(20), np.arange(20) < 8)
    assert (found.area, found.variance) == (0.5, 0)


@pytest.mark.parametrize(("positives", "decided"), [(3, False), (5, False), (6, True), (200, True)])
def test_a_perfect_ranking_beats_a_constant_score_only_with_rows_enough(positives: int, decided: bool) -> None:
    is_positive = np.arange(3 * positives) < positives
    perfect, constant = is_positive.astype(float), np.zeros(3 * positives)
    found = delong(perfect, constant, is_positive)
    assert found.value == 0.5
    assert (found.interval[0] > 0) is decided
    assert (found.p_value < 0.05) is decided
    assert found.note == f"the same on every row, so a sign test of {positives} rows stands in for the variance"
    assert delong(constant, perfect, is_positive).interval == (-found.interval[1], -found.interval[0])


def test_one_row_of_a_class_has_no_variance() -> None:
    with pytest.raises(NotEvaluated, match="1 positive and 9 negative rows, two of each are needed"):
        delong(np.arange(10.0), np.ones(10), np.arange(10) == 0)
