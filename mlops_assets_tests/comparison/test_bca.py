import numpy as np
import pytest
from scipy.stats import bootstrap, norm

from mlops_assets.comparison.bca import Correction, correct, jackknife
from mlops_assets.metrics.bootstrap import gather_atoms
from mlops_assets.metrics.outcomes import Predictions
from mlops_assets_tests.comparison.pairs import compare


def test_without_bias_and_acceleration_the_percentiles_are_plain() -> None:
    replicates = np.random.default_rng(1).normal(size=2000)
    assert Correction(0, 0).interval(replicates, 0.9) == pytest.approx(np.quantile(replicates, [0.05, 0.95]))


def test_the_p_value_is_one_less_the_confidence_of_the_interval_that_ends_at_zero() -> None:
    replicates = np.random.default_rng(2).gamma(4, size=20_000) - 1.4
    found = Correction(0.05, 0.04)
    p = found.p_value(replicates)
    assert 0.01 < p < 0.3
    interval = found.interval(replicates, 1 - p)
    assert interval is not None
    assert min(map(abs, interval)) < 0.01


def test_the_interval_of_a_skewed_mean_is_that_of_scipy() -> None:
    saved = np.random.default_rng(3).exponential(size=80) - 0.8
    worse = Predictions(saved + 1)
    found = compare(
        "mean_absolute_error", np.zeros(80), Predictions(np.ones(80)), worse, resamples=20_000, method="bca"
    )
    expected = bootstrap((np.abs(saved + 1),), lambda x, axis: x.mean(axis) - 1, n_resamples=20_000, rng=4)
    low, high = expected.confidence_interval
    assert found.test == "paired bootstrap (BCa)"
    assert found.interval == pytest.approx((low, high), abs=0.012)
    plain = compare("mean_absolute_error", np.zeros(80), Predictions(np.ones(80)), worse, method="bootstrap")
    assert found.interval[0] > plain.interval[0]
    assert found.interval[1] > plain.interval[1]


@pytest.mark.parametrize("grouped", [False, True], ids=["rows", "groups"])
def test_the_jackknife_leaves_out_each_row_or_group_once(grouped: bool) -> None:
    values = np.random.default_rng(5).integers(0, 4, 60)
    groups = np.arange(60) // 6 if grouped else None
    atoms = gather_atoms([values], groups)
    assert (atoms.of_row is None) is grouped or len(atoms.row) < 60
    found = jackknife(lambda weights: weights @ values[atoms.row] / weights.sum(axis=1), atoms)
    unit = np.arange(60) if groups is None else groups
    expected = [values[unit != one].mean() for one in range(unit.max() + 1)]
    np.testing.assert_allclose(np.sort(found), np.sort(expected))


def test_blocks_of_rows_show_the_same_acceleration_as_single_rows() -> None:
    values = np.random.default_rng(6).exponential(size=20_000)
    replicates = np.random.default_rng(7).normal(values.mean(), 0.01, 500)
    atoms = gather_atoms([values])
    left_out = jackknife(lambda weights: weights @ values / weights.sum(axis=1), atoms)
    assert len(left_out) == 200
    found = correct(replicates, float(values.mean()), left_out)
    assert found is not None
    # Skewness 2 over 6 √n; three standard errors of a skewness from 200 blocks, √(6/200) over 6 √200, are 0.006.
    assert found.acceleration == pytest.approx(2 / (6 * np.sqrt(20_000)), abs=0.006)


def test_bias_is_where_the_value_lies_among_its_replicates() -> None:
    replicates = np.arange(1000.0)
    found = correct(replicates, 699.5, np.array([1.0, 2, 3]))
    assert found is not None
    assert found.bias == pytest.approx(norm.ppf(0.7))
    assert found.acceleration == pytest.approx(0)


@pytest.mark.parametrize("left_out", [[1.0, 1, 1], [1.0, np.nan, 2]], ids=["no spread", "undefined"])
def test_a_jackknife_that_says_nothing_gives_no_correction(left_out: list[float]) -> None:
    assert correct(np.arange(100.0), 50, np.array(left_out)) is None


def test_where_bca_is_undefined_percentiles_are_given_and_said_to_be() -> None:
    truth = np.zeros(40)
    found = compare("mean_absolute_error", truth, Predictions(truth + 1), Predictions(truth + 2), method="bca")
    assert found.test == "paired bootstrap (percentile)"
    assert found.note == "BCa is undefined without spread on both sides, so percentiles are given"
    assert found.interval == (1, 1)
