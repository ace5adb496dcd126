"""Archive: versions that nobody needs any more are marked, and keep their evidence."""

from mlops_assets.registry.authority import require_allowed
from mlops_assets.registry.session import RegistrySession
from mlops_assets.registry.version import RegisteredVersion


def surplus(session: RegistrySession, keep: int) -> list[RegisteredVersion]:
    """Versions beyond the ``keep`` newest that no alias carries, a user's own alias included; oldest first."""
    from mlops_assets.resources.model_registry import ARCHIVED_TAG

    needed = set(session.registry.aliases().values())
    archived = {int(version.version) for version in session.registry.versions() if ARCHIVED_TAG in version.tags}
    open_ones = [version for version in session.versions() if version.version not in archived]
    return [version for version in open_ones[: max(0, len(open_ones) - keep)] if version.version not in needed]


def archive(session: RegistrySession, keep: int) -> list[RegisteredVersion]:
    """Archive the surplus: a ledger entry and a tag each; artefact, report and records stay.

    Raises:
        GateRefused: if the actor may not. The ledger keeps it.
    """
    from mlops_assets.resources.model_registry import ARCHIVED_TAG

    with session.recording_refusals():
        require_allowed(session.acting, "archive", session.spec)
    session.settle()
    chosen = surplus(session, keep)
    for version in chosen:
        session.ledger.append_once(session.entry("archived", f"not among the {keep} newest, and no alias", version))
        session.settle()
        session.registry.tag(version.version, ARCHIVED_TAG, "true")
    return chosen
