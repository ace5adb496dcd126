"""Gates elsewhere: what the same declaration asks for in other environments, and where less is asked here."""

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.evaluation.gate_history import demand_of
from mlops_assets.evaluation.term_history import changed_terms
from mlops_assets.evaluation.terms import declared_terms


class LooserThanElsewhere(BaseModel):
    """A gate, or another term, that asks for less here than in another environment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate: str
    """Its name; of another term the key in the declaration."""
    environment: str
    """Where more is asked."""
    there: str
    here: str

    def __str__(self) -> str:
        return f"{self.gate}: {self.here}, in {self.environment} {self.there}"


def looser_than_elsewhere(spec: SystemSpec) -> list[LooserThanElsewhere]:
    """Everything that ``spec`` asks less of than the same declaration does in another environment, by environment.

    Example:
        >>> from mlops_assets.declaration.reading import SHIPPED, find_system
        >>> looser_than_elsewhere(find_system("wine_quality", [SHIPPED]))  # it says the same everywhere
        []
    """
    return [looser for name, other in spec.elsewhere.items() for looser in _looser(spec, other, name)]


def _looser(spec: SystemSpec, other: SystemSpec, environment: str) -> Iterator[LooserThanElsewhere]:
    here = {gate.name: demand_of(gate) for gate in spec.evaluation.gates}
    for gate in other.evaluation.gates:
        there, now = demand_of(gate), here.get(gate.name)
        if now is None or now.looser_than(there):
            shown = "not asked" if now is None else str(now)
            yield LooserThanElsewhere(gate=gate.name, environment=environment, there=str(there), here=shown)
    for term in changed_terms(declared_terms(other), declared_terms(spec)):
        if term.loosened:
            yield LooserThanElsewhere(gate=term.key, environment=environment, there=term.then, here=term.now)
