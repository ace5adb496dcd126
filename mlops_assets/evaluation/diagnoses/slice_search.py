"""Slice search: subsets of the test rows worth a look, by a column's values or by a tree grown on other rows."""

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from mlops_assets.evaluation.diagnoses.slice_gaps import Slice
from mlops_assets.metrics.intervals import FEWEST_UNITS

if TYPE_CHECKING:
    from sklearn.tree import DecisionTreeRegressor

FEWEST_ROWS = 30
FEWEST_SHARE = 0.02
"""A slice, and the rest, hold at least 30 rows and 2 % of all."""
MOST_NUMBERS = 10
"""A numeric column with more distinct values is no list of categories; the tree cuts it instead."""
DEPTH = 2
LONGEST = 60


class Halves(NamedTuple):
    """Two masks that share the rows out."""

    grown: np.ndarray
    """Rows that choose slices."""
    measured: np.ndarray
    """Rows that measure them."""


def fewest_rows(rows: int) -> int:
    """Size below which a slice of ``rows`` is not examined."""
    return max(FEWEST_ROWS, math.ceil(FEWEST_SHARE * rows))


def declared_slices(columns: dict[str, pd.Series], units: np.ndarray | None = None) -> list[Slice]:
    """One slice for each value of each column that is no continuous number, where slice and rest are large enough."""
    slices: dict[bytes, Slice] = {}
    for name, column in columns.items():
        codes, values = pd.factorize(column, use_na_sentinel=False)
        if _is_continuous(column, len(values)):
            continue
        sizes, fewest = np.bincount(codes, minlength=len(values)), fewest_rows(len(codes))
        for code in np.flatnonzero((sizes >= fewest) & (len(codes) - sizes >= fewest)):
            inside = codes == code
            if _independent(inside, units):
                slices.setdefault(inside.tobytes(), Slice(_equals(name, values[code]), inside))
    return list(slices.values())


def _is_continuous(column: pd.Series, values: int) -> bool:
    listed = pd.api.types.is_bool_dtype(column) or isinstance(column.dtype, pd.CategoricalDtype)
    counted = pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column)
    return counted and not listed and values > MOST_NUMBERS


def _independent(inside: np.ndarray, units: np.ndarray | None) -> bool:
    return units is None or min(len(np.unique(units[side])) for side in (inside, ~inside)) >= FEWEST_UNITS


def _equals(name: str, value: object) -> str:
    if bool(pd.isna(value)):
        return f"{name} is missing"
    text = repr(value) if isinstance(value, str) else str(value)
    return f"{name} = {text if len(text) <= LONGEST else text[:LONGEST] + '…'}"


def halves(rows: int, units: np.ndarray | None, seed: int) -> Halves:
    """The rows, or groups, shared out by chance."""
    codes = np.arange(rows) if units is None else units
    total = int(codes.max(initial=-1)) + 1
    first = np.random.default_rng(seed).permutation(total) < total // 2
    return Halves(first[codes], ~first[codes])


def discovered_slices(
    numbers: dict[str, np.ndarray],
    declared: list[Slice],
    losses: np.ndarray,
    parts: Halves,
    units: np.ndarray | None = None,
    seed: int = 0,
) -> list[Slice]:
    """Leaves of a tree of depth 2 on the losses of the grown rows, as masks among the measured ones.

    The tree cuts numbers, which may be missing (NaN), and the declared slices.
    The rows that chose a slice do not measure it, so that its gap is not selected to be large (Athey and Imbens
    2016 call such trees honest).
    """
    from sklearn.tree import DecisionTreeRegressor

    grown, measured = parts
    fewest = fewest_rows(int(grown.sum()))
    names, columns = list(numbers), [*numbers.values(), *(candidate.inside for candidate in declared)]
    if not columns or grown.sum() < 2 * fewest or np.ptp(losses[grown]) == 0:
        return []
    largest = np.finfo(np.float32).max
    matrix = np.clip(np.column_stack(columns).astype(np.float64), -largest, largest)
    tree = DecisionTreeRegressor(max_depth=DEPTH, min_samples_leaf=fewest, random_state=seed)
    tree.fit(matrix[grown], losses[grown])
    rules = _rules(tree, names, declared, {name for name in names if np.isnan(numbers[name]).any()})
    leaves = tree.apply(matrix[measured])
    known = {"", *(candidate.rule for candidate in declared)}
    new = [Slice(rule, leaves == leaf, "discovered") for leaf, rule in rules.items() if rule not in known]
    held_out = None if units is None else units[measured]
    return [leaf for leaf in new if _is_large(leaf.inside) and _independent(leaf.inside, held_out)]


def _is_large(inside: np.ndarray) -> bool:
    size, total = int(inside.sum()), len(inside)
    return min(size, total - size) >= fewest_rows(total)


def _rules(
    fitted: "DecisionTreeRegressor", names: list[str], declared: list[Slice], incomplete: set[str]
) -> dict[int, str]:
    """The path to each leaf in words."""
    tree, rules = fitted.tree_, dict[int, str]()

    def condition(node: int, left: bool) -> str:
        column = tree.feature[node]
        if column >= len(names):
            rule = declared[column - len(names)].rule
            return f"not ({rule})" if left else rule
        text = f"{names[column]} {'≤' if left else '>'} {tree.threshold[node]:.6g}"
        missing = names[column] in incomplete and bool(tree.missing_go_to_left[node]) == left
        return f"({text} or missing)" if missing else text

    def walk(node: int, path: list[str]) -> None:
        if tree.children_left[node] < 0:
            rules[node] = " and ".join(path)
            return
        walk(tree.children_left[node], [*path, condition(node, left=True)])
        walk(tree.children_right[node], [*path, condition(node, left=False)])

    walk(0, [])
    return rules
