"""The contract: which cells and rows a declaration accepts; pandera checks, this module says row, column and rule."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from mlops_assets.dataset.reading.parsing import is_missing, parsed
from mlops_assets.dataset.row_hash import row_hash
from mlops_assets.dataset.rules import rules_of
from mlops_assets.dataset.seen_hashes import Seen
from mlops_assets.errors import SpecError

if TYPE_CHECKING:
    import pandera.polars as pa

    from mlops_assets.dataset.spec import DatasetSpec


@dataclass(frozen=True, eq=False)
class Checked:
    """What the contract says about one chunk of a file."""

    accepted: pl.DataFrame
    """Rows that keep every rule: declared columns in their types, ``_row`` and ``_hash``."""
    violations: pl.DataFrame
    """One line per broken rule: row, column, rule, value (text)."""
    quarantined: pl.DataFrame
    """The raw rows that break a rule, with ``_row``."""


@dataclass(frozen=True)
class Contract:
    """The contract of one dataset, checked chunk by chunk."""

    dataset: "DatasetSpec"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that decides which rows are accepted, and as what."""
        columns = {
            name: column.model_dump(mode="json", exclude={"description", "unit", "post_outcome"})
            for name, column in self.dataset.columns.items()
        }
        parts = {"columns": columns, "key": self.dataset.key, "format": self.dataset.format.model_dump(mode="json")}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    @cached_property
    def constraints(self) -> dict[str, list[str]]:
        """Columns whose values together may occur once, by constraint: the key and every unique column."""
        key = {f"key:{', '.join(self.dataset.key)}": list(self.dataset.key)} if self.dataset.key else {}
        return key | {f"unique:{name}": [name] for name, column in self.dataset.columns.items() if column.unique}

    def check(self, chunk: pl.DataFrame, first_row: int, seen: dict[str, Seen]) -> tuple[Checked, dict[str, Seen]]:
        """Check the raw rows of ``chunk``, the first of which is row ``first_row`` of its file.

        ``seen`` holds what earlier rows used up, by constraint; the second result has this chunk's accepted rows added.
        """

        raw = chunk.select(list(self.dataset.columns)).with_columns(pl.int_range(pl.len()).alias("_index"))
        typed = chunk.select([parsed(chunk[name], column.type) for name, column in self.dataset.columns.items()])
        broken = self._broken_cells(chunk, typed)
        typed = typed.with_columns(raw["_index"])
        survivors = typed.join(broken, on="_index", how="anti", maintain_order="left") if broken.height else typed
        survivors, repeated, seen = self._without_repeated(survivors, seen)
        broken = pl.concat([broken, *repeated])
        hashes = row_hash(survivors, list(self.dataset.columns))
        accepted = survivors.with_columns(
            _row=pl.col("_index").cast(pl.Int64) + first_row, _hash=pl.Series(hashes.view("int64"))
        ).drop("_index")
        return Checked(accepted, *self._report(raw, broken, first_row)), seen

    def _broken_cells(self, raw: pl.DataFrame, typed: pl.DataFrame) -> pl.DataFrame:
        """``_index``, column and rule of every cell that breaks a rule of its own column."""

        unparsed = pl.concat([_no_cells(), *(_unparsed(raw[name], typed[name]) for name in self.dataset.columns)])
        failed = self._failures(typed)
        # A cell that did not parse is null in `typed`; its rule is the type, not the emptiness.
        failed = failed.join(unparsed, on=["_index", "column"], how="anti") if unparsed.height else failed
        return pl.concat([unparsed, failed])

    def _failures(self, typed: pl.DataFrame) -> pl.DataFrame:
        from pandera.errors import SchemaErrors

        try:
            self._schema.validate(typed, lazy=True)
        except SchemaErrors as errors:
            cases = errors.failure_cases
            if cases["index"].null_count():
                raise SpecError(f"The contract could not be checked: {cases['check'].to_list()[:3]}") from errors
            rules = pl.DataFrame(self._rules, schema=["column", "check_number", "rule"], orient="row")
            cases = cases.with_columns(pl.col("check_number").cast(pl.Int64)).join(
                rules.cast({"check_number": pl.Int64}), on=["column", "check_number"], how="left"
            )
            return cases.select(
                pl.col("index").cast(pl.Int64).alias("_index"), "column", pl.col("rule").fill_null("nullable")
            )
        return _no_cells()

    def _without_repeated(
        self, rows: pl.DataFrame, seen: dict[str, Seen]
    ) -> tuple[pl.DataFrame, list[pl.DataFrame], dict[str, Seen]]:
        """Drop rows whose key or unique value an earlier accepted row holds."""

        repeated, used = [], {}
        for name, columns in self.constraints.items():
            values = row_hash(rows, columns)
            earlier = seen.get(name, Seen()).contains(values) | ~pl.Series(values).is_first_distinct().to_numpy()
            earlier &= ~_exempt(rows, name, columns)
            if earlier.any():
                rule = name.partition(":")[0]
                repeated.append(_cells(rows.filter(pl.Series(earlier))["_index"], ", ".join(columns), rule))
                rows = rows.filter(pl.Series(~earlier))
        for name, columns in self.constraints.items():
            present = rows.filter(pl.Series(~_exempt(rows, name, columns)))
            used[name] = seen.get(name, Seen()).plus(row_hash(present, columns))
        return rows, repeated, seen | used

    def _report(self, raw: pl.DataFrame, broken: pl.DataFrame, first_row: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Violations with the raw value as text, and the raw rows."""

        row = (pl.col("_index") + first_row).alias("_row")
        parts = [_with_values(raw, cells) for cells in broken.partition_by("column")]
        violations = pl.concat([_no_cells().with_columns(value=pl.lit(None, pl.String)), *parts])
        violations = violations.sort("_index", maintain_order=True).select(row.alias("row"), "column", "rule", "value")
        rows = raw.join(broken, on="_index", how="semi", maintain_order="left") if broken.height else raw.clear()
        return violations, rows.select(row, pl.exclude("_index"))

    @cached_property
    def _schema(self) -> "pa.DataFrameSchema":
        import pandera.polars as pa

        return pa.DataFrameSchema(
            {
                name: pa.Column(checks=[check for _, check in rules_of(name, column)], nullable=column.nullable)
                for name, column in self.dataset.columns.items()
            }
        )

    @cached_property
    def _rules(self) -> list[tuple[str, int, str]]:
        """Column, number of the check within the column, and the rule it stands for."""
        return [
            (name, number, rule)
            for name, column in self.dataset.columns.items()
            for number, (rule, _) in enumerate(rules_of(name, column))
        ] or [("", 0, "")]


def _exempt(rows: pl.DataFrame, name: str, columns: list[str]) -> np.ndarray:
    """Empty cells of a unique column are not compared; an incomplete key is."""

    if name.startswith("key:"):
        return np.zeros(rows.height, dtype=bool)
    return rows[columns[0]].is_null().to_numpy()


def _unparsed(raw: pl.Series, typed: pl.Series) -> pl.DataFrame:
    if not typed.null_count() or (not raw.dtype.is_float() and raw.null_count() == typed.null_count()):
        return _no_cells()
    return _cells((typed.is_null() & ~is_missing(raw)).arg_true(), raw.name, "type")


def _cells(index: pl.Series, column: str, rule: str) -> pl.DataFrame:

    return index.cast(pl.Int64).alias("_index").to_frame().with_columns(column=pl.lit(column), rule=pl.lit(rule))


def _no_cells() -> pl.DataFrame:

    return pl.DataFrame(schema={"_index": pl.Int64, "column": pl.String, "rule": pl.String})


def _with_values(raw: pl.DataFrame, cells: pl.DataFrame) -> pl.DataFrame:
    """``cells`` with the raw values as text; several columns of one key are joined by a comma."""

    named = cells["column"][0]
    columns = [named] if named in raw.columns else named.split(", ")
    texts = raw[cells["_index"]].select(
        pl.concat_str(pl.col(columns).cast(pl.String), separator=", ", ignore_nulls=True)
    )
    values = texts.to_series().alias("value")
    if len(columns) == 1:
        values = raw[columns[0]].gather(cells["_index"]).cast(pl.String).alias("value")
    return cells.with_columns(values)
