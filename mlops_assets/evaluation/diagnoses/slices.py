"""Slices: subsets of the test rows, declared or discovered, on which the model does worse than on the rest.

Every slice is compared with all other rows by what a row costs (0/1 error, or absolute error in multiples of its
overall mean), and looking at many slices is paid for by Holm's correction.
"""

import math
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.declaration.base import Task
from mlops_assets.evaluation.diagnoses.slice_gaps import Gap, Slice, measure_gap, ranked
from mlops_assets.evaluation.diagnosis import Diagnosis, Measure, Subject, Table
from mlops_assets.metrics.bootstrap import group_codes
from mlops_assets.metrics.intervals import FEWEST_UNITS
from mlops_assets.metrics.outcomes import Outcomes

NAME = "slices"
TITLE = "Slices"
TASKS: frozenset[Task] = frozenset({"classification", "regression"})
MEASURES = {
    "worst_gap": "Largest significant excess of a slice's error rate over the rest, or of its absolute error in "
    "multiples of the overall mean (lower is better)",
    "slices_examined": "Number of slices that were compared with the rest (higher is more closely looked at)",
}

FEWEST_ROWS = 30
FEWEST_SHARE = 0.02
"""A slice, and the rest, hold at least 30 rows and 2 % of all."""
MOST_NUMBERS = 10
"""A numeric column with more distinct values is no list of categories; the tree cuts it instead."""
DEPTH = 2
SHOWN = 20
LONGEST = 60


def examine(subject: Subject) -> Diagnosis:
    """Compare every value of the low-cardinality columns, and the worst leaves of a shallow tree, with the rest.

    ``worst_gap`` is 0 only where slices were examined and none is significantly worse at the declared confidence.
    Its interval holds the largest true gap of all examined slices.
    """
    losses = row_losses(subject.outcomes)
    units = group_codes(subject.groups)
    declared = declared_slices(_columns(subject), units)
    grown, measured = halves(len(losses), units, subject.bootstrap.seed)
    discovered = discovered_slices(_numbers(subject), declared, losses, grown, measured, units, subject.bootstrap.seed)
    level = 1 - (1 - subject.bootstrap.confidence) / max(len(declared) + len(discovered), 1)
    held_out = None if units is None else units[measured]
    gaps = [measure_gap(found, losses, units, level) for found in declared]
    gaps += [measure_gap(found, losses[measured], held_out, level) for found in discovered]
    return _diagnosis(ranked(gaps), len(losses), subject)


def row_losses(outcomes: Outcomes) -> np.ndarray:
    """What each row costs: 1 for a wrong class, or its absolute error over the mean absolute error."""

    if outcomes.task == "classification":
        return (outcomes.truth != outcomes.predicted).astype(np.float64)
    errors = np.abs(outcomes.truth - outcomes.predicted)
    mean = errors.mean() if len(errors) else 0.0
    return errors / mean if mean > 0 else np.zeros(len(errors))


def fewest_rows(rows: int) -> int:
    """Size below which a slice of ``rows`` is not examined."""
    return max(FEWEST_ROWS, math.ceil(FEWEST_SHARE * rows))


def declared_slices(columns: dict[str, pd.Series], units: np.ndarray | None = None) -> list[Slice]:
    """One slice for each value of each column that is no continuous number, where slice and rest are large enough."""

    found: dict[bytes, Slice] = {}
    for name, column in columns.items():
        codes, values = pd.factorize(column, use_na_sentinel=False)
        if _is_continuous(column, len(values)):
            continue
        sizes, fewest = np.bincount(codes, minlength=len(values)), fewest_rows(len(codes))
        for code in np.flatnonzero((sizes >= fewest) & (len(codes) - sizes >= fewest)):
            inside = codes == code
            if _independent(inside, units):
                found.setdefault(inside.tobytes(), Slice(_equals(name, values[code]), inside))
    return list(found.values())


def _is_continuous(column: pd.Series, values: int) -> bool:

    listed = pd.api.types.is_bool_dtype(column) or isinstance(column.dtype, pd.CategoricalDtype)
    counted = pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column)
    return counted and not listed and values > MOST_NUMBERS


def _independent(inside: np.ndarray, units: np.ndarray | None) -> bool:

    return units is None or min(len(np.unique(units[side])) for side in (inside, ~inside)) >= FEWEST_UNITS


def _equals(name: str, value: Any) -> str:

    if pd.isna(value):
        return f"{name} is missing"
    text = repr(value) if isinstance(value, str) else str(value)
    return f"{name} = {text if len(text) <= LONGEST else text[:LONGEST] + '…'}"


