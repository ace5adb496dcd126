"""Reconciliation: are the registry's aliases where the ledger put them?"""

from mlops_assets.registry.aliases import MovedAlias, moved_aliases, named, restore
from mlops_assets.registry.session import RegistrySession
from mlops_assets.storage.details_format import read_details
from mlops_assets.verdict import Verdict

CHECK = "aliases_follow_ledger"


def reconcile(session: RegistrySession) -> list[MovedAlias]:
    """Complete what was cut off, then write down every alias that a hand has moved, once; move it back if declared.

    Returns the aliases that were found astray, also those that were moved back.
    """
    session.settle()
    moved = moved_aliases(session.registry, session.ledger)
    for alias in moved:
        if not _is_known(session, alias):
            session.ledger.append(
                session.entry("ungated", f"{alias}; it was moved without a gate", version=None, details=vars(alias))
            )
    if moved and session.spec.registry.moved_alias == "restore":
        put_back(session, moved)
    return moved


def put_back(session: RegistrySession, moved: list[MovedAlias]) -> None:
    """Move every alias to where the ledger put it, and write that down."""
    restore(session.registry, session.ledger)
    reason = "; ".join(f"{alias.alias!r} is back on {named(alias.due)}" for alias in moved)
    session.ledger.append(session.entry("restored", reason))


def verdict(session: RegistrySession, moved: list[MovedAlias]) -> Verdict:
    """Whether the aliases follow the ledger now."""
    astray = [] if session.spec.registry.moved_alias == "restore" else moved
    sentences = "; ".join(map(str, astray))
    return Verdict(
        name=CHECK,
        outcome="failed" if astray else "passed",
        severity="warn",
        reason=f"{sentences}. Remedy: mlops aliases {session.system} --restore"
        if astray
        else "every alias is where the ledger put it",
        value=float(len(astray)),
        bound=0.0,
    )


def _is_known(session: RegistrySession, alias: MovedAlias) -> bool:
    """Whether this very move is in the ledger already, with nothing of that alias after it."""
    entries = session.ledger.entries(session.system, "ungated", "restored", "promoted", "rolled back")
    for entry in reversed(entries):
        if entry.event != "ungated":
            return False
        details = read_details(entry)
        if details.get("alias") == alias.alias:
            return {key: details.get(key) for key in vars(alias)} == vars(alias)
    return False
