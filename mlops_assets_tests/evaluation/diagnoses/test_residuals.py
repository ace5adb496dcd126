from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.evaluation.diagnoses.residual_bias import segments_of, simultaneous_band, size_interval
from mlops_assets.evaluation.diagnoses.residual_tests import (
    anderson_darling,
    breusch_pagan,
    breusch_pagan_f,
    durbin_watson,
    excess_kurtosis,
    jarque_bera,
    levene,
    ljung_box,
    shapiro_wilk,
    skewness,
)
from mlops_assets.evaluation.diagnoses.residuals import INFO, examine
from mlops_assets.evaluation.diagnosis import Diagnosis, Measure, Subject
from mlops_assets.metrics.bootstrap import Bootstrap
from mlops_assets.metrics.outcomes import Predictions
from mlops_assets_tests.evaluation.conftest import Case


def measure(found: Diagnosis, name: str) -> Measure:
    return next(one for one in found.measures if one.name == name)


def subject(case: Case, errors: np.ndarray, truth: np.ndarray | None = None, **changes: object) -> Subject:
    """The regression case with made-up truth and errors."""
    truth = np.random.default_rng(1).normal(100, 10, len(errors)) if truth is None else truth
    rng = np.random.default_rng(2)
    test = pd.DataFrame({name: rng.normal(size=len(errors)) for name in case.features.names}).assign(goal=truth)
    made = Subject(
        case.spec, case.features, None, test, test.iloc[:0], Predictions(truth + errors), Bootstrap(resamples=400)
    )
    return replace(made, **changes)  # pyright: ignore[reportArgumentType]


def timed(made: Subject, moments: object) -> Subject:
    split = made.spec.features.split.model_copy(update={"time": "sold"})
    features = made.spec.features.model_copy(update={"split": split})
    spec = made.spec.model_copy(update={"features": features})
    return replace(made, spec=spec, test=made.test.assign(**{"@sold": moments}))


