"""Parsing: cells as the declared type, null where a cell does not hold such a value."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.errors import BatchRejected

if TYPE_CHECKING:
    from mlops_assets.dataset.spec import ColumnType

_BOOLEANS = {"true": True, "yes": True, "1": True, "1.0": True, "false": False, "no": False, "0": False, "0.0": False}

_DATETIMES = (
    (r"^\d{4}-\d{1,2}-\d{1,2}T\d{1,2}:\d{2}:\d{2}(\.\d+)?$", "%Y-%m-%dT%H:%M:%S%.f"),
    (r"^\d{4}-\d{1,2}-\d{1,2}T\d{1,2}:\d{2}$", "%Y-%m-%dT%H:%M"),
    (r"^\d{8}T\d{6}$", "%Y%m%dT%H%M%S"),
    (r"^\d{8}T\d{4}$", "%Y%m%dT%H%M"),
    (r"^\d{14}$", "%Y%m%d%H%M%S"),
)
_DATES = ((r"^\d{4}-\d{1,2}-\d{1,2}$", "%Y-%m-%d"), (r"^\d{8}$", "%Y%m%d"))
_ZONED = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?[+-]\d{2}:?\d{2}$"


def parsed(column: pl.Series, kind: "ColumnType") -> pl.Series:
    """``column`` as ``kind``: Float64, Int64, String, Boolean, Date or Datetime in microseconds UTC.

    Cells that do not hold such a value become null, infinite floats too. Times without an offset are UTC.

    Raises:
        BatchRejected: if the cells are lists or structures.
    """

    if column.dtype.is_nested():
        raise BatchRejected("nested_column", f"{column.name!r} holds {column.dtype}. Remedy: flatten it before landing")
    if column.dtype == pl.Null:
        column = column.cast(pl.String)
    if column.dtype in (pl.Categorical, pl.Enum, pl.Binary):
        column = column.cast(pl.String, strict=False)
    if column.dtype.is_decimal():
        column = column.cast(pl.Float64)
    return (_FROM_TEXT if column.dtype == pl.String else _FROM_STORED)[kind](column)


def is_missing(column: pl.Series) -> pl.Series:
    """Mask of the cells that hold nothing: null and NaN."""
    return column.is_null() | column.is_nan().fill_null(False) if column.dtype.is_float() else column.is_null()


def _float_text(column: pl.Series) -> pl.Series:

    return _finite(_retry(column, column.cast(pl.Float64, strict=False), _stripped_float))


def _integer_text(column: pl.Series) -> pl.Series:

    return _retry(column, column.cast(pl.Int64, strict=False), lambda cells: _whole(_stripped_float(cells)))


def _stripped_float(cells: pl.Series) -> pl.Series:

    return cells.str.strip_chars().cast(pl.Float64, strict=False)


def _boolean_text(column: pl.Series) -> pl.Series:

    cells = column.str.strip_chars().str.to_lowercase()
    return cells.replace_strict(_BOOLEANS, default=None, return_dtype=pl.Boolean)


def _date_text(column: pl.Series) -> pl.Series:

    days = _by_formats(column.str.strip_chars(), _DATES, pl.Date())
    return _retry(column, days, lambda cells: _midnights(_datetime_text(cells)))


def _datetime_text(column: pl.Series) -> pl.Series:

    kind = pl.Datetime("us", "UTC")
    cells = column.str.strip_chars().str.replace(r"^(\S+) +", "${1}T").str.replace(r"[Zz]$", "")
    times = _by_formats(cells, _DATETIMES, pl.Datetime("us")).dt.replace_time_zone("UTC")
    times = _retry(cells, times, lambda rest: _by_formats(rest, _DATES, pl.Date()).cast(kind))
    return _retry(cells, times, _zoned)


def _zoned(cells: pl.Series) -> pl.Series:

    fitting = cells.set(~cells.str.contains(_ZONED).fill_null(False), None)
    return fitting.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", strict=False).cast(
        pl.Datetime("us", "UTC")
    )


def _by_formats(cells: pl.Series, formats: tuple[tuple[str, str], ...], kind: pl.Date | pl.Datetime) -> pl.Series:
    """Each cell by the first format whose pattern it has; the pattern keeps out what strptime is lenient about."""

    times = pl.Series(cells.name, [None], dtype=kind).new_from_index(0, len(cells))
    for pattern, layout in formats:
        if times.null_count() == cells.null_count():
            break
        fitting = cells.set(~cells.str.contains(pattern).fill_null(False), None)
        if fitting.null_count() < len(fitting):
            times = times.zip_with(times.is_not_null(), fitting.str.strptime(kind, layout, strict=False))
    return times


def _retry(column: pl.Series, values: pl.Series, otherwise: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Try ``otherwise`` on the few cells that ``found`` left null although they hold something."""
    if values.null_count() == column.null_count():
        return values
    failed = (values.is_null() & column.is_not_null()).arg_true()
    return values.scatter(failed, otherwise(column.gather(failed)).cast(values.dtype))


