"""Rollback: an earlier champion takes the place back, in one step."""

from mlops_assets.errors import GateRefused
from mlops_assets.registry.authority import require_allowed
from mlops_assets.registry.promotion import succession
from mlops_assets.registry.provenance import require_unchanged
from mlops_assets.registry.session import RegistrySession
from mlops_assets.storage.ledger_entry import Entry


def roll_back(session: RegistrySession, reason: str, to: int | None = None) -> Entry:
    """Make an earlier champion, by default the one before, champion again.

    Its artefact and the report it was registered on must be unchanged. Gates that were tightened since do not hinder.

    Raises:
        GateRefused: if there is nothing to go back to, the version was never champion, or the actor may not. The ledger
            keeps it.
        StorageError: if its artefact or report is not what was registered, or another decision came first.
    """
    in_force = session.settle()
    if in_force is None:
        raise GateRefused(f"{session.system} has no champion to roll back")
    if not reason.strip():
        raise GateRefused(f"{session.system} is not rolled back: that needs a reason")
    number = to if to is not None else in_force.previous
    if number is None:
        raise GateRefused(f"{session.system} has had no champion before version {in_force.version}")
    version = session.version(number)
    with session.recording_refusals(version):
        require_allowed(session.acting, "rollback", session.spec)
        _require_earlier_champion(session, number, in_force)
        require_unchanged(session, version)
    written = session.ledger.append(succession(session, version, in_force, reason, event="rolled back"))
    session.settle()
    return written[-1]


def _require_earlier_champion(session: RegistrySession, number: int, in_force: Entry) -> None:
    if number == in_force.version:
        raise GateRefused(f"{session.system} version {number} is the champion already")
    held = session.ledger.entries(session.system, "promoted", "rolled back")
    if number not in {entry.version for entry in held}:
        raise GateRefused(
            f"{session.system} version {number} was never champion, so there is nothing to roll back to. "
            f"Remedy: mlops approve {session.system} {number} --reason …"
        )
