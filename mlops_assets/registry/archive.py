"""Archive: versions that nobody needs any more are marked, and keep their evidence."""

from mlops_assets.registry.session import Custody
from mlops_assets.registry.version import RegisteredVersion


def surplus(custody: Custody, keep: int) -> list[RegisteredVersion]:
    """Versions beyond the ``keep`` newest that no alias carries, a user's own alias included; oldest first."""
    from mlops_assets.resources.model_registry import ARCHIVED_TAG

    needed = set(custody.registry.aliases().values())
    archived = {int(one.version) for one in custody.registry.versions() if ARCHIVED_TAG in one.tags}
    open_ones = [version for version in custody.versions() if version.version not in archived]
    return [version for version in open_ones[: max(0, len(open_ones) - keep)] if version.version not in needed]


def archive(custody: Custody, keep: int) -> list[RegisteredVersion]:
    """Archive the surplus: a ledger entry and a tag each; artefact, report and records stay."""
    from mlops_assets.resources.model_registry import ARCHIVED_TAG

    custody.settle()
    chosen = surplus(custody, keep)
    for version in chosen:
        custody.ledger.append_once(custody.entry("archived", f"not among the {keep} newest, and no alias", version))
        custody.settle()
        custody.registry.tag(version.version, ARCHIVED_TAG, "true")
    return chosen
