"""Approval: a person puts a version in the champion's place, or declines it."""

from mlops_assets.errors import GateRefused
from mlops_assets.registry.authority import require_allowed, unproven
from mlops_assets.registry.promotion import require_admissible, succession
from mlops_assets.registry.session import RegistrySession
from mlops_assets.storage.ledger_entry import CLAIMED, Entry


def approve(session: RegistrySession, number: int, reason: str, override: bool = False) -> Entry:
    """Make version ``number`` champion in the name of ``session.actor``.

    Its stored evidence is read again first, and nothing goes round a gate. ``override`` is for a version that the
    comparison did not find good enough, or that was not compared with the present champion; the ledger says so.

    Raises:
        GateRefused: if its report did not pass, it was not compared with this champion, it lost the comparison,
            or the actor may not approve it. The ledger keeps the refusal.
        StorageError: if its evidence was changed, or another decision came first.
    """
    version = session.version(number)
    with session.recording_refusals(version):
        if not reason.strip() or not session.actor.strip():
            raise GateRefused(f"{version.name} is not approved: an approval needs a name and a reason")
        require_allowed(session.acting, "approve", session.spec)
        require_admissible(session, version)
        _require_other_person(session, number)
        in_force = session.settle()
        if in_force and in_force.version == number:
            raise GateRefused(f"{version.name} is the champion already")
        doubt = _doubt(session, number, in_force)
        if doubt and not override:
            raise GateRefused(f"{version.name} is not approved: {doubt}")
    approval = session.entry(
        "override" if doubt else "approved",
        f"{reason} (although {doubt.partition('. Remedy')[0]})" if doubt else reason,
        version,
        previous=in_force.version if in_force else None,
    )
    promotion = succession(session, version, in_force, f"{approval.event} by {session.actor}: {reason}")
    written = session.ledger.append(approval, promotion)
    session.settle()
    return written[-1]


def decline(session: RegistrySession, number: int, reason: str) -> Entry:
    """Say no to a version that waits for approval; the champion stays.

    Raises:
        GateRefused: if the version does not wait, the actor may not decline it, or without a reason.
    """
    from mlops_assets.registry.aliases import due

    version = session.version(number)
    with session.recording_refusals(version):
        require_allowed(session.acting, "decline", session.spec)
    if not reason.strip():
        raise GateRefused(f"{version.name} is not declined: that needs a reason")
    if due(session.ledger, session.system).staging != number:
        raise GateRefused(f"{version.name} does not wait for an approval. Remedy: mlops versions {session.system}")
    written = session.ledger.append(session.entry("declined", reason, version))
    session.settle()
    return written[-1]


def _require_other_person(session: RegistrySession, number: int) -> None:
    """Neither who registered the version, nor anyone whom that run claims to be of: a claim hinders and never helps."""
    registered = session.ledger.latest(session.system, "registered", version=number)
    if not session.spec.registry.approver_differs or registered is None:
        return
    if session.acting.is_among([registered.actor, *registered.details.get(CLAIMED, [])]):
        raise GateRefused(
            f"{session.actor} registered version {number} and may not approve it (registry.approver_differs): it was "
            f"registered by {registered.by}. Remedy: another person approves"
        )
    if why := unproven(session.acting, session.spec):
        raise GateRefused(
            f"whether {session.actor} is another person than who registered version {number} "
            f"(registry.approver_differs) is not shown: {why}"
        )


def _doubt(session: RegistrySession, number: int, in_force: Entry | None) -> str:
    """What speaks against this version without forbidding it; empty if nothing does."""
    verdict = session.ledger.latest(session.system, "verdict", version=number)
    present = in_force.version if in_force else None
    if verdict is None or verdict.previous != present:
        against = f"champion version {present}" if present else "an empty place"
        return f"it was not judged against {against}. Remedy: materialise champion, or --override"
    if (decision := verdict.details.get("decision")) == "kept":
        return f"the comparison did not find it good enough ({verdict.reason}). Remedy: --override, with the reason"
    rolled_back = session.ledger.latest(session.system, "rolled back")
    if rolled_back and rolled_back.previous == number and rolled_back.sequence > verdict.sequence:
        return f"it was rolled back since: {rolled_back.reason}. Remedy: --override, with the reason"
    return "" if decision in ("requested", "promoted") else "its verdict is from an older release. Remedy: --override"
