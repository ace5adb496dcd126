"""Rules: the declared rules of one column as the pandera checks they become."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.dataset.reading.parsing import parsed
from mlops_assets.errors import SpecError

if TYPE_CHECKING:
    import pandera.polars as pa

    from mlops_assets.dataset.spec import ColumnSpec


def rules_of(name: str, column: "ColumnSpec") -> "list[tuple[str, pa.Check]]":
    """The declared rules in order, each by its name and check.

    Raises:
        SpecError: if a bound or an allowed value is not of the column's type.
    """
    import pandera.polars as pa

    checks: list[tuple[str, pa.Check]] = []
    if column.min is not None:
        checks.append(("min", pa.Check.ge(_bound(column, column.min))))
    if column.max is not None:
        checks.append(("max", pa.Check.le(_bound(column, column.max))))
    if column.allowed is not None:
        checks.append(("allowed", pa.Check.isin(_allowed(name, column))))
    if column.pattern is not None:
        checks.append(("pattern", pa.Check(_matches(column.pattern), name="pattern")))
    return checks


def _bound(column: "ColumnSpec", bound: float | date) -> float | date:
    """A declared bound in the column's own type."""
    if column.type == "date" and isinstance(bound, datetime):
        return bound.date()
    if column.type == "datetime" and isinstance(bound, date):
        time = bound if isinstance(bound, datetime) else datetime(bound.year, bound.month, bound.day)
        return time if time.tzinfo else time.replace(tzinfo=UTC)
    return bound


def _allowed(name: str, column: "ColumnSpec") -> list[object]:
    """The allowed values in the column's own type."""

    texts = pl.Series(name, [str(value) for value in column.allowed or []], dtype=pl.String)
    typed = parsed(texts, column.type)
    if typed.null_count():
        raise SpecError(f"dataset.columns.{name}.allowed: {texts.filter(typed.is_null())[0]!r} is no {column.type}")
    return typed.to_list()


def _matches(pattern: str) -> "Callable[[pa.PolarsData], pl.LazyFrame]":
    """Whole match by polars' own engine, or by Python's where the pattern needs it (lookarounds, backreferences)."""

    whole = f"^(?:{pattern})$"
    try:
        pl.Series([""]).str.contains(whole)
    except pl.exceptions.PolarsError:
        compiled = re.compile(pattern)
        return lambda data: data.lazyframe.select(
            pl.col(data.key).map_elements(lambda text: compiled.fullmatch(text) is not None, return_dtype=pl.Boolean)
        )
    return lambda data: data.lazyframe.select(pl.col(data.key).str.contains(whole))
