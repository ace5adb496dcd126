"""Gate format: the verdict of a gate as any release stored it, in the shape of this one."""

from typing import Any, get_args

from mlops_assets.verdict import Side


def upgraded_gate(verdict: dict[str, Any]) -> dict[str, Any]:
    """With the side of its bound and its fewest rows: once the one stood in the name, the other among the details."""
    if "side" in verdict:
        return verdict
    details = dict(verdict.get("details", {}))
    rows = details.pop("min_rows", None)
    side = next((side for side in get_args(Side) if side in verdict["name"]), None)
    return {**verdict, "side": side, "min_rows": rows, "details": details}