def fitted(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Residuals and regressors of statsmodels' own examples."""
    import statsmodels.api as sm

    datasets: Any = sm.datasets

    if name == "longley":
        data = datasets.longley.load_pandas()
        target, inputs = data.endog, data.exog
    else:
        data = datasets.statecrime.load_pandas().data
        target, inputs = data["murder"], data[["urban", "poverty", "hs_grad", "single"]]
    model = sm.OLS(target, sm.add_constant(inputs)).fit()
    return np.asarray(model.resid), inputs.to_numpy(dtype=float)


GOLDEN = {
    "longley": {
        jarque_bera: (0.68413559, 0.71030005),
        shapiro_wilk: (0.94860180, 0.46786640),
        breusch_pagan: (2.50966321, 0.86738463),
        durbin_watson: (2.55948769, None),
    },
    "statecrime": {
        jarque_bera: (0.83100739, 0.66000776),
        shapiro_wilk: (0.97035047, 0.22868797),
        breusch_pagan: (10.79403429, 0.02897896),
        breusch_pagan_f: (3.08738746, 0.02472008),
        anderson_darling: (0.49493813, 0.20560952),
        durbin_watson: (2.50710581, None),
    },
}


@pytest.mark.parametrize("name", ["longley", "statecrime"])
def test_golden_numbers_of_statsmodels(name: str) -> None:
    errors, inputs = fitted(name)
    for test, (statistic, p) in GOLDEN[name].items():
        found = test(errors, inputs) if test in (breusch_pagan, breusch_pagan_f) else test(errors)
        assert found.statistic == pytest.approx(statistic, abs=6e-9), found.name
        if p is not None:
            assert found.p == pytest.approx(p, abs=6e-9), found.name


def test_golden_numbers_of_the_nile() -> None:
    import statsmodels.api as sm

    datasets: Any = sm.datasets

    volume = datasets.nile.load_pandas().data["volume"].to_numpy()
    errors = volume - volume.mean()
    found = ljung_box(errors, 10)
    assert found.statistic == pytest.approx(88.12687155, abs=6e-9)
    assert found.p == pytest.approx(1.26e-14, rel=5e-3)
    assert durbin_watson(errors).statistic == pytest.approx(0.97763766, abs=6e-9)


@pytest.mark.parametrize("scale", [0.05, 0.3, 0.6, 1.2, 5.0])
def test_anderson_darling_agrees_with_statsmodels_in_every_branch_of_its_p(scale: float) -> None:
    from statsmodels.stats.diagnostic import normal_ad

    rng = np.random.default_rng(3)
    quantiles = np.sort(rng.normal(size=60))
    errors = quantiles + scale * (rng.exponential(size=60) if scale > 0.05 else 0)
    found = anderson_darling(errors)
    assert (found.statistic, found.p) == pytest.approx(normal_ad(errors))


@pytest.mark.parametrize("test", [shapiro_wilk, jarque_bera, anderson_darling, durbin_watson, ljung_box, skewness])
def test_a_p_value_is_at_its_level_where_the_errors_are_as_supposed(test: object) -> None:
    rng = np.random.default_rng(4)
    rejected = np.mean([test(rng.normal(size=200)).p < 0.05 for _ in range(600)])  # pyright: ignore[reportCallIssue]
    assert 0.02 <= rejected <= 0.08


def test_spread_that_grows_is_found_and_equal_spread_is_not() -> None:
    rng = np.random.default_rng(5)
    by = rng.uniform(1, 5, 900)
    noise = rng.normal(size=900)
    growing, equal = by * noise, noise
    groups = np.digitize(by, [2.3, 3.7])
    for found in (breusch_pagan(growing, by[:, None]), levene(growing, groups)):
        assert found.p is not None and found.p < 1e-9
    for found in (breusch_pagan(equal, by[:, None]), levene(equal, groups)):
        assert found.p is not None and found.p > 0.05
    spread = levene(growing, groups).effect
    assert spread is not None and spread > 2


def test_a_regressor_told_twice_or_constant_counts_once() -> None:
    rng = np.random.default_rng(6)
    by, errors = rng.normal(size=(80, 2)), rng.normal(size=80)
    padded = np.column_stack([by, 1000 + 2 * by[:, 0], np.full(80, 7.0)])
    once, twice = breusch_pagan(errors, by), breusch_pagan(errors, padded)
    assert (twice.statistic, twice.p) == pytest.approx((once.statistic, once.p))


def test_shapiro_says_that_it_saw_a_part_and_repeats_it() -> None:
    errors = np.random.default_rng(7).standard_t(10, 6000)
    found = shapiro_wilk(errors, seed=3)
    assert found.rows == 5000
    assert found.note == "on 5,000 of 6,000 rows, drawn with seed 3"
    assert found == shapiro_wilk(errors, seed=3) != shapiro_wilk(errors, seed=4)


@pytest.mark.parametrize("errors", [np.ones(50), np.zeros(50), np.arange(7.0)])
def test_errors_without_spread_or_rows_give_no_number(errors: np.ndarray) -> None:
    groups = np.arange(len(errors)) % 2
    several = [shapiro_wilk, jarque_bera, anderson_darling, durbin_watson, ljung_box, skewness, excess_kurtosis]
    found = [test(errors) for test in several]
    for one in [*found, levene(errors, groups), breusch_pagan(errors, np.arange(len(errors))[:, None])]:
        assert (one.statistic, one.p, one.effect) == (None, None, None)
        assert one.note in ("the errors are all equal", "7 rows, 8 are needed")


@settings(max_examples=40, deadline=None)
@given(st.floats(1e-3, 1e6), st.floats(-1e3, 1e3), st.integers(0, 99))
def test_shape_does_not_depend_on_unit_or_bias(scale: float, shift: float, seed: int) -> None:
    errors = np.random.default_rng(seed).gamma(2, size=60)
    for test in (shapiro_wilk, jarque_bera, anderson_darling, ljung_box, skewness, excess_kurtosis):
        assert test(scale * (errors + shift)).statistic == pytest.approx(test(errors).statistic, rel=1e-5, abs=1e-7)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=60))
