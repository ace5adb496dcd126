"""Aliases: what the ledger says the registry's aliases must be, and making them so."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_assets.registry.ledger import Entry, Event, Ledger
    from mlops_assets.resources.model_registry import Registry


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
class Stray:
    """An alias that is not where the ledger put it."""

    alias: str
    found: int | None
    due: int | None

    def __str__(self) -> str:
        found, due = (f"version {one}" if one is not None else "no version" for one in (self.found, self.due))
        return f"alias {self.alias!r} is on {found}, the ledger says {due}"


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
    where it is, also where a hand put it: ``strays`` finds it.
    """
    system = registry.system
    pending = ledger.undelivered(system)
    while pending is not None:
        first, last = pending
        wanted = due(ledger, system)
        between = [asdict(due(ledger, system, before=sequence)) for sequence in range(first, last + 1)]
        # A run that died may have moved an alias for one of these entries that another of them moves back.
        _point(registry, {alias: to for alias, to in asdict(wanted).items() if {b[alias] for b in between} != {to}})
        if due(ledger, system) == wanted:
            registry.note(*ledger.head(system))
            ledger.deliver(system, last)
            pending = ledger.undelivered(system)
        else:  # another run wrote meanwhile, and may have moved the aliases before this one did
            pending = (first, ledger.head(system)[0])
    return ledger.champion(system)


def strays(registry: "Registry", ledger: "Ledger") -> list[Stray]:
    """Aliases that are not where the ledger put them."""
    found = registry.aliases()
    return [
        Stray(alias, found.get(alias), version)
        for alias, version in asdict(due(ledger, registry.system)).items()
        if found.get(alias) != version
    ]


def restore(registry: "Registry", ledger: "Ledger") -> None:
    """Move every alias back to where the ledger put it."""
    _point(registry, asdict(due(ledger, registry.system)))


def _point(registry: "Registry", wanted: dict[str, int | None]) -> None:
    found = registry.aliases()
    for alias, version in wanted.items():
        if found.get(alias) != version:
            registry.point(alias, version)


def _newest_open(ledger: "Ledger", system: str, event: "Event", before: int | None) -> "Entry | None":
    """The newest such entry, unless its version was declined or archived since."""
    entry = ledger.latest(system, event, before=before)
    if entry is None:
        return None
    closed = ledger.latest(system, "declined", "archived", version=entry.version, before=before)
    return None if closed and closed.sequence > entry.sequence else entry
