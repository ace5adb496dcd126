"""Aliases: what the ledger says the registry's aliases must be, and making them so."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_assets.resources.model_registry import Registry
    from mlops_assets.storage.ledger import Ledger
    from mlops_assets.storage.ledger_entry import Entry, Event


@dataclass(frozen=True)
class Aliases:
    """Version by alias; None: no version carries it."""

    champion: int | None = None
    """The version in production."""
    previous: int | None = None
    """The champion before it: where a rollback leads."""
    challenger: int | None = None
    """The newest registered version, while it is not champion."""
    staging: int | None = None
    """The version that waits for a person's approval."""


@dataclass(frozen=True)
class MovedAlias:
    """An alias that is not where the ledger put it; None: on no version."""

    alias: str
    observed: int | None
    due: int | None

    def __str__(self) -> str:
        return f"alias {self.alias!r} is on {named(self.observed)}, the ledger says {named(self.due)}"


def named(version: int | None) -> str:
    """A version, or that there is none, in words."""
    return "no version" if version is None else f"version {version}"


def due(ledger: "Ledger", system: str, before: int | None = None) -> Aliases:
    """The aliases that follow from the ledger, or from its entries before one."""
    in_force = ledger.champion(system, before=before)
    champion = in_force.version if in_force else None
    previous = in_force.previous if in_force else None
    registered, requested = (_newest_open(ledger, system, event, before) for event in ("registered", "requested"))
    waits = requested and not (in_force and in_force.sequence > requested.sequence)
    return Aliases(
        champion=champion,
        previous=previous,
        challenger=registered.version if registered and registered.version not in (champion, previous) else None,
        staging=requested.version if requested and waits else None,
    )


def settle(registry: "Registry", ledger: "Ledger") -> "Entry | None":
    """Make the aliases follow every entry that they do not follow yet; return the promotion in force.

    That completes what was cut off between ledger and registry. Where two runs move an alias at once, the last one
    to do so looks again, so that it follows the ledger in the end. An alias that these entries do not concern stays
    where it is, also where a hand put it: ``moved_aliases`` finds it.
    """
    system = registry.system
    pending = ledger.undelivered(system)
    while pending is not None:
        first, last = pending
        required = due(ledger, system)
        between = [asdict(due(ledger, system, before=sequence)) for sequence in range(first, last + 1)]
        # A run that died may have moved an alias for one of these entries that another of them moves back.
        _point(registry, {alias: to for alias, to in asdict(required).items() if {b[alias] for b in between} != {to}})
        if due(ledger, system) == required:
            ledger.deliver(system, last)
            pending = ledger.undelivered(system)
        else:  # another run wrote meanwhile, and may have moved the aliases before this one did
            pending = (first, ledger.head(system)[0])
    return ledger.champion(system)


def moved_aliases(registry: "Registry", ledger: "Ledger") -> list[MovedAlias]:
    """Aliases that are not where the ledger put them."""
    observed = registry.aliases()
    return [
        MovedAlias(alias, observed.get(alias), version)
        for alias, version in asdict(due(ledger, registry.system)).items()
        if observed.get(alias) != version
    ]


def restore(registry: "Registry", ledger: "Ledger") -> None:
    """Move every alias back to where the ledger put it."""
    _point(registry, asdict(due(ledger, registry.system)))


def _point(registry: "Registry", required: dict[str, int | None]) -> None:
    observed = registry.aliases()
    for alias, version in required.items():
        if observed.get(alias) != version:
            registry.point(alias, version)


def _newest_open(ledger: "Ledger", system: str, event: "Event", before: int | None) -> "Entry | None":
    """The newest such entry, unless its version was declined or archived since."""
    entry = ledger.latest(system, event, before=before)
    if entry is None:
        return None
    closed = ledger.latest(system, "declined", "archived", version=entry.version, before=before)
    return None if closed and closed.sequence > entry.sequence else entry
