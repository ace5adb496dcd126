"""Feature pairs: whether two together give the target, as price per square foot times square feet gives price.

Three families are fitted to every pair of numeric features by least squares, all pairs at once from matrices of
moments: target = a + b·f + c·g (sums and differences), a + b·f·g and a + b·f/g (products and ratios), and the same
without offset in logarithms, log target = a + b·log f + c·log g (any powers).
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlops_assets.features.leakage.formula_text import Formula, formula_text
from mlops_assets.features.leakage.functional_dependency import MIN_ROWS

SAMPLE = 5_000
"""Rows that pairs are scored on."""
PRESENT = 0.1
"""Share of the rows that must hold both features."""
LEFT_OVER = 0.25
"""Largest share of the better feature's own residual that the pair may leave: both must be needed."""
LOWER_END = 2.326
"""Normal quantile of a one-sided 99 % bound on the correlation (Fisher's z)."""
WIDEST = 500
"""Features that are paired; of more, those that correlate best with the target."""
CONFIRMED = 200
"""Best pairs that are fitted again row by row."""
TINY = 1e-9
"""Below it a variance, or what one feature leaves of another's, is rounding."""


@dataclass(frozen=True, eq=False)
class _Fits:
    """R² of every pair in one family, shape (p, p); NaN where nothing can be fitted."""

    family: str
    pair: np.ndarray
    alone: np.ndarray
    """The better of the two features by itself, fitted the same way."""
    rows: np.ndarray


def pair_formulas(
    features: pd.DataFrame, target: np.ndarray, bound: float, ignored: Collection[str] = ()
) -> list[Formula]:
    """Pairs of numeric features whose assured R² is at least ``bound``, each by its best formula, strongest first.

    ``target`` has shape (n,), classes as positions; rows should be distinct. Features in ``ignored`` are in no pair.
    """
    from threadpoolctl import threadpool_limits

    names = [name for name, values in features.items() if values.dtype != object and name not in ignored]
    chosen = np.sort(np.random.default_rng(0).permutation(len(target))[:SAMPLE])
    table, target = features[names].to_numpy(dtype=float)[chosen], target[chosen].astype(float)
    if len(target) < MIN_ROWS or len(names) < 2 or np.ptp(target) == 0:
        return []
    paired = _best_correlated(table, target)
    # The order of a sum, and so its last digits, would follow the number of threads.
    with threadpool_limits(limits=1, user_api="blas"):
        return _confirmed_pairs([str(names[index]) for index in paired], table[:, paired], target, bound)


def _best_correlated(table: np.ndarray, target: np.ndarray) -> np.ndarray:
    if table.shape[1] <= WIDEST:
        return np.arange(table.shape[1])
    filled, _ = _filled(_standardised(table))
    strength = np.abs(filled.T @ (target - target.mean()))
    return np.sort(np.argsort(-strength, kind="stable")[:WIDEST])


def _confirmed_pairs(names: list[str], table: np.ndarray, target: np.ndarray, bound: float) -> list[Formula]:
    best: dict[tuple[int, int], Formula] = {}
    for family, i, j in _candidates(table, target, bound):
        formula = _confirmed(family, (i, j), names, table, target)
        pair = (min(i, j), max(i, j))
        if formula.assured >= bound and (pair not in best or formula.assured > best[pair].assured):
            best[pair] = formula
    return sorted(best.values(), key=lambda formula: -formula.assured)


def _candidates(table: np.ndarray, target: np.ndarray, bound: float) -> Iterator[tuple[str, int, int]]:
    """Pairs worth fitting row by row, those that fit best first."""
    fitting = [
        (float(fits.pair[i, j]), fits.family, int(i), int(j))
        for fits in _all_fits(table, target)
        for i, j in np.argwhere(_fitting(fits, bound))
    ]
    for _, family, i, j in sorted(fitting, key=lambda candidate: -candidate[0])[:CONFIRMED]:
        yield family, i, j


def _fitting(fits: _Fits, bound: float) -> np.ndarray:
    needed = (1 - fits.pair) <= LEFT_OVER * (1 - fits.alone)
    needed &= fits.alone < 1 - TINY
    return (fits.pair >= bound) & needed & (fits.rows >= max(MIN_ROWS, PRESENT * fits.rows.max()))


def _all_fits(table: np.ndarray, target: np.ndarray) -> Iterator[_Fits]:
    plain = _plane("sum", table, target)
    yield plain
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.where(np.abs(table) > 0, 1 / table, np.nan)
        yield _curve("product", table, table, target, plain.alone)
        yield _curve("ratio", table, inverse, target, plain.alone)
        if (positive := target > 0).sum() >= MIN_ROWS:
            logs = np.where(table > 0, np.log(table), np.nan)
            yield _plane("power", logs[positive], np.log(target[positive]))


