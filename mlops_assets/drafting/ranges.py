"""Ranges: bounds that leave room beyond the values seen."""

import math
from collections.abc import Callable

RULE = "ranges: the values seen and half of their spread on either side, rounded outward; never below 0 where none is"
SLACK = 0.5


def bounds(low: float, high: float, kind: str, positive: bool = False) -> dict[str, float]:
    """``min`` and ``max`` of a column whose smallest and largest values are ``low`` and ``high``; none for one value.

    With ``positive`` the minimum stays above 0, as a logarithm needs.
    """
    spread = float(high) - float(low)
    if spread <= 0 or not math.isfinite(spread):
        return {}
    step = 10.0 ** (math.floor(math.log10(spread)) - 1)
    lower = _rounded(math.floor((low - SLACK * spread) / step), step)
    upper = _rounded(math.ceil((high + SLACK * spread) / step), step)
    if positive:
        lower = _below(float(low) / 10)
    elif low >= 0:
        lower = max(lower, 0.0)
    if not (math.isfinite(lower) and math.isfinite(upper) and lower <= low and upper >= high):
        return {}
    return {"min": _plain(lower, kind, math.floor), "max": _plain(upper, kind, math.ceil)}


def _rounded(steps: int, step: float) -> float:
    digits = max(0, -math.floor(math.log10(step)))
    return round(steps * step, min(digits, 300))


def _below(value: float) -> float:
    """The largest number with one significant digit that is not above ``value``."""
    step = 10.0 ** math.floor(math.log10(value))
    return _rounded(math.floor(value / step), step)


def _plain(bound: float, kind: str, whole: Callable[[float], int]) -> float | int:
    if kind == "integer":
        return whole(bound)
    return int(bound) if bound.is_integer() and abs(bound) < 1e15 else bound
