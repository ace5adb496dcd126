"""The draft of a column: its role, what will be declared of it, and why."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

Role = Literal["target", "feature", "key", "group", "time", "excluded", "undeclared"]
DraftAttributes = dict[str, Any]
"""A declaration, or a part of it, as YAML holds it."""


@dataclass(frozen=True)
class ColumnDraft:
    """One column as it will be declared."""

    name: str
    role: Role
    declared: DraftAttributes = field(default_factory=dict)
    """Keys of its ColumnSpec."""
    why: str = ""
    categorical: bool = False
    """Whether its numbers are names."""
    ungrouped: bool = False
    """Whether its equal values make rows alike that no split keeps together."""

    def left_out(self, why: str) -> "ColumnDraft":
        """The column as no feature; a range would only reject rows for it."""
        kept = {key: value for key, value in self.declared.items() if key in ("type", "nullable")}
        return replace(self, role="excluded", declared=kept, why=why, categorical=False)

    @property
    def label(self) -> str:
        """How the column is declared, in few words."""
        kind = str(self.declared.get("type", ""))
        if self.role == "undeclared":
            return "not read"
        if self.role == "feature":
            low, high = self.declared.get("min"), self.declared.get("max")
            bounds = f" {low:g} … {high:g}" if low is not None and high is not None else ""
            return f"{'category' if self.categorical else kind}{bounds}"
        return {"excluded": "left out"}.get(self.role, self.role)
