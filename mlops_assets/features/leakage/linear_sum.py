"""Linear sums: whether the numeric features together give the target, as fare, tolls and tip give the total.

One least-squares fit on all of them, of the values and of their logarithms, must leave no more than rounding does.
Which features it takes is what is left after those without which the fit is as good have gone.
"""

import numpy as np
import pandas as pd

from mlops_assets.features.leakage.formula_text import Formula, sum_text

SAMPLE = 5_000
"""Rows that are fitted."""
WIDEST = 200
"""Features that are fitted; more are not looked at."""
ROWS, ROWS_EACH = 20, 2
"""Rows that a fit needs: ROWS, and ROWS_EACH for every feature."""
EXACT, ROUNDED = 1e-10, 1e-4
"""Share of the variance that a fit may leave in any case, and at most, if rounding explains it."""
DIGITS = 6
"""Decimals to which a target may be rounded."""


def sum_formula(features: pd.DataFrame, target: np.ndarray) -> Formula | None:
    """The sum (or product of powers) of three or more numeric features that is the target within rounding, if any.

    ``target`` has shape (n,), classes as positions; rows should be distinct.
    """
    names = [str(name) for name, values in features.items() if values.dtype != object]
    if not 3 <= len(names) <= WIDEST or np.ptp(target) == 0:
        return None
    chosen = np.sort(np.random.default_rng(0).permutation(len(target))[:SAMPLE])
    table, y = features[names].to_numpy(dtype=float)[chosen], target[chosen].astype(float)
    formula = _fitted(names, table, y, _rounding(y), "sum")
    if formula is None and (y > 0).all():
        with np.errstate(divide="ignore", invalid="ignore"):
            positive = np.flatnonzero((table > 0).all(axis=0))
            logs, left = np.log(table[:, positive]), _rounding(y) / y.min() ** 2
        formula = _fitted([names[i] for i in positive], logs, np.log(y), left, "power")
    return formula


def _rounding(y: np.ndarray) -> float:
    """Variance of what rounding to the target's own decimals leaves out; 0 where it has more than DIGITS."""
    for digits in range(DIGITS + 1):
        if np.allclose(y * 10**digits, np.round(y * 10**digits), rtol=0, atol=1e-4):
            return 10.0 ** (-2 * digits) / 12
    return 0.0


def _fitted(names: list[str], table: np.ndarray, y: np.ndarray, rounding: float, family: str) -> Formula | None:
    whole = np.isfinite(table).all(axis=1)
    table, y = (table[whole], y[whole]) if whole.mean() >= 0.1 else (np.nan_to_num(table, posinf=0, neginf=0), y)
    varied = np.ptp(table, axis=0) > 0 if len(table) else np.zeros(len(names), dtype=bool)
    names, table = [n for n, v in zip(names, varied, strict=True) if v], table[:, varied]
    if len(names) < 3 or len(y) < ROWS + ROWS_EACH * len(names) or np.ptp(y) == 0:
        return None
    spread = table.std(axis=0)
    x, centred = (table - table.mean(axis=0)) / spread, (y - y.mean()) / y.std()
    # Each term is rounded, too.
    allowed = float(np.clip(rounding * (1 + len(names)) / y.var(), EXACT, ROUNDED))
    corner = np.linalg.qr(np.column_stack([x, centred]), mode="r") / np.sqrt(len(y))
    kept = _needed(corner, list(range(len(names))), allowed)
    if len(kept) < 3:
        return None
    slopes, left = _solved(corner, kept)
    terms = {names[i]: float(slope * y.std() / spread[i]) for i, slope in zip(kept, slopes, strict=True)}
    return Formula(tuple(terms), sum_text(family, terms), 1 - left, 1 - left)


def _needed(corner: np.ndarray, kept: list[int], allowed: float) -> list[int]:
    """The features without which the fit is worse; none if it is not exact with all of them."""
    slopes, left = _solved(corner, kept)
    if left > allowed:
        return []
    for _, index in sorted((abs(slope), index) for slope, index in zip(slopes, kept, strict=True)):
        fewer = [other for other in kept if other != index]
        if fewer and _solved(corner, fewer)[1] <= allowed:
            kept = fewer
    return kept


def _solved(corner: np.ndarray, kept: list[int]) -> tuple[np.ndarray, float]:
    """Slopes of the standardised features, and the share of the variance that they leave."""
    slopes = np.linalg.lstsq(corner[:, kept], corner[:, -1], rcond=1e-9)[0]
    return slopes, float(((corner[:, -1] - corner[:, kept] @ slopes) ** 2).sum())
