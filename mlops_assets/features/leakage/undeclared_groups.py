"""Undeclared groups: columns whose equal values make rows alike, so that a test row has relatives among the train rows.

A model then knows a test row by its relatives, such as other visits of the same patient, and its figures say little of
patients it has never seen. Columns are looked at whether they are features or not. Rows that stay together anyway, the
copies of a row or the rows of a declared group, count as one.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.features.leakage.alikeness import Alikeness, alikeness
from mlops_assets.features.leakage.repeated_values import RepeatedValues, repeated_values
from mlops_assets.verdict import Verdict

NAME = "no_undeclared_groups"
LEVELS, RARE = 10, 0.05
"""Categories of a feature that are distinguished, and the share of the rows from which."""
FEATURES = 40
"""Features that rows are compared in, chosen at random of more."""
PROXY = 0.7
"""Rank correlation, or share of the ranks that the target explains as its root, from which a feature or the target
rises and falls with a column of numbers, and so says nothing of equal values."""


@dataclass(frozen=True)
class ValueGroup:
    """A column whose equal values make rows alike."""

    values: RepeatedValues
    alikeness: Alikeness

    @property
    def column(self) -> str:
        return self.values.column


def no_undeclared_groups(rows: pl.DataFrame, unit: np.ndarray, spec: SystemSpec) -> Verdict:
    """Whether no column groups the rows, but for the declared group.

    ``rows`` holds the dataset's columns, n rows that are in a part, and ``unit`` is equal for rows that stay together,
    shape (n,). A column of ``split.ungrouped`` is named as a warning.
    """
    if spec.features.split.time:
        return _passed("a split by time: later rows may be of the same people or things as earlier ones", 0)
    first = np.sort(np.unique(unit, return_index=True)[1])
    alone = rows if len(first) == rows.height else rows[first]
    looked_at = [values for name in _columns(alone, spec) if (values := _repeated(alone, name, spec))]
    groups = [group for values in looked_at if (group := _group(values, alone, spec, len(looked_at)))]
    if not groups:
        return _passed(f"of {len(looked_at)} columns with repeated values, none makes rows alike", alone.height)
    return _verdict(groups, alone.height, spec)


def _columns(rows: pl.DataFrame, spec: SystemSpec) -> list[str]:
    split, declared = spec.features.split, spec.dataset.columns
    skipped = {spec.dataset.target, split.group}
    return [
        name for name in rows.columns if name in declared and name not in skipped and not declared[name].post_outcome
    ]


def _repeated(rows: pl.DataFrame, name: str, spec: SystemSpec) -> RepeatedValues | None:
    values = rows[name].cast(pl.String) if name in spec.features.categorical else rows[name]
    return repeated_values(values, name in spec.feature_columns())


def _group(repeated: RepeatedValues, rows: pl.DataFrame, spec: SystemSpec, columns: int) -> ValueGroup | None:
    shown, target = rows[repeated.rows], spec.dataset.target
    others = [name for name in spec.feature_columns() if name != repeated.column]
    chosen = np.sort(np.random.default_rng(0).permutation(len(others))[:FEATURES])
    features = _table(shown.select(others[place] for place in chosen))
    outcome = _table(shown.select(pl.col(target).cast(pl.String) if spec.task == "classification" else target), 0.0)
    is_text = rows[repeated.column].dtype == pl.String or repeated.column in spec.features.categorical
    if not is_text:
        rank = repeated.values - repeated.values.mean()
        features = features[:, [_explained(rank, column[:, np.newaxis]) < PROXY**2 for column in features.T]]
        outcome = outcome if _explained(rank, outcome) < PROXY**2 else outcome[:, :0]
    names = is_text or repeated.is_even or repeated.column not in spec.feature_columns()
    alike = alikeness(repeated, features, outcome, columns, names)
    return ValueGroup(repeated, alike) if alike.is_group else None


def _table(frame: pl.DataFrame, rare: float = RARE) -> np.ndarray:
    """Ranks of numbers and shares of categories, each column with mean 0 and variance 1; constant ones left out."""
    columns = [column for values in frame for column in _encoded(values, rare)]
    table = np.column_stack(columns) if columns else np.zeros((frame.height, 0))
    table = table - table.mean(axis=0)
    spread = table.std(axis=0)
    return table[:, spread > 0] / spread[spread > 0]


def _encoded(values: pl.Series, rare: float) -> list[np.ndarray]:
    if values.dtype != pl.String:
        ranks = values.to_physical().cast(pl.Float64).rank()
        return [ranks.fill_null((len(values) - values.null_count() + 1) / 2).to_numpy()]
    counts = values.drop_nulls().value_counts(name="rows").sort(["rows", values.name], descending=[True, False])
    frequent = counts.filter(pl.col("rows") >= rare * len(values))[values.name].head(LEVELS)
    return [(values == level).fill_null(False).cast(pl.Float64).to_numpy() for level in frequent]


def _explained(rank: np.ndarray, table: np.ndarray) -> float:
    """Share of the variance of ``rank``, of mean 0, that a straight function of ``table`` explains."""
    fitted = table @ np.linalg.lstsq(table, rank, rcond=None)[0] if table.shape[1] else np.zeros_like(rank)
    return float((fitted**2).sum() / (rank**2).sum())


def _passed(reason: str, rows: int) -> Verdict:
    return Verdict(name=NAME, outcome="passed", reason=reason, value=0, bound=0, rows=rows, details={"columns": []})


def _verdict(groups: list[ValueGroup], rows: int, spec: SystemSpec) -> Verdict:
    ungrouped = spec.features.split.ungrouped
    undeclared = [group for group in groups if group.column not in ungrouped]
    accepted = [group for group in groups if group.column in ungrouped]
    return Verdict(
        name=NAME,
        outcome="failed",
        severity="block" if undeclared else "warn",
        reason=_accusation(undeclared) if undeclared else _reminder(accepted),
        value=len(undeclared),
        bound=0,
        rows=rows,
        details={
            "columns": [group.column for group in undeclared],
            "ungrouped": [group.column for group in accepted],
            "groups": [_row(group) for group in groups],
        },
    )


def _row(group: ValueGroup) -> dict[str, object]:
    alike = {name: round(getattr(group.alikeness, name), 4) for name in ("features", "strongest", "target")}
    return {
        "column": group.column,
        "distinct": group.values.distinct,
        "rows_per_value": round(group.values.rows_per_value, 2),
        **alike,
    }


def _accusation(groups: list[ValueGroup]) -> str:
    listed = ". ".join(_described(group) for group in groups)
    first = min(groups, key=lambda group: group.values.distinct).column
    return (
        f"{listed}. Rows of one value lie in several parts, so that test rows are known from train rows. Remedy: keep "
        f"them together by features.split.group: {first}, or, where rows are independent all the same, list the column "
        "in features.split.ungrouped"
    )


def _reminder(groups: list[ValueGroup]) -> str:
    return f"{'. '.join(_described(group) for group in groups)}. Declared as independent (features.split.ungrouped)"


def _described(group: ValueGroup) -> str:
    alike = group.alikeness
    sizes = zip(
        (alike.features, alike.strongest, alike.target), ("features", "strongest feature", "target"), strict=True
    )
    shares = [
        f"{size:.0%} of the variance of the {what}"
        for (size, what), beyond in zip(sizes, alike.beyond_chance, strict=True)
        if beyond
    ]
    return (
        f"{group.column!r} groups the rows: {group.values.distinct:,} values of {group.values.rows_per_value:.1f} rows "
        f"each, and rows of one value have {' and '.join(shares)} in common, more than rows of neighbouring values and "
        "than by chance"
    )