def test_segments_keep_order_and_equal_predictions_together(values: list[int]) -> None:
    predicted = np.array(values, dtype=float)
    found = segments_of(predicted)
    assert set(found) == set(range(found.max() + 1))
    assert found.max() < 10
    order = np.argsort(predicted, kind="stable")
    assert (np.diff(found[order]) >= 0).all()
    assert all(len(set(found[predicted == value])) == 1 for value in set(values))


def test_distinct_predictions_fall_into_equal_tenths() -> None:
    assert np.bincount(segments_of(np.random.default_rng(0).permutation(500))).tolist() == [50] * 10


def test_size_intervals_lose_the_sign() -> None:
    assert size_interval((-3, -1)) == (1, 3)
    assert size_interval((1, 3)) == (1, 3)
    assert size_interval((-3, 1)) == (0, 3)


def test_the_band_covers_all_true_means_at_once() -> None:
    rng = np.random.default_rng(8)
    held = 0
    for _ in range(300):
        sample = rng.normal(size=(10, 40))
        draws = rng.integers(0, 40, size=(300, 40))
        band = simultaneous_band(sample.mean(axis=1), sample[:, draws].mean(axis=2).T, 0.95)
        assert band is not None
        held += bool((np.abs(sample.mean(axis=1)) <= band).all())
    # Ten separate 95 % intervals would hold together in about 60 % of the cases.
    assert 0.88 <= held / 300 <= 0.985


def test_bias_is_the_size_of_the_mean_error_and_says_its_side(regression: Case) -> None:
    noise = np.random.default_rng(9).normal(size=600)
    for sign, side in ((1, "too much"), (-1, "too little")):
        made = subject(regression, sign * 5 + noise)
        found = measure(examine(made), "bias")
        expected = abs((sign * 5 + noise).mean()) / np.asarray(made.truth).std()
        assert found.value == pytest.approx(expected)
        assert found.note == f"predicts {side}"
        assert found.interval is not None and 0.4 < found.interval[0] < expected < found.interval[1] < 0.6


def test_a_biased_tenth_is_found_where_the_whole_is_not_biased(regression: Case) -> None:
    rng = np.random.default_rng(10)
    truth = np.sort(rng.normal(100, 10, 1000))
    errors = rng.normal(size=1000)
    errors[:100] -= 8
    errors[100:] -= errors.mean() * 1000 / 900
    found = examine(subject(regression, errors, truth))
    bias, worst = measure(found, "bias"), measure(found, "largest_segment_bias")
    assert bias.value == pytest.approx(0, abs=1e-9)
    assert worst.value == pytest.approx(0.8, abs=0.05)
    assert worst.interval is not None and worst.interval[0] > 0.7
    assert worst.rows == 100
    first = found.tables[1].rows[0]
    assert first[3] == pytest.approx(-8, abs=0.5)
    assert isinstance(first[4], float) and isinstance(first[5], float) and first[4] < -8 < first[5] < -7


def test_unbiased_errors_keep_the_lower_end_at_zero(regression: Case) -> None:
    rng = np.random.default_rng(11)
    above = 0
    for _ in range(60):
        errors = rng.normal(size=400)
        # The prediction is what the errors must not depend on, so the truth is made from it.
        found = measure(examine(subject(regression, errors, rng.normal(100, 10, 400) - errors)), "largest_segment_bias")
        assert found.interval is not None
        above += found.interval[0] > 0
    # Stated: 5 %; three standard errors of 60 runs above it are 13 %.
    assert above / 60 <= 0.13


