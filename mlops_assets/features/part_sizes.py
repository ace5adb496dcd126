"""Part sizes: whether each part holds rows, of every class."""

import polars as pl

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.verdict import Verdict

SHOWN = 5


def enough_rows(table: pl.DataFrame, spec: SystemSpec) -> Verdict:
    """Whether every part has rows and every class is in every part.

    A warning: how many rows a gate needs is the gate's own matter, and one that lacks rows is "not evaluated", which
    is not a pass. ``table`` holds ``_part`` and the target.
    """
    wanting = [*_absent_classes(table, spec), *_poor_parts(table, spec)]
    tests = table.filter(pl.col("_part") == "test")
    sentence = "; ".join(wanting[:SHOWN]) + (f"; and {len(wanting) - SHOWN} more" if len(wanting) > SHOWN else "")
    return Verdict(
        name="enough_rows",
        outcome="failed" if wanting else "passed",
        severity="warn",
        reason=sentence or f"every part is filled; {tests.height:,} test rows",
        value=tests.height,
        bound=1,
        rows=table.height,
        details={"wanting": wanting},
    )


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
