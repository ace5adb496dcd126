"""Evidence finding: what one look at stored evidence came to, whatever it met."""

from collections.abc import Callable
from dataclasses import dataclass

from mlops_assets.errors import NotEvaluated, StorageError

BACKUP = "Remedy: restore it from a backup, or choose another version"


@dataclass(frozen=True)
class EvidenceFinding:
    """What one look at the stored evidence found."""

    name: str
    ok: bool
    message: str
    """What was found equal, or what is wrong and what to do."""
    evaluated: bool = True
    """Whether the look could be made; one that could not is not ok either."""


def look_at(name: str, look: Callable[[], str]) -> EvidenceFinding:
    """What ``look`` tells, or the error that it raises, as a finding."""
    try:
        return EvidenceFinding(name, True, look())
    except NotEvaluated as error:
        return EvidenceFinding(name, False, str(error), evaluated=False)
    except Exception as error:  # damage shows in whatever a library raises on it, and each is a finding
        message = " ".join(str(error).split())
        message = message if isinstance(error, StorageError) else f"{type(error).__name__}: {message}"
        return EvidenceFinding(name, False, message if "Remedy: " in message else f"{message.rstrip('.')}. {BACKUP}")