def halves(rows: int, units: np.ndarray | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two masks that share the rows, or groups, out by chance."""

    codes = np.arange(rows) if units is None else units
    total = int(codes.max(initial=-1)) + 1
    first = np.random.default_rng(seed).permutation(total) < total // 2
    return first[codes], ~first[codes]


def discovered_slices(
    numbers: dict[str, np.ndarray],
    declared: list[Slice],
    losses: np.ndarray,
    grown: np.ndarray,
    measured: np.ndarray,
    units: np.ndarray | None = None,
    seed: int = 0,
) -> list[Slice]:
    """Leaves of a tree of depth 2 on the losses of the ``grown`` rows, as masks among the ``measured`` ones.

    The tree cuts numbers, which may be missing (NaN), and the declared slices.
    The rows that chose a slice do not measure it, so that its gap is not selected to be large (Athey and Imbens
    2016 call such trees honest).
    """
    from sklearn.tree import DecisionTreeRegressor

    fewest = fewest_rows(int(grown.sum()))
    names, columns = list(numbers), [*numbers.values(), *(one.inside for one in declared)]
    if not columns or grown.sum() < 2 * fewest or np.ptp(losses[grown]) == 0:
        return []
    largest = np.finfo(np.float32).max
    matrix = np.clip(np.column_stack(columns).astype(np.float64), -largest, largest)
    tree = DecisionTreeRegressor(max_depth=DEPTH, min_samples_leaf=fewest, random_state=seed)
    tree.fit(matrix[grown], losses[grown])
    rules = _rules(tree.tree_, names, declared, {name for name in names if np.isnan(numbers[name]).any()})
    leaves = tree.apply(matrix[measured])
    new = {leaf: rule for leaf, rule in rules.items() if rule not in {"", *(one.rule for one in declared)}}
    found = [Slice(rule, leaves == leaf, "discovered") for leaf, rule in new.items()]
    held_out = None if units is None else units[measured]
    return [one for one in found if _is_large(one.inside) and _independent(one.inside, held_out)]


def _is_large(inside: np.ndarray) -> bool:
    size, total = int(inside.sum()), len(inside)
    return min(size, total - size) >= fewest_rows(total)


def _rules(tree: Any, names: list[str], declared: list[Slice], incomplete: set[str]) -> dict[int, str]:
    """The path to each leaf in words."""
    rules: dict[int, str] = {}

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


def _columns(subject: Subject) -> dict[str, pd.Series]:
    """Features, then columns that travel beside them, by the name of the dataset; never the group itself."""

    columns = {}
    for feature in subject.features.columns:
        column = pd.Series(subject.test[feature.name])
        columns[feature.name] = column.astype("category") if feature.kind == "categorical" else column
    context = [str(name) for name in subject.test.columns if str(name).startswith("@")]
    for name in context:
        if name[1:] not in (subject.features.target, subject.features.group):
            columns.setdefault(name[1:], pd.Series(subject.test[name]))
    return columns


def _numbers(subject: Subject) -> dict[str, np.ndarray]:
    """Numeric features; what is no number is missing."""

    names = [feature.name for feature in subject.features.columns if feature.kind == "numeric"]
    columns = {name: pd.Series(pd.to_numeric(pd.Series(subject.test[name]), errors="coerce")) for name in names}
    return {name: column.to_numpy(dtype=np.float64, na_value=np.nan) for name, column in columns.items()}


def _diagnosis(gaps: list[Gap], rows: int, subject: Subject) -> Diagnosis:
    confidence = subject.bootstrap.confidence
    worse = [gap for gap in gaps if _is_worse(gap, confidence)]
    examined = Measure(name="slices_examined", value=float(len(gaps)), rows=rows)
    return Diagnosis(
        name=NAME,
        title=TITLE,
        headline=_headline(gaps, worse),
        measures=[_worst(gaps, worse, rows), examined],
        tables=[_table(gaps, confidence)] if gaps else [],
        notes=[
            "A row costs 1 where its class is wrong."
            if subject.outcomes.task == "classification"
            else "A row costs its absolute error in multiples of the mean absolute error of all test rows.",
            f"Slice and rest hold at least {fewest_rows(rows)} rows (discovered ones: of the half that did not grow "
            f"the tree). Intervals cover all slices together at {confidence:.0%}; p is one-sided, after Holm.",
        ],
    )


def _worst(gaps: list[Gap], worse: list[Gap], rows: int) -> Measure:
    if not gaps:
        note = f"no slice of at least {fewest_rows(rows)} rows and as many others among {rows} test rows"
        return Measure(name="worst_gap", value=None, rows=rows, note=note)
    value = worse[0].gap if worse else 0.0
    low, high = max(gap.interval[0] for gap in gaps), max(gap.interval[1] for gap in gaps)
    note = worse[0].rule if worse else f"none of {len(gaps)} slices is significantly worse than the rest"
    interval = (min(max(low, 0.0), value), max(high, value))
    return Measure(name="worst_gap", value=value, interval=interval, rows=rows, note=note)


def _headline(gaps: list[Gap], worse: list[Gap]) -> str:
    if not gaps:
        return "Not evaluated: too few test rows for a slice and its rest."
    if not worse:
        return f"{len(gaps)} slices were examined; none is significantly worse than the rest."
    worst = worse[0]
    return (
        f"{len(worse)} of {len(gaps)} slices are significantly worse than the rest; the worst, {worst.rule}, "
        f"costs {worst.loss:.3g} a row against {worst.rest:.3g} ({worst.rows} rows)."
    )


def _table(gaps: list[Gap], confidence: float) -> Table:
    columns = ["slice", "origin", "rows", "loss", "loss of the rest", "gap", "low", "high", "p", "significant"]
    kept = [gap for index, gap in enumerate(gaps) if index < SHOWN or _is_worse(gap, confidence)][: 2 * SHOWN]
    said = ["worse" if _is_worse(one, confidence) else "no" for one in kept]
    rows = [
        [one.rule, one.origin, one.rows, one.loss, one.rest, one.gap, *one.interval, one.adjusted, word]
        for one, word in zip(kept, said, strict=True)
    ]
    return Table(title=f"Slices by gap ({len(rows)} of {len(gaps)})", columns=columns, rows=rows)


def _is_worse(gap: Gap, confidence: float) -> bool:
    return gap.gap > 0 and gap.adjusted <= 1 - confidence
