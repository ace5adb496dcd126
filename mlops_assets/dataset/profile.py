"""The profile of a dataset: what a reader wants to know of every column at a glance."""

import html
import math
from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict

SAMPLE = 100_000
"""Rows that are looked at; of a larger frame every k-th row."""
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_BINS = 16
_TOP = 5
_BARS = " ▁▂▃▄▅▆▇█"
_TEXT = 40


class ColumnProfile(BaseModel):
    """One column in numbers; they are of the rows looked at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    type: str
    rows: int
    """Rows of the frame."""
    sampled: int | None = None
    """Rows looked at, where that was not all of them."""
    missing: int
    distinct: int
    """Distinct values that are not missing."""
    mean: float | None = None
    sd: float | None = None
    quantiles: dict[str, float] | None = None
    """Numbers by quantile: 0, 0.05, 0.25, 0.5, 0.75, 0.95, 1."""
    range: tuple[str, str] | None = None
    """First and last date or time."""
    histogram: list[int] | None = None
    """Rows in bins of equal width from the smallest to the largest value."""
    top: list[tuple[str, int]] | None = None
    """The most frequent values of text and boolean columns."""


def profile(frame: pl.DataFrame, columns: Iterable[str], rows: int | None = None) -> list[ColumnProfile]:
    """The profile of ``columns``; of a large frame an even sample, and each profile then says so.

    ``rows`` is the size of the dataset where ``frame`` is itself a sample of it.
    """
    step = math.ceil(frame.height / SAMPLE) or 1
    sample = frame.select(columns)[::step]
    total = frame.height if rows is None else rows
    return [_column(sample.get_column(name), total) for name in sample.columns]


def to_markdown(profiles: Sequence[ColumnProfile]) -> str:
    """The profile as a Markdown table; names and values are escaped for Markdown and HTML."""
    if not profiles:
        return "No columns."
    lines = ["| column | type | missing | distinct | typical | distribution |", "|---|---|---:|---:|---|---|"]
    lines += [_line(column) for column in profiles]
    return "\n".join([*lines, *_sample_note(profiles[0])])


def _column(column: pl.Series, rows: int) -> ColumnProfile:
    present = column.drop_nulls()
    if column.dtype.is_float():
        present = present.drop_nans()
    facts: dict = {}
    if len(present) and column.dtype.is_numeric():
        facts = _numbers(present)
    elif len(present) and column.dtype.is_temporal():
        facts = {"range": (str(present.min()), str(present.max()))}
    elif len(present):
        facts = {"top": _top(present)}
    return ColumnProfile(
        name=column.name,
        type=str(column.dtype),
        rows=rows,
        sampled=len(column) if len(column) < rows else None,
        missing=len(column) - len(present),
        distinct=present.n_unique(),
        **facts,
    )


def _numbers(present: pl.Series) -> dict:

    values = present.cast(float).to_numpy()
    values = values[np.isfinite(values)]
    if not len(values):
        return {}
    with np.errstate(over="ignore", invalid="ignore"):
        cuts = np.quantile(values, QUANTILES)
        sd = float(values.std(ddof=1)) if len(values) > 1 else None
    return {
        "mean": float(values.mean()),
        "sd": sd if sd is not None and math.isfinite(sd) else None,
        "quantiles": {f"{q:g}": float(cut) for q, cut in zip(QUANTILES, cuts, strict=True)},
        "histogram": _histogram(values, cuts[0], cuts[-1]),
    }


def _histogram(values: np.ndarray, low: float, high: float) -> list[int]:

    # Halves, so that the width of the widest possible range does not overflow.
    if not np.isfinite(high / 2 - low / 2) or high / 2 - low / 2 <= 0:
        return [len(values)]
    places = ((values / 2 - low / 2) / (high / 2 - low / 2) * _BINS).astype(int).clip(0, _BINS - 1)
    return np.bincount(places, minlength=_BINS).tolist()


def _top(present: pl.Series) -> list[tuple[str, int]]:

    texts = present.cast(pl.String).alias("value").to_frame()
    counts = texts.group_by("value").len("rows").sort(["rows", "value"], descending=[True, False])
    return [(value, count) for value, count in counts.head(_TOP).iter_rows()]


def _line(column: ColumnProfile) -> str:
    seen = column.sampled or column.rows
    missing = f"{column.missing} ({column.missing / seen:.1%})" if column.missing else "0"
    cells = [escaped(column.name), column.type, missing, str(column.distinct), _typical(column), _distribution(column)]
    return f"| {' | '.join(cells)} |"


def _typical(column: ColumnProfile) -> str:
    if column.quantiles is not None and column.mean is not None:
        spread = f" ± {column.sd:.4g}" if column.sd is not None else ""
        low, middle, high = (column.quantiles[q] for q in ("0", "0.5", "1"))
        return f"{column.mean:.4g}{spread}; {low:.4g} … {middle:.4g} … {high:.4g}"
    if column.range is not None:
        return " … ".join(map(escaped, column.range))
    return ""


def _distribution(column: ColumnProfile) -> str:
    if column.histogram is not None:
        return bars(column.histogram)
    return ", ".join(f"{escaped(value)} ({count})" for value, count in column.top or [])


def bars(counts: Sequence[int]) -> str:
    """A histogram in one line of text; a bin with any rows shows at least the smallest bar."""
    most = max(counts, default=0)
    return "".join(_BARS[math.ceil(count / most * (len(_BARS) - 1))] if most else _BARS[0] for count in counts)


def escaped(text: str) -> str:
    """``text`` as it was meant, on one line, in Markdown and in HTML; long texts are cut."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    shown = shown if len(shown) <= _TEXT else f"{shown[:_TEXT]}…"
    return "".join(f"&#{ord(c)};" if c in "|`*_[]()\\~#!$:" else c for c in html.escape(shown))


def _sample_note(column: ColumnProfile) -> list[str]:
    if column.sampled is None:
        return []
    return ["", f"Sampled: {column.sampled} of {column.rows} rows."]
