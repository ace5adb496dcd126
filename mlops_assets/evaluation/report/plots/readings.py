"""Readings: what a plot takes out of a diagnosis: table rows by column, measures by name, bounds that gates set."""

from collections.abc import Iterable

from mlops_assets.evaluation.diagnosis import Cell, Diagnosis, Measure
from mlops_assets.metrics.formatting import demand_text
from mlops_assets.verdict import Verdict


def rows_of(diagnosis: Diagnosis, *columns: str) -> list[list[Cell]]:
    """The cells of ``columns``, row by row, in the first table that has them all; empty where none has."""
    for table in diagnosis.tables:
        if set(columns) <= set(table.columns):
            places = [table.columns.index(column) for column in columns]
            return [[row[place] for place in places] for row in table.rows]
    return []


def measure_of(diagnosis: Diagnosis, name: str) -> Measure | None:
    """The measure of that name, where it was evaluated."""
    return next((one for one in diagnosis.measures if one.name == name and one.value is not None), None)


def number(cell: Cell) -> float | None:
    """A cell as a number; None for text and for what was not evaluated."""
    return float(cell) if isinstance(cell, int | float) else None


def interval_of(low: Cell, high: Cell) -> tuple[float, float] | None:
    """Two cells as an interval; None unless both are numbers."""
    ends = number(low), number(high)
    return None if ends[0] is None or ends[1] is None else (ends[0], ends[1])


def bounds_on(diagnosis: Diagnosis, measure: str, gates: Iterable[Verdict]) -> list[tuple[float, str]]:
    """Each bound that a gate sets on the measure, in words as well: (0.1, "at most 0.10")."""
    about = f"{diagnosis.name}_{measure}"
    return [
        (gate.bound, demand_text(gate.side, gate.bound))
        for gate in gates
        if gate.side is not None and gate.bound is not None and _judges(gate, about)
    ]


def _judges(gate: Verdict, measure: str) -> bool:
    return gate.name in (f"{measure}_{gate.side}", f"{measure}_{gate.side}_interval")
