"""Declarations for the tests of this stage: a small system with one column of every kind of rule."""

from typing import Any

from mlops_assets.declaration.spec import SystemSpec

COLUMNS: dict[str, dict[str, Any]] = {
    "x": {"type": "float", "min": 0},
    "note": {"type": "string", "nullable": True},
    "y": {"type": "string", "allowed": ["a", "b"]},
}


def system(columns: dict[str, dict[str, Any]] | None = None, target: str = "y", **dataset: Any) -> SystemSpec:
    """A system called ``s`` whose dataset has ``columns``."""
    declared = {"target": target, "columns": columns or COLUMNS, "volume": {"min_rows": 1}, **dataset}
    return SystemSpec.model_validate({"name": "s", "task": "classification", "dataset": declared})
