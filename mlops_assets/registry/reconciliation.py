"""Reconciliation: are the registry's aliases where the ledger put them?"""

from mlops_assets.registry.aliases import Stray, restore, strays
from mlops_assets.registry.session import Custody
from mlops_assets.verdict import Verdict

CHECK = "aliases_follow_ledger"


def reconcile(custody: Custody) -> list[Stray]:
    """Complete what was cut off, then write down every alias that a hand has moved, once; move it back if declared.

    Returns the aliases that were found astray, also those that were moved back.
    """
    custody.settle()
    found = strays(custody.registry, custody.ledger)
    for stray in found:
        if not _is_known(custody, stray):
            custody.ledger.append(
                custody.entry("ungated", f"{stray}; it was moved without a gate", version=None, details=vars(stray))
            )
    if found and custody.spec.registry.moved_alias == "restore":
        put_back(custody, found)
    return found


def put_back(custody: Custody, found: list[Stray]) -> None:
    """Move every alias to where the ledger put it, and write that down."""
    restore(custody.registry, custody.ledger)
    told = "; ".join(f"{stray.alias!r} is back on {_named(stray.due)}" for stray in found)
    custody.ledger.append(custody.entry("restored", told))


def verdict(custody: Custody, found: list[Stray]) -> Verdict:
    """Whether the aliases follow the ledger now."""
    astray = [] if custody.spec.registry.moved_alias == "restore" else found
    told = "; ".join(map(str, astray))
    return Verdict(
        name=CHECK,
        outcome="failed" if astray else "passed",
        severity="warn",
        reason=f"{told}. Remedy: mlops aliases {custody.system} --restore"
        if astray
        else "every alias is where the ledger put it",
        value=float(len(astray)),
        bound=0.0,
    )


def _is_known(custody: Custody, stray: Stray) -> bool:
    """Whether this very move is in the ledger already, with nothing of that alias after it."""
    entries = custody.ledger.entries(custody.system, "ungated", "restored", "promoted", "rolled back")
    for entry in reversed(entries):
        if entry.event != "ungated":
            return False
        if entry.details.get("alias") == stray.alias:
            return entry.details == vars(stray)
    return False


def _named(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"
