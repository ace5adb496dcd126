"""Landing limits: how large, wide and deep a landed file may be before it is refused as one that does harm."""

import json

from pydantic import BaseModel, ConfigDict, Field

MIB = 1 << 20


class LandingLimits(BaseModel):
    """What one landed file may hold; whoever needs more raises the limit that the rejection names."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    bytes: int = Field(default=16 << 30, ge=1)
    """Size of the file as it lies in the landing zone."""
    ratio: float = Field(default=100, ge=1)
    """How many times its size a file of more than 256 MiB of content may grow when it is read."""
    rows: int = Field(default=200_000_000, ge=1)
    """Rows."""
    columns: int = Field(default=10_000, ge=1)
    """Columns, undeclared ones included."""
    cell: int = Field(default=MIB, ge=1)
    """Bytes of the text in one cell."""
    nesting: int = Field(default=32, ge=1)
    """Brackets inside one another in a line of JSON."""
    memory_mib: int = Field(default=896, ge=64)
    """Memory that reading may take; four for each declared column are added."""
    seconds: float = Field(default=60, gt=0)
    """How long the next rows may be waited for."""

    def memory(self, columns: int) -> int:
        """Bytes that reading ``columns`` may take."""
        return (self.memory_mib + 4 * columns) * MIB


DEFAULT = LandingLimits()
FLOOR = 256 * MIB
"""Content up to this size may be packed as tightly as it can be."""


def set_limit(name: str, value: float) -> str:
    """The remedy: what to set where the file is right."""
    setting = json.dumps({name: int(value) if value >= 1 else value})
    return f"Remedy: see what made the file; if it is right, set MLOPS_LANDING_LIMITS='{setting}' or more"
