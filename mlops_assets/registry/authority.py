"""Authority: by which door somebody comes, whether that door knows who it is, and what they may do to a system."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from mlops_assets.errors import GateRefused

if TYPE_CHECKING:
    from mlops_assets.declaration.spec import SystemSpec

Door = Literal["command", "webserver", "token", "open webserver", "run", "MLflow tag"]
"""How somebody comes: ``webserver`` by a trusted proxy's word, ``token`` there by a role's token, ``open webserver``
where nobody is asked, ``run`` by a run of Dagster's, whose tags anybody may write."""
Action = Literal["approve", "decline", "rollback", "archive", "accept"]
"""What a person does to versions or ledger; ``accept``: to go on from a ledger that is not as it was noted."""
ACTIONS: tuple[Action, ...] = get_args(Action)
OF_OWNERS: tuple[Action, ...] = ("rollback", "archive", "accept")
"""What owners may do too: none of it brings in a version that was not champion before."""
GROUPS = ("group:", "team:")
"""How a declaration names a group; nobody is called so."""
UNPROVEN: dict[Door, str] = {
    "token": "a token names a role and no person",
    "open webserver": "mlops ui without tokens and proxy asks nobody who they are",
    "run": "a run's tags are anybody's to write",
    "MLflow tag": "MLflow does not say who wrote a tag",
}
"""Doors that do not know who comes, and why."""


@dataclass(frozen=True)
class Actor:
    """Somebody who acts, as the door names them."""

    name: str
    door: Door = "command"
    groups: frozenset[str] = frozenset()
    """Groups that a trusted proxy names."""

    def is_among(self, names: Iterable[str]) -> bool:
        """Whether ``names`` has this name, or as ``group:NAME`` or ``team:NAME`` one of the groups."""
        known = {kind + group for group in self.groups for kind in GROUPS}
        known |= set() if self.name.casefold().startswith(GROUPS) else {self.name}
        return not _folded(known).isdisjoint(_folded(names))


def may(actor: Actor, action: Action, system: "SystemSpec") -> bool:
    """Whether ``actor`` may do this: everybody may where a system declares no ``registry.approvers``.

    Example:
        >>> from mlops_assets.declaration.reading import SHIPPED, find_system
        >>> may(Actor("ada"), "approve", find_system("wine_quality", [SHIPPED]))
        True
    """
    return not obstacle(actor, action, system)


def require_allowed(actor: Actor, action: Action, system: "SystemSpec") -> None:
    """Raise GateRefused, which says who may, unless ``actor`` may."""
    if why := obstacle(actor, action, system):
        raise GateRefused(f"{actor.name} may not {action} {_object(action)} of {system.name}: {why}")


def obstacle(actor: Actor, action: Action, system: "SystemSpec") -> str:
    """Why ``actor`` may not; empty if they may."""
    declared = system.registry
    if not declared.approvers:
        return ""
    owners = system.owners if action in OF_OWNERS else []
    if not actor.is_among([*declared.approvers, *owners]):
        return f"that is for {', '.join([*declared.approvers, *owners])} (registry.approvers, owners)"
    return unproven(actor, system)


def unproven(actor: Actor, system: "SystemSpec") -> str:
    """Why the door does not show that it is this person; empty if it does, or the declaration trusts it."""
    if actor.door not in UNPROVEN or (actor.door == "MLflow tag" and system.registry.trust_mlflow_tag):
        return ""
    return f"{UNPROVEN[actor.door]}. Remedy: mlops commands, or mlops ui behind a proxy"


def _object(action: Action) -> str:
    return {"archive": "versions", "accept": "the ledger"}.get(action, "a version")


def _folded(names: Iterable[str]) -> set[str]:
    return {name.strip().casefold() for name in names}
