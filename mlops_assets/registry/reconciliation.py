"""Reconciliation: are the registry's aliases where the ledger put them?"""

from mlops_assets.registry.aliases import Stray, restore, strays
from mlops_assets.registry.session import RegistrySession
from mlops_assets.verdict import Verdict

CHECK = "aliases_follow_ledger"


def reconcile(session: RegistrySession) -> list[Stray]:
    """Complete what was cut off, then write down every alias that a hand has moved, once; move it back if declared.

    Returns the aliases that were found astray, also those that were moved back.
    """
    session.settle()
    found = strays(session.registry, session.ledger)
    for stray in found:
        if not _is_known(session, stray):
            session.ledger.append(
                session.entry("ungated", f"{stray}; it was moved without a gate", version=None, details=vars(stray))
            )
    if found and session.spec.registry.moved_alias == "restore":
        put_back(session, found)
    return found


def put_back(session: RegistrySession, found: list[Stray]) -> None:
    """Move every alias to where the ledger put it, and write that down."""
    restore(session.registry, session.ledger)
    told = "; ".join(f"{stray.alias!r} is back on {_named(stray.due)}" for stray in found)
    session.ledger.append(session.entry("restored", told))


def verdict(session: RegistrySession, found: list[Stray]) -> Verdict:
    """Whether the aliases follow the ledger now."""
    astray = [] if session.spec.registry.moved_alias == "restore" else found
    told = "; ".join(map(str, astray))
    return Verdict(
        name=CHECK,
        outcome="failed" if astray else "passed",
        severity="warn",
        reason=f"{told}. Remedy: mlops aliases {session.system} --restore"
        if astray
        else "every alias is where the ledger put it",
        value=float(len(astray)),
        bound=0.0,
    )


def _is_known(session: RegistrySession, stray: Stray) -> bool:
    """Whether this very move is in the ledger already, with nothing of that alias after it."""
    entries = session.ledger.entries(session.system, "ungated", "restored", "promoted", "rolled back")
    for entry in reversed(entries):
        if entry.event != "ungated":
            return False
        if entry.details.get("alias") == stray.alias:
            return entry.details == vars(stray)
    return False


def _named(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"
