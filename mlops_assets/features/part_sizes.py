"""Part sizes: whether each part holds what the declared gates need to say anything."""

import polars as pl

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.verdict import Verdict

SHOWN = 5


def enough_rows(table: pl.DataFrame, spec: SystemSpec) -> Verdict:
    """Whether every class is in every part and the test part has the rows that each gate asks for.

    A warning: the gate that lacks rows says "not evaluated" itself, which is not a pass. ``table`` holds
    ``_part``, the target and the context columns.
    """
    wanting = [*_absent_classes(table, spec), *_poor_parts(table, spec), *_poor_gates(table, spec)]
    tests = table.filter(pl.col("_part") == "test")
    sentence = "; ".join(wanting[:SHOWN]) + (f"; and {len(wanting) - SHOWN} more" if len(wanting) > SHOWN else "")
    return Verdict(
        name="enough_rows",
        outcome="failed" if wanting else "passed",
        severity="warn",
        reason=sentence or f"every part is filled; {tests.height:,} test rows, {_needed(spec):,} are needed",
        value=tests.height,
        bound=_needed(spec),
        rows=table.height,
        details={"wanting": wanting},
    )


def _needed(spec: SystemSpec) -> int:
    return max((gate.min_rows for gate in spec.evaluation.gates if gate.slice is None), default=1)


def _parts(spec: SystemSpec) -> list[str]:
    split = spec.features.split
    has_validation = split.validation > 0 or split.validation_from is not None
    return ["train", "validation", "test"] if has_validation else ["train", "test"]


def _poor_parts(table: pl.DataFrame, spec: SystemSpec) -> list[str]:
    sizes = dict(table["_part"].value_counts().iter_rows())
    return [f"the {part} part has no rows, 1 is needed" for part in _parts(spec) if not sizes.get(part)]


def _absent_classes(table: pl.DataFrame, spec: SystemSpec) -> list[str]:
    if spec.task != "classification":
        return []
    target = spec.dataset.target
    used = table.filter(pl.col("_part") != "excluded")
    classes = used[target].unique().sort().to_list()
    present = set(used.select("_part", target).unique().iter_rows())
    return [
        f"class {value!r} has no rows in the {part} part, 1 is needed"
        for part in _parts(spec)
        for value in classes
        if (part, value) not in present
    ]


def _poor_gates(table: pl.DataFrame, spec: SystemSpec) -> list[str]:
    tests = table.filter(pl.col("_part") == "test")
    counted = [
        (gate, _rows_where(tests, gate.slice.column, gate.slice.equals) if gate.slice else tests.height)
        for gate in spec.evaluation.gates
    ]
    return [
        f"gate {gate.name!r} has {rows:,} test rows, {gate.min_rows:,} are needed"
        for gate, rows in counted
        if rows < gate.min_rows
    ]


def _rows_where(tests: pl.DataFrame, column: str, value: object) -> int:
    return int((tests[f"@{column}"].to_pandas() == value).sum())
