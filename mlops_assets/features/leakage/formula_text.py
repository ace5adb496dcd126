"""The text of a formula: how features give the target, as a reader would write it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Formula:
    """Features, and the formula by which they give the target."""

    features: tuple[str, ...]
    formula: str
    score: float
    """R² of the fitted formula on the values, or on their logarithms for powers."""
    assured: float
    """One-sided 99 % lower end of the score, or the R² of its ranks where that is lower: a few giant rows, which
    decide the first, are a few ranks in the other."""


def formula_text(family: str, f: str, g: str, slopes: list[float]) -> str:
    """The formula of ``family`` in the features ``f`` and ``g``, such as ``sqft * price_per_sqft``."""
    if family == "product":
        return f"{f} * {g}"
    if family == "ratio":
        return f"{f} / {g}"
    if family == "sum":
        return _weighted(f, g, slopes)
    return _powers({f: slopes[0], g: slopes[1]})


def sum_text(family: str, terms: Mapping[str, float]) -> str:
    """The formula of several features: a weighted sum, or a product of powers where ``family`` is ``power``.

    Example:
        >>> sum_text("sum", {"fare": 1.0, "tip": 1.0, "discount": -0.5})
        'fare + tip - 0.5 * discount'
    """
    if family == "power":
        return _powers(dict(terms))
    signed = [("- " if weight < 0 else "+ ") + _term(name, abs(weight)) for name, weight in terms.items()]
    return " ".join(signed).removeprefix("+ ")


def _term(name: str, weight: float) -> str:
    return name if abs(weight - 1) < 0.05 else f"{weight:.3g} * {name}"


def _weighted(f: str, g: str, slopes: list[float]) -> str:
    """Sum or difference, with a weight where the two do not count alike."""
    first, second = slopes
    if first < 0 <= second:
        f, g, first, second = g, f, second, first
    weight = abs(second / first) if first else float("inf")
    shown = g if abs(weight - 1) < 0.05 else f"{weight:.3g} * {g}"
    return f"{f} {'+' if first * second > 0 else '-'} {shown}"


def _powers(exponents: dict[str, float]) -> str:
    above = [_power(name, value) for name, value in exponents.items() if value > 0]
    below = [_power(name, -value) for name, value in exponents.items() if value <= 0]
    over, under = " * ".join(above) or "1", " * ".join(below)
    if not under:
        return over
    return f"{over} / {under}" if len(below) == 1 else f"{over} / ({under})"


def _power(name: str, exponent: float) -> str:
    return name if abs(exponent - 1) < 0.05 else f"{name}^{exponent:.2g}"
