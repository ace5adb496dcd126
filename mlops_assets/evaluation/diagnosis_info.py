"""What is known of a diagnosis and of its measures without importing the code behind them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from mlops_assets.declaration.base import Task

Better = Literal["lower", "higher", "neither"]


@dataclass(frozen=True)
class MeasureInfo:
    """One number that gates name as ``<diagnosis>.<measure>``."""

    title: str
    better: Better = "lower"
    """By which two models are ranked; ``neither``: they cannot be."""
    task: Task | None = None
    """The task that it is for, where the diagnosis has others as well."""

    @property
    def meaning(self) -> str:
        """The title with its direction."""
        return self.title if self.better == "neither" else f"{self.title} ({self.better} is better)"


@dataclass(frozen=True)
class DiagnosisInfo:
    """All that is known of a diagnosis without importing it."""

    name: str
    title: str
    tasks: frozenset[Task]
    measures: Mapping[str, MeasureInfo]
    examine: str
    """Dotted path of the function from a ``Subject`` to a ``Diagnosis``."""
    plots: str | None = None
    """Dotted path of the function from a ``Diagnosis`` and the report's gates to titles and SVGs."""
    standard: bool = True
    """Part of every report of its tasks; otherwise only where declared or named by a gate."""
    timed: bool = False
    """Measured by the clock: its numbers differ between two reports on equal inputs."""
    required: bool = False
    """Part of every report that knows the train rows, whatever is declared: the platform's own gate rests on it."""

    def for_task(self, task: Task) -> "DiagnosisInfo":
        """The same with the measures of ``task``."""
        return replace(self, measures={name: each for name, each in self.measures.items() if each.task in (None, task)})
