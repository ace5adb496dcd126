"""Rollback: an earlier champion takes the place back, in one step."""

from pathlib import Path

from mlops_assets.errors import GateRefused
from mlops_assets.registry.ledger import Entry
from mlops_assets.registry.promotion import succession
from mlops_assets.registry.provenance import require_unchanged
from mlops_assets.registry.session import Custody


def roll_back(custody: Custody, reason: str, folder: Path, to: int | None = None) -> Entry:
    """Make an earlier champion, by default the one before, champion again.

    Its artefact and the report it was registered on must be unchanged. Gates that were tightened since do not hinder.

    Raises:
        GateRefused: if there is nothing to go back to, or the version was never champion. The ledger keeps it.
        StorageError: if its artefact or report is not what was registered, or another decision came first.
    """
    in_force = custody.settle()
    if in_force is None:
        raise GateRefused(f"{custody.system} has no champion to roll back")
    if not reason.strip():
        raise GateRefused(f"{custody.system} is not rolled back: that needs a reason")
    number = to if to is not None else in_force.previous
    if number is None:
        raise GateRefused(f"{custody.system} has had no champion before version {in_force.version}")
    version = custody.version(number)
    with custody.recording_refusals(version):
        _require_earlier_champion(custody, number, in_force)
        require_unchanged(custody, version, folder)
    written = custody.ledger.append(succession(custody, version, in_force, reason, event="rolled back"))
    custody.settle()
    return written[-1]


def _require_earlier_champion(custody: Custody, number: int, in_force: Entry) -> None:
    if number == in_force.version:
        raise GateRefused(f"{custody.system} version {number} is the champion already")
    held = custody.ledger.entries(custody.system, "promoted", "rolled back")
    if number not in {entry.version for entry in held}:
        raise GateRefused(
            f"{custody.system} version {number} was never champion, so there is nothing to roll back to. "
            f"Remedy: mlops approve {custody.system} {number} --reason …"
        )
