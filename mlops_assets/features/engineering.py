"""Engineering: a system's own function from raw rows to features, held to being pure and row-wise."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from mlops_assets.declaration.base import load_object
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import SpecError

RESERVED = ("_", "@")
"""First characters of the platform's own columns beside the features."""


def engineer(rows: pd.DataFrame, spec: SystemSpec) -> pd.DataFrame:
    """What the declared function makes of ``rows``; without one, the rows themselves.

    Raises:
        SpecError: if the result is not a frame with the rows and index that went in.
    """
    function = engineer_function(spec)
    if function is None:
        return rows
    made = function(rows.copy())
    _require_frame(made, rows, spec)
    return made


def engineer_function(spec: SystemSpec) -> Callable[..., Any] | None:
    """The function behind ``features.engineer``, or None."""
    if spec.features.engineer is None:
        return None
    function = load_object(spec.features.engineer, "features.engineer")
    if not callable(function):
        raise SpecError(f"{_named(spec)} is no function but {function!r}")
    return function


def require_untouched_input(rows: pd.DataFrame, spec: SystemSpec) -> None:
    """Raise SpecError if the function changes the frame that it is given."""
    function = engineer_function(spec)
    if function is None:
        return
    given = rows.copy()
    function(given)
    if not given.equals(rows):
        raise SpecError(
            f"{_named(spec)} changes its input ({_changed(rows, given)}). "
            "Remedy: begin with rows = rows.copy(), or return a new frame."
        )


def _require_frame(made: object, rows: pd.DataFrame, spec: SystemSpec) -> None:

    if not isinstance(made, pd.DataFrame):
        raise SpecError(f"{_named(spec)} returned {type(made).__name__}; a pandas DataFrame of features is needed")
    if len(made) != len(rows):
        raise SpecError(f"{_named(spec)} returned {len(made)} rows for {len(rows)}; it must keep every row")
    if not made.index.equals(rows.index):
        raise SpecError(f"{_named(spec)} returned another index than it was given; it must keep order and index")
    _require_names(list(made.columns), spec)


def _require_names(names: list, spec: SystemSpec) -> None:
    wrong = [name for name in names if not isinstance(name, str) or name.startswith(RESERVED)]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if wrong:
        raise SpecError(f"{_named(spec)} returned columns {wrong!r}; names are text and begin with neither '_' nor '@'")
    if repeated:
        raise SpecError(f"{_named(spec)} returned columns {repeated!r} more than once")
    if not names:
        raise SpecError(f"{_named(spec)} returned no columns")


def _changed(before: pd.DataFrame, after: pd.DataFrame) -> str:
    if list(before.columns) != list(after.columns):
        return f"columns {sorted(map(str, set(before.columns) ^ set(after.columns)))!r} came or went"
    if len(before) != len(after):
        return f"{len(before)} rows became {len(after)}"
    return f"columns {[name for name in before.columns if not before[name].equals(after[name])]!r} differ"


def _named(spec: SystemSpec) -> str:
    return f"features.engineer {spec.features.engineer!r}"
