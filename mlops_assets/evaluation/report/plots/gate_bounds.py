"""Gate bounds: what gates ask of a measure, as a plot draws it."""

from collections.abc import Iterable

from mlops_assets.evaluation.diagnosis import Diagnosis
from mlops_assets.metrics.formatting import demand_text
from mlops_assets.verdict import Verdict


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
