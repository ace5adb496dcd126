"""What a lock pins. A line that names no single version is an error: nothing is left out unsaid."""

from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


class UnreadableLock(Exception):
    """A lock that is not there, pins nothing, or asks for something at no single version."""


@dataclass(frozen=True)
class Pin:
    """A distribution at its one version, and where it is needed."""

    name: str
    version: str
    marker: Marker | None

    @property
    def needed(self) -> bool:
        """Whether this Python on this system needs it."""
        return self.marker is None or self.marker.evaluate()


def pins(lock: Path) -> list[Pin]:
    """Every pin of a lock.

    Raises:
        UnreadableLock: if a line is none, or there is no line.
    """
    try:
        lines = lock.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
        read = [_pin(line) for line in lines if line.strip() and not line.startswith("#")]
    except (OSError, ValueError) as error:
        raise UnreadableLock(f"{lock} cannot be read: {error}. Remedy: make lock") from error
    if not read:
        raise UnreadableLock(f"{lock} pins nothing. Remedy: make lock")
    return read


def versions(*locks: Path) -> dict[str, str]:
    """Version by distribution, where no distribution has two.

    Raises:
        UnreadableLock: if one has.
    """
    by_name: dict[str, str] = {}
    for pin in (pin for lock in locks for pin in pins(lock)):
        if by_name.setdefault(pin.name, pin.version) != pin.version:
            raise UnreadableLock(f"{pin.name} is locked at {by_name[pin.name]} and at {pin.version}. Remedy: bound it")
    return by_name


def _pin(line: str) -> Pin:
    asked = Requirement(line.partition(" --hash=")[0])
    specifiers = list(asked.specifier)
    if len(specifiers) != 1 or specifiers[0].operator != "==" or "*" in specifiers[0].version:
        raise ValueError(f"{line.strip()!r} is no single version")
    return Pin(canonicalize_name(asked.name), specifiers[0].version, asked.marker)
