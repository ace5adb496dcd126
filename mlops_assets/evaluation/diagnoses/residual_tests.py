"""Residual tests: what the errors of a regression look like beside independent normal ones of equal spread."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, SupportsFloat

import numpy as np

FEWEST_ROWS = 8
MOST_SHAPIRO_ROWS = 5_000
"""Up to which Royston's p-value of Shapiro-Wilk is made for."""
MOST_LAGS = 10
COLLINEAR = 1e-9
"""Share of the largest singular value below which a direction is rounding."""
EXPLAINED = "R² of the squared errors"
UNEXPLAINABLE = "nothing to explain the squared errors by, or too few rows for it"


@dataclass(frozen=True)
class ResidualTest:
    """One test; None where the errors cannot give it."""

    name: str
    statistic: float | None
    p: float | None
    """Probability of a statistic at least as large if the errors were as the test supposes."""
    effect: float | None
    """How large the departure is, whatever the number of rows; 0 is none (Levene: 1)."""
    effect_is: str
    """What the effect measures."""
    rows: int
    note: str = ""


def shapiro_wilk(errors: np.ndarray, seed: int = 0) -> ResidualTest:
    """Shapiro-Wilk test of normality (Shapiro and Wilk 1965, Royston 1995), of at most 5,000 rows by ``seed``."""
    from scipy import stats

    named = _unmeasured("Shapiro-Wilk", "1 - W", errors)
    if named.note:
        return named
    note = ""
    if len(errors) > MOST_SHAPIRO_ROWS:
        note = f"on {MOST_SHAPIRO_ROWS:,} of {len(errors):,} rows, drawn with seed {seed}"
        errors = np.random.default_rng(seed).choice(errors, MOST_SHAPIRO_ROWS, replace=False)
    statistic, p = stats.shapiro(_scaled(errors))
    return _measured(named, statistic, p, 1 - statistic, note, len(errors))


def jarque_bera(errors: np.ndarray) -> ResidualTest:
    """Jarque-Bera test of normality by skew and kurtosis (Jarque and Bera 1980)."""
    from scipy import stats

    named = _unmeasured("Jarque-Bera", "JB / rows", errors)
    if named.note:
        return named
    result: Any = stats.jarque_bera(_scaled(errors))
    return _measured(named, result.statistic, result.pvalue, result.statistic / len(errors))


def anderson_darling(errors: np.ndarray) -> ResidualTest:
    """Anderson-Darling test of normality, mean and spread estimated (D'Agostino and Stephens 1986, table 4.9)."""
    from scipy.special import log_ndtr

    named = _unmeasured("Anderson-Darling", "A² / rows", errors)
    if named.note:
        return named
    n = len(errors)
    z = np.sort(_scaled(errors)) * np.sqrt((n - 1) / n)
    statistic = -n - float(((2 * np.arange(1, n + 1) - 1) / n * (log_ndtr(z) + log_ndtr(-z[::-1]))).sum())
    return _measured(named, statistic, _anderson_p(statistic * (1 + 0.75 / n + 2.25 / n**2)), statistic / n)


def _anderson_p(adjusted: float) -> float:
    from math import exp

    if adjusted < 0.2:
        return 1 - exp(-13.436 + 101.14 * adjusted - 223.73 * adjusted**2)
    if adjusted < 0.34:
        return 1 - exp(-8.318 + 42.796 * adjusted - 59.938 * adjusted**2)
    if adjusted < 0.6:
        return exp(0.9177 - 4.279 * adjusted - 1.38 * adjusted**2)
    return exp(1.2937 - 5.709 * adjusted + 0.0186 * adjusted**2) if adjusted <= 13 else 0.0


def breusch_pagan(errors: np.ndarray, regressors: np.ndarray) -> ResidualTest:
    """Koenker's Lagrange multiplier test of unequal spread (Breusch and Pagan 1979, Koenker 1981).

    ``regressors`` has shape (n, k), without a constant; columns that say nothing new are not counted.
    """
    from scipy import stats

    named = _unmeasured("Breusch-Pagan", EXPLAINED, errors)
    share, rank = (0.0, 0) if named.note else _explained(errors, regressors)
    if rank == 0:
        return replace(named, note=named.note or UNEXPLAINABLE)
    statistic = len(errors) * share
    return _measured(named, statistic, stats.chi2.sf(statistic, rank), share)


def breusch_pagan_f(errors: np.ndarray, regressors: np.ndarray) -> ResidualTest:
    """The same as an F test, which holds its level better on few rows (Wooldridge 2013, section 8.3)."""
    from scipy import stats

    named = _unmeasured("Breusch-Pagan F", EXPLAINED, errors)
    share, rank = (0.0, 0) if named.note else _explained(errors, regressors)
    free = len(errors) - rank - 1
    if rank == 0 or share >= 1:
        return replace(named, note=named.note or UNEXPLAINABLE)
    statistic = share / rank / ((1 - share) / free)
    return _measured(named, statistic, stats.f.sf(statistic, rank, free), share)


