"""Header: whether the columns a file names are the declared ones."""

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from mlops_assets.declaration.base import one_of
from mlops_assets.errors import BatchRejected

_DATA = re.compile(r"^[+-]?(\d[\d.,:/T+-]*|\.\d+)([eE][+-]?\d+)?$")

_HINTS, _LOOKED_AT = 5, 200
"""Missing names that a hint is looked for, and names, and their characters, in which it is: the search is slow."""


def require_columns(header: Sequence[str], declared: Iterable[str]) -> list[str]:
    """Columns of the file that the declaration does not name; unnamed ones by their position.

    Raises:
        BatchRejected: if a name stands twice, a declared column is missing, or ``found`` is a row of data.
    """
    declared = list(declared)
    missing = [name for name in declared if name not in header]
    _refuse_data(header, missing, declared)
    _refuse_repeated(header)
    if missing:
        raise BatchRejected("missing_column", _missing_reason(missing, header))
    return [name or f"unnamed column {index + 1}" for index, name in enumerate(header) if name not in declared]


def _refuse_repeated(header: Sequence[str]) -> None:
    repeated = [name for name, times in Counter(header).items() if times > 1 and name]
    if repeated:
        raise BatchRejected(
            "duplicate_header", f"the header names {one_of(map(repr, repeated))} more than once. Remedy: rename or drop"
        )


def _refuse_data(header: Sequence[str], missing: Sequence[str], declared: Sequence[str]) -> None:
    if declared and len(missing) == len(declared) and any(_DATA.match(cell) for cell in header):
        first = ", ".join(header[:6])
        raise BatchRejected(
            "no_header",
            f"the first line is data ({first[:100]}), not a header. Remedy: put the column names on the first line",
        )


def _missing_reason(missing: Sequence[str], header: Sequence[str]) -> str:
    hints = [_hint(name, header) if index < _HINTS else repr(name) for index, name in enumerate(missing)]
    return (
        f"declared but not in the file: {', '.join(hints)[:2000]}. The file has: {one_of(header)[:500]}. "
        "Remedy: add the column to the file, or take it out of dataset.columns"
    )


def _hint(name: str, header: Sequence[str]) -> str:
    candidates = [column.casefold()[:_LOOKED_AT] for column in header[:_LOOKED_AT]]
    close = difflib.get_close_matches(name.casefold(), candidates, n=1)
    similar = next((column for column in header if close and column.casefold()[:_LOOKED_AT] == close[0]), None)
    return f"{name!r} (is it {similar!r}?)" if similar else repr(name)