def test_autocorrelation_is_judged_in_time_order_and_only_there(regression: Case) -> None:
    rng = np.random.default_rng(12)
    walk = np.zeros(400)
    for index in range(1, 400):
        walk[index] = 0.8 * walk[index - 1] + rng.normal()
    shuffled = rng.permutation(400)
    made = subject(regression, 50 + walk[shuffled])
    without = measure(examine(made), "autocorrelation_effect")
    assert without.value is None
    assert without.note == "rows have no order: features.split.time is not declared"
    moments = pd.Timestamp("2020-01-01") + pd.to_timedelta(shuffled, unit="D")
    ordered = measure(examine(timed(made, moments)), "autocorrelation_effect")
    assert ordered.value == pytest.approx(2 - durbin_watson(walk - walk.mean()).statistic)  # pyright: ignore
    assert ordered.value is not None and ordered.value > 1.3
    assert measure(examine(timed(made, 3)), "autocorrelation_effect").note == "all rows are of one 'sold'"
    mixed = measure(examine(timed(made, np.arange(400))), "autocorrelation_effect")
    assert mixed.value is not None and mixed.value < 0.3


def test_shape_and_spread_become_measures(regression: Case) -> None:
    rng = np.random.default_rng(13)
    truth = rng.normal(100, 10, 2000)
    skewed = examine(subject(regression, -rng.exponential(size=2000), truth))
    assert measure(skewed, "abs_skew").value == pytest.approx(2, abs=0.5)
    assert measure(skewed, "excess_kurtosis").value == pytest.approx(6, abs=3.5)
    for name in ("abs_skew", "excess_kurtosis"):
        one = measure(skewed, name)
        assert one.value is not None and one.interval is not None and 0 < one.interval[0] <= one.value
    growing = examine(subject(regression, rng.normal(size=2000) * np.abs(truth - 60) / 10, truth))
    level = examine(subject(regression, rng.normal(size=2000), truth))
    large, small = (measure(found, "heteroscedasticity_effect").value for found in (growing, level))
    assert large is not None and small is not None and large > 0.05 > 0.01 > small


def test_a_constant_bias_is_neither_spread_nor_order(regression: Case) -> None:
    errors = np.random.default_rng(14).normal(size=300)
    for name in ("heteroscedasticity_effect", "autocorrelation_effect", "abs_skew", "excess_kurtosis"):
        values = []
        for shift in (0, 40):
            truth = np.random.default_rng(15).normal(100, 10, 300)
            values.append(measure(examine(timed(subject(regression, errors + shift, truth), np.arange(300))), name))
        assert values[0].value == pytest.approx(values[1].value, rel=1e-6)


@pytest.mark.parametrize(
    ("errors", "truth", "missing"),
    [
        (np.zeros(100), None, {"heteroscedasticity_effect", "abs_skew", "excess_kurtosis", "largest_segment_bias"}),
        (np.arange(5.0), None, set(INFO.measures)),
        (np.arange(40.0), np.full(40, 3.0), set(INFO.measures)),
        (np.full(40, np.nan), None, set(INFO.measures)),
        (np.zeros(0), np.zeros(0), set(INFO.measures)),
    ],
)
def test_what_cannot_be_computed_says_why(
    regression: Case, errors: np.ndarray, truth: np.ndarray | None, missing: set[str]
) -> None:
    found = examine(subject(regression, errors, truth))
    assert {one.name for one in found.measures} == set(INFO.measures)
    assert {one.name for one in found.measures if one.value is None} == missing | {"autocorrelation_effect"}
    assert all(one.note for one in found.measures if one.value is None)
    Diagnosis.model_validate_json(found.model_dump_json())


def test_groups_that_err_together_widen_the_interval(regression: Case) -> None:
    rng = np.random.default_rng(16)
    errors = np.repeat(rng.normal(size=40), 20) + 0.1 * rng.normal(size=800)
    made = subject(regression, errors)
    grouped = replace(
        made,
        features=made.features.model_copy(update={"group": "site"}),
        test=made.test.assign(**{"@site": np.repeat(np.arange(40), 20)}),
    )
    alone, together = (measure(examine(one), "bias").interval for one in (made, grouped))
    assert alone is not None and together is not None
    assert together[1] - together[0] > 1.5 * (alone[1] - alone[0])


def test_examining_twice_gives_the_same(regression: Case) -> None:
    made = subject(regression, np.random.default_rng(17).normal(size=300))
    assert examine(made) == examine(made)
