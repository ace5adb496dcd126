"""Residuals: what a regression's errors do to those who rely on it, and the tests that explain it."""

from dataclasses import replace

import numpy as np
import pandas as pd
from pydantic import Field

from mlops_assets.errors import NotEvaluated
from mlops_assets.evaluation.diagnoses.residual_bias import biases, replicates_of, segments_of, size_interval
from mlops_assets.evaluation.diagnoses.residual_tests import (
    ResidualTest,
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
from mlops_assets.evaluation.diagnosis import Diagnosis, Measure, Row, Subject, Table
from mlops_assets.evaluation.diagnosis_catalogue import DIAGNOSES
from mlops_assets.metrics.formatting import figure, interval_text
from mlops_assets.metrics.intervals import UNDEFINED_AT_MOST, expanded_confidence, percentile_interval, undefined_share
from mlops_assets.metrics.outcomes import Outcomes

INFO = DIAGNOSES["residuals"]
FEWEST_MOMENT_ROWS = 8
ROWS_PER_REGRESSOR = 10
"""Fewer rows than this per regressor explain squared errors by chance."""
QUANTILES = (0.001, 0.005, 0.01, 0.025, *(step / 20 for step in range(1, 20)), 0.975, 0.99, 0.995, 0.999)
"""Shares of the errors whose quantiles are compared with a normal distribution's."""
ROUNDING = 1e-9
"""Share of the target's SD up to which the spread of errors is rounding."""


class TestRow(Row):
    """What one test says."""

    table = "tests"

    test: str
    statistic: float | None
    p: float | None
    effect: float | None
    effect_is: str
    rows: int
    note: str


class QuantileRow(Row):
    """One quantile of the errors."""

    table = "quantiles"

    share: float = Field(title="share below")
    error: float
    normal: float = Field(title="if normal")
    """The same quantile of a normal distribution of equal mean and SD."""


def examine(subject: Subject) -> Diagnosis:
    """Bias overall and by predicted value, and the shape, spread and order of the errors.

    An error is prediction minus truth: positive where the model predicts too much.
    """
    from threadpoolctl import threadpool_limits

    try:
        outcomes = subject.outcomes
    except NotEvaluated as reason:
        return Diagnosis.not_evaluated(INFO, str(reason), len(subject.test))
    if len(outcomes) < FEWEST_MOMENT_ROWS:
        return Diagnosis.not_evaluated(INFO, f"{len(outcomes)} rows, {FEWEST_MOMENT_ROWS} are needed", len(outcomes))
    errors = outcomes.predicted - outcomes.truth
    if outcomes.truth.std() <= ROUNDING * abs(outcomes.truth).max():
        return Diagnosis.not_evaluated(INFO, "the target is constant", len(outcomes))
    # The order of a sum, and so its last digits, would follow the number of threads.
    with threadpool_limits(limits=1, user_api="blas"):
        return _examine(subject, outcomes, errors)


def _examine(subject: Subject, outcomes: Outcomes, errors: np.ndarray) -> Diagnosis:
    segments = segments_of(outcomes.predicted)
    spread = replicates_of(outcomes, segments, subject.groups, subject.bootstrap)
    tests = _tests(errors, outcomes.predicted, subject)
    confidence = expanded_confidence(subject.bootstrap.confidence, max(subject.units, 2))
    measures, bands = biases(outcomes, segments, spread, confidence)
    measures += _shapes(tests, spread, confidence)
    return Diagnosis(
        name=INFO.name,
        title=INFO.title,
        headline=_headline(errors, measures),
        measures=measures,
        tables=[_tests_table(tests), bands, _quantile_table(errors)],
        notes=_notes(subject),
    )


def _tests(errors: np.ndarray, predicted: np.ndarray, subject: Subject) -> dict[str, ResidualTest]:
    if errors.std() <= ROUNDING * subject.outcomes.truth.std():
        errors = errors * 0.0
    tests = {
        "shapiro_wilk": shapiro_wilk(errors, subject.bootstrap.seed),
        "jarque_bera": jarque_bera(errors),
        "anderson_darling": anderson_darling(errors),
        **_breusch_pagan(errors, predicted, subject),
        "levene": levene(errors, segments_of(predicted, 3)),
        "skew": skewness(errors),
        "kurtosis": excess_kurtosis(errors),
    }
    order, note = time_order(subject)
    # A constant bias would look like autocorrelation; it is measured as bias.
    ordered = (errors - errors.mean())[order]
    for name, test in (("durbin_watson", durbin_watson(ordered)), ("ljung_box", ljung_box(ordered))):
        tests[name] = test if len(order) else _unordered(test, len(errors), note)
    return tests


def time_order(subject: Subject) -> tuple[np.ndarray, str]:
    """Positions of the test rows from old to new; none, with the reason, where rows have no order."""

    time = subject.spec.features.split.time
    if time is None:
        return np.arange(0), "rows have no order: features.split.time is not declared"
    if f"@{time}" not in subject.test:
        return np.arange(0), f"the rows carry no column {time!r}"
    moments = pd.Series(subject.test[f"@{time}"]).reset_index(drop=True)
    if moments.nunique() < 2:
        return np.arange(0), f"all rows are of one {time!r}"
    return moments.dropna().sort_values(kind="stable").index.to_numpy(), ""


def _breusch_pagan(errors: np.ndarray, predicted: np.ndarray, subject: Subject) -> dict[str, ResidualTest]:
    """On the prediction and the numeric features; on the prediction alone where rows are few."""

    names = [column.name for column in subject.features.columns if column.kind == "numeric"]
    numbers = subject.test[names].to_numpy(dtype=np.float64)
    numbers = numbers[:, np.isfinite(numbers).any(axis=0)]
    by, note = "prediction and numeric features", ""
    if len(errors) < ROWS_PER_REGRESSOR * (1 + numbers.shape[1]):
        numbers, by = numbers[:, :0], "prediction alone"
        note = f"; fewer than {ROWS_PER_REGRESSOR} rows per numeric feature"
    middle = np.nanmedian(numbers, axis=0) if numbers.size else 0.0
    filled = np.where(np.isfinite(numbers), numbers, middle)
    # About their mean: a constant bias is no spread.
    regressors = np.column_stack([predicted, filled])
    tests = {"breusch_pagan": breusch_pagan, "breusch_pagan_f": breusch_pagan_f}
    results = {name: test(errors - errors.mean(), regressors) for name, test in tests.items()}
    return {name: replace(result, note=result.note or f"by {by}{note}") for name, result in results.items()}


def _unordered(test: ResidualTest, rows: int, note: str) -> ResidualTest:
    return replace(test, statistic=None, p=None, effect=None, rows=rows, note=note)


def _shapes(tests: dict[str, ResidualTest], spread: dict[str, np.ndarray] | None, confidence: float) -> list[Measure]:
    skew, kurtosis = tests["skew"], tests["kurtosis"]
    return [
        _effect("heteroscedasticity_effect", tests["breusch_pagan"]),
        _effect("autocorrelation_effect", tests["durbin_watson"]),
        _moment("abs_skew", skew, abs(skew.statistic or 0.0), spread, confidence),
        _moment("excess_kurtosis", kurtosis, kurtosis.statistic or 0.0, spread, confidence),
    ]


def _effect(name: str, test: ResidualTest) -> Measure:
    return Measure(name=name, value=test.effect, rows=test.rows, note=test.note)


def _moment(
    name: str, test: ResidualTest, value: float, spread: dict[str, np.ndarray] | None, confidence: float
) -> Measure:
    if test.statistic is None:
        return Measure(name=name, value=None, rows=test.rows, note=test.note)
    if spread is None or undefined_share(spread[name]) > UNDEFINED_AT_MOST:
        return Measure(name=name, value=value, rows=test.rows, note="no interval: too few independent rows or groups")
    interval = percentile_interval(spread[name], test.statistic, confidence)
    return Measure(
        name=name, value=value, interval=size_interval(interval) if name == "abs_skew" else interval, rows=test.rows
    )


def _tests_table(tests: dict[str, ResidualTest]) -> Table:
    rows = [
        TestRow(
            test=test.name,
            statistic=test.statistic,
            p=test.p,
            effect=test.effect,
            effect_is=test.effect_is,
            rows=test.rows,
            note=test.note,
        )
        for test in tests.values()
    ]
    return Table.of(TestRow, "Tests of the errors (prediction minus truth)", rows)


def _quantile_table(errors: np.ndarray) -> Table:
    """Quantiles that enough errors lie beyond, beside those of a normal distribution of equal mean and SD."""
    from scipy.stats import norm

    shares = [share for share in QUANTILES if min(share, 1 - share) * len(errors) >= 1]
    seen = np.quantile(errors, shares)
    normal = errors.mean() + errors.std() * norm.ppf(shares)
    rows = [
        QuantileRow(share=share, error=error, normal=expected)
        for share, error, expected in zip(shares, seen.tolist(), normal.tolist(), strict=True)
    ]
    return Table.of(
        QuantileRow, "Quantiles of the errors, beside those of a normal distribution of equal mean and SD", rows
    )


def _headline(errors: np.ndarray, measures: list[Measure]) -> str:
    bias, segment = measures[:2]
    mean = float(errors.mean())
    side = "too much" if mean > 0 else "too little"
    start = (
        f"On average {figure(abs(mean))} {side}: {figure(bias.value)} SD of the target {interval_text(bias.interval)}"
    )
    if segment.value is None:
        return f"{start}; not evaluated by tenth of the predictions: {segment.note}."
    return (
        f"{start}; at most {figure(segment.value)} SD {interval_text(segment.interval)} in a tenth of the predictions."
    )


def _notes(subject: Subject) -> list[str]:
    notes = [
        "With many rows every test rejects even small departures; judge by the effect, gate by a measure.",
        "Levene compares thirds of the predictions; Durbin-Watson and Ljung-Box see the errors about their mean.",
    ]
    if subject.groups is not None:
        notes.append(
            f"Intervals draw {subject.independence.drawn}, which may err alike: p-values suppose that no rows do."
        )
    return notes