def _finite(numbers: pl.Series) -> pl.Series:
    """Null for NaN and infinities."""
    finite = numbers.is_finite()
    return numbers if finite.all() else numbers.set(~finite.fill_null(False), None)


def _whole(numbers: pl.Series) -> pl.Series:

    numbers = _finite(numbers)
    return numbers.set((numbers != numbers.floor()).fill_null(False), None).cast(pl.Int64, strict=False)


def _midnights(times: pl.Series) -> pl.Series:
    """Dates of times at midnight, null for any other time."""

    days = times.cast(pl.Date)
    return days.set((days.cast(times.dtype) != times).fill_null(False), None)


def _stored_float(column: pl.Series) -> pl.Series:

    if column.dtype.is_temporal():
        return _nothing(column, pl.Float64())
    return _finite(column.cast(pl.Float64))


def _stored_integer(column: pl.Series) -> pl.Series:

    if column.dtype.is_temporal():
        return _nothing(column, pl.Int64())
    return _whole(column) if column.dtype.is_float() else column.cast(pl.Int64, strict=False)


def _stored_string(column: pl.Series) -> pl.Series:

    return _nothing(column, pl.String()) if column.dtype.is_float() else column.cast(pl.String)


def _stored_boolean(column: pl.Series) -> pl.Series:

    if column.dtype == pl.Boolean:
        return column
    if not column.dtype.is_numeric():
        return _nothing(column, pl.Boolean())
    numbers = column.cast(pl.Float64)
    return numbers.set(~numbers.is_in([0.0, 1.0]).fill_null(True), None).cast(pl.Boolean)


def _stored_date(column: pl.Series) -> pl.Series:

    if column.dtype == pl.Date:
        return column
    return _midnights(_stored_datetime(column))


def _stored_datetime(column: pl.Series) -> pl.Series:

    kind = pl.Datetime("us", "UTC")
    if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone is None:
        return column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if column.dtype == pl.Date or isinstance(column.dtype, pl.Datetime):
        return column.cast(kind)
    return _nothing(column, kind)


def _nothing(column: pl.Series, kind: pl.DataType) -> pl.Series:

    return pl.Series(column.name, [None], dtype=kind).new_from_index(0, len(column))


_FROM_TEXT: "dict[ColumnType, Callable[[pl.Series], pl.Series]]" = {
    "float": _float_text,
    "integer": _integer_text,
    "string": lambda column: column,
    "boolean": _boolean_text,
    "date": _date_text,
    "datetime": _datetime_text,
}
_FROM_STORED: "dict[ColumnType, Callable[[pl.Series], pl.Series]]" = {
    "float": _stored_float,
    "integer": _stored_integer,
    "string": _stored_string,
    "boolean": _stored_boolean,
    "date": _stored_date,
    "datetime": _stored_datetime,
}
