"""Formatting: numbers, intervals and bounds as people read them."""


def figure(value: float | None) -> str:
    """Three decimals; fewer for large numbers, three significant digits for tiny ones."""
    if value is None:
        return "not evaluated"
    value += 0.0  # no minus before a zero
    size = abs(value)
    if size >= 1e12 or 0 < size < 0.0005:
        return f"{value:.3g}"
    return f"{value:,.{3 if size < 100 else 1 if size < 10_000 else 0}f}"


def interval_text(interval: tuple[float, float] | None) -> str:
    """An interval in brackets."""
    return "[no interval]" if interval is None else f"[{figure(interval[0])}, {figure(interval[1])}]"


def bound_text(bound: float) -> str:
    """A bound as declared, with two decimals at least where it is small."""
    text = f"{bound:,}"
    whole, _, decimals = text.partition(".")
    return whole if abs(bound) >= 100 and not decimals.strip("0") else f"{whole}.{decimals:0<2}"


def demand_text(side: str, bound: float) -> str:
    """A bound with the side on which a value passes: "at least 0.80"."""
    return f"{side.replace('_', ' ')} {bound_text(bound)}"


def rows_wanted(missing: int) -> str:
    """How many more rows are wanted, and what that rests on, in words."""
    return (
        f"about {missing:,} more labelled rows would decide it in four of five cases, if the true difference is the "
        "one seen; if it is half as far from the limit, four times as many"
    )