def _plane(family: str, table: np.ndarray, target: np.ndarray) -> _Fits:
    """R² of target = a + b·f + c·g for every pair, from the correlations over rows that have both."""
    x, present = _filled(_standardised(table))
    y = _standardised(target[:, np.newaxis])[:, 0]
    rows = present.T @ present
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_f, mean_y = (x.T @ present) / rows, (present.T * y) @ present / rows
        square_f = ((x**2).T @ present) / rows - mean_f**2
        square_y = (present.T * y**2) @ present / rows - mean_y**2
        first = ((x.T * y) @ present / rows - mean_f * mean_y) / np.sqrt(square_f * square_y)
        both = ((x.T @ x) / rows - mean_f * mean_f.T) / np.sqrt(square_f * square_f.T)
        second, unexplained = first.T, 1 - both**2
        pair = (first**2 + second**2 - 2 * first * second * both) / unexplained
    alone = np.fmax(first**2, second**2)
    usable = (np.minimum(square_f, square_f.T) > TINY) & (square_y > TINY) & (unexplained > TINY)
    return _Fits(family, np.where(usable & _above_diagonal(len(pair)), pair, np.nan), alone, rows)


def _curve(family: str, left: np.ndarray, right: np.ndarray, target: np.ndarray, alone: np.ndarray) -> _Fits:
    """R² of target = a + b·(left · right) for every pair, over rows that have both."""
    (f, has_f), (g, has_g) = _filled(_scaled(left)), _filled(_scaled(right))
    y = _standardised(target[:, np.newaxis])[:, 0]
    rows = has_f.T @ has_g
    mean, mean_y = (f.T @ g) / rows, (has_f.T * y) @ has_g / rows
    square = ((f**2).T @ (g**2)) / rows - mean**2
    square_y = (has_f.T * y**2) @ has_g / rows - mean_y**2
    covariance = ((f.T * y) @ g) / rows - mean * mean_y
    usable = (square > TINY * mean**2) & (square_y > TINY)
    usable &= _above_diagonal(len(mean)) if family == "product" else ~np.eye(len(mean), dtype=bool)
    return _Fits(family, np.where(usable, covariance**2 / (square * square_y), np.nan), alone, rows)


def _above_diagonal(size: int) -> np.ndarray:
    return np.triu(np.ones((size, size), dtype=bool), k=1)


def _standardised(table: np.ndarray) -> np.ndarray:
    """Centred, so that moments lose no digits, and of about unit size."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a column without a value
        spread = np.nanstd(table, axis=0)
        return (table - np.nanmean(table, axis=0)) / np.where(spread > 0, spread, 1)


def _scaled(table: np.ndarray) -> np.ndarray:
    largest = np.nanmax(np.abs(table), axis=0, initial=0)
    return table / np.where(largest > 0, largest, 1)


def _filled(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    present = np.isfinite(table)
    return np.where(present, table, 0.0), present.astype(float)


def _confirmed(family: str, pair: tuple[int, int], names: list[str], table: np.ndarray, target: np.ndarray) -> Formula:
    f, g = table[:, pair[0]], table[:, pair[1]]
    usable = np.isfinite(f) & np.isfinite(g)
    if family == "ratio":
        usable &= g != 0
    if family == "power":
        usable &= (f > 0) & (g > 0) & (target > 0)
    f, g, y = f[usable], g[usable], target[usable]
    if family == "power":
        f, g, y = np.log(f), np.log(g), np.log(y)
    terms = {"product": lambda: [f * g], "ratio": lambda: [f / g]}.get(family, lambda: [f, g])()
    fitted, slopes = _fitted(terms, y)
    score = _squared_correlation(fitted, y)
    ranks = _squared_correlation(_ranks(fitted), _ranks(y))
    formula = formula_text(family, names[pair[0]], names[pair[1]], slopes)
    return Formula((names[pair[0]], names[pair[1]]), formula, score, min(_lower_end(score, len(y)), ranks))


def _fitted(terms: list[np.ndarray], y: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """Least squares, and the slope of each term in its own units."""
    columns = np.column_stack(terms)
    spread = columns.std(axis=0)
    x = (columns - columns.mean(axis=0)) / spread
    slopes = np.linalg.lstsq(x, y - y.mean(), rcond=None)[0]
    return x @ slopes, (slopes / spread).tolist()


def _lower_end(score: float, rows: int) -> float:
    correlation = np.sqrt(min(score, 1 - 1e-15))
    return float(np.tanh(max(np.arctanh(correlation) - LOWER_END / np.sqrt(rows - 3), 0)) ** 2)


def _squared_correlation(values: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(values, other)[0, 1] ** 2)


def _ranks(values: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    # Fitted values that differ by rounding alone are ties, as what they were fitted to is.
    return np.asarray(rankdata(np.round(values / (np.abs(values).max() or 1), 12)))
