"""Names of checks: Dagster takes letters, digits and underscores; columns and values may hold any character."""

import hashlib
import re
from collections.abc import Sequence

LONGEST = 200
"""Characters of a name; what is longer is cut and kept distinct by a digest."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_]")


def is_safe(text: str) -> bool:
    """Whether ``text`` can stand in the name of a check as it is."""
    return _UNSAFE.search(text) is None


def made_safe(text: str) -> str:
    """``text`` with an underscore for every character that a name cannot hold."""
    return _UNSAFE.sub("_", text)


def mark_of(parts: Sequence[str]) -> str:
    """Eight characters that tell ``parts`` from any others that look the same once made safe."""
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:8]


def cut(name: str) -> str:
    """``name`` where it is short enough, else its beginning and a digest of the whole."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 9]}_{mark_of([name])}"