def _explained(errors: np.ndarray, regressors: np.ndarray) -> tuple[float, int]:
    """R² of the squared errors on ``regressors`` and a constant, with the rank; rank 0 where there is none."""

    squared = errors.astype(np.float64) ** 2
    squared = squared - squared.mean()
    centred = regressors - regressors.mean(axis=0)
    spread = centred.std(axis=0)
    varies = spread > 1e-12 * np.abs(regressors).max(axis=0, initial=0)
    design = centred[:, varies] / spread[varies]
    total = float(squared @ squared)
    if not varies.any() or total == 0:
        return 0.0, 0
    solution, _, rank, _ = np.linalg.lstsq(design, squared, rcond=COLLINEAR)
    if rank >= len(errors) - 1:
        return 0.0, 0
    return 1 - float(((squared - design @ solution) ** 2).sum()) / total, int(rank)


def levene(errors: np.ndarray, groups: np.ndarray) -> ResidualTest:
    """Levene's test of equal spread in ``groups``, about their medians (Brown and Forsythe 1974)."""
    from scipy import stats

    named = _unmeasured("Levene", "largest / smallest SD of a group", errors)
    parts = [errors[groups == group] for group in np.unique(groups)]
    parts = [part for part in parts if len(part) >= FEWEST_ROWS]
    if named.note or len(parts) < 2:
        return replace(named, note=named.note or f"fewer than two groups of {FEWEST_ROWS} rows")
    spreads = [float(part.std()) for part in parts]
    if min(spreads) <= 1e-9 * max(spreads):
        return replace(named, note="the errors of one group are all equal")
    statistic, p = stats.levene(*parts, center="median")
    return _measured(named, statistic, p, max(spreads) / min(spreads))


def durbin_watson(errors: np.ndarray) -> ResidualTest:
    """Durbin-Watson statistic of errors in order (1950); p from the normal limit of the first autocorrelation."""
    from scipy import stats

    named = _unmeasured("Durbin-Watson", "|DW - 2|", errors)
    if named.note:
        return named
    statistic = float((np.diff(errors) ** 2).sum() / (errors**2).sum())
    p = 2 * stats.norm.sf(abs(1 - statistic / 2) * np.sqrt(len(errors)))
    return _measured(named, statistic, p, abs(statistic - 2))


def ljung_box(errors: np.ndarray, lags: int = MOST_LAGS) -> ResidualTest:
    """Ljung-Box test of errors in order (1978); at most a fifth of the rows are lags."""
    from scipy import stats

    named = _unmeasured("Ljung-Box", "largest |autocorrelation|", errors)
    if named.note:
        return named
    n, z = len(errors), _scaled(errors)
    lags = min(lags, max(n // 5, 1))
    correlations = np.array([z[lag:] @ z[:-lag] for lag in range(1, lags + 1)]) / n
    statistic = n * (n + 2) * float((correlations**2 / (n - np.arange(1, lags + 1))).sum())
    note = f"{lags} lags"
    return _measured(named, statistic, stats.chi2.sf(statistic, lags), float(np.abs(correlations).max()), note)


def skewness(errors: np.ndarray) -> ResidualTest:
    """Skew of the errors with D'Agostino's test (1970)."""
    from scipy import stats

    return _moment("Skew", errors, 3, stats.skewtest)


def excess_kurtosis(errors: np.ndarray) -> ResidualTest:
    """Kurtosis of the errors beyond the normal 3, with Anscombe and Glynn's test (1983)."""
    from scipy import stats

    return _moment("Excess kurtosis", errors, 4, stats.kurtosistest)


def _moment(
    name: str, errors: np.ndarray, power: int, test: Callable[[np.ndarray], tuple[float, float]]
) -> ResidualTest:
    named = _unmeasured(name, "|standardised moment, beyond the normal one|", errors)
    if named.note:
        return named
    z = _scaled(errors)
    moment = float((z**power).mean()) - (3 if power == 4 else 0)
    return _measured(named, moment, test(z)[1], abs(moment))


def _unmeasured(name: str, effect_is: str, errors: np.ndarray) -> ResidualTest:
    """The test before it is made, with a note where it cannot be."""

    note = ""
    if len(errors) < FEWEST_ROWS:
        note = f"{len(errors)} rows, {FEWEST_ROWS} are needed"
    elif np.ptp(errors) <= 1e-12 * np.abs(errors).max():
        note = "the errors are all equal"
    return ResidualTest(name, None, None, None, effect_is, len(errors), note)


def _measured(
    named: ResidualTest, statistic: float, p: SupportsFloat, effect: float, note: str = "", rows: int | None = None
) -> ResidualTest:
    return replace(
        named,
        statistic=float(statistic),
        p=min(max(float(p), 0.0), 1.0),
        effect=float(effect),
        note=note,
        rows=named.rows if rows is None else rows,
    )


def _scaled(errors: np.ndarray) -> np.ndarray:
    """Mean 0 and SD 1: no test here depends on unit or bias, and powers of large errors would lose digits."""
    return (errors - errors.mean()) / errors.std()
