"""List the licence of every locked distribution, from what is installed; one that nobody knows fails.

    python .ci/licences.py [LOCK …]

A licence is the distribution's own statement: its expression (PEP 639), its classifiers, or its field. Where it
states none, STATED names it with the page on which it stands. Exits with 1 where one is unknown, and with 4 where a
distribution of this platform is not installed or a lock cannot be read, so that nothing is known.
"""

import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from locked import UnreadableLock, pins

REPOSITORY = Path(__file__).parents[1]
LOCKS = [REPOSITORY / name for name in ("requirements.lock", "torch.lock")]
STATED: dict[str, tuple[str, str]] = {"huey": ("MIT", "its file LICENSE"), "skops": ("MIT", "its file LICENSE")}
"""By distribution: the licence, and where it is stated."""
LONGEST = 60
"""Longer texts are the licence itself, not its name."""
UNKNOWN, NOT_EVALUATED = 1, 4


def main(locks: list[Path]) -> int:
    """Print name, version and licence of each, and say which are unknown."""
    unknown, missing = [], []
    try:
        needed = {pin.name: pin.version for lock in locks for pin in pins(lock) if pin.needed}
    except UnreadableLock as reason:
        print(f"not evaluated: {reason}", file=sys.stderr)
        return NOT_EVALUATED
    for name, version in sorted(needed.items()):
        try:
            licence = licence_of(distribution(name))
        except PackageNotFoundError:
            missing.append(name)
            continue
        print(f"{name} {version}: {licence or 'unknown'}")
        if not licence:
            unknown.append(name)
    if unknown:
        print(f"no licence is stated by {', '.join(unknown)}. Remedy: STATED in {Path(__file__).name}", file=sys.stderr)
        return UNKNOWN
    if missing:
        print(f"not evaluated, as not installed: {', '.join(missing)}. Remedy: make .venv/installed", file=sys.stderr)
        return NOT_EVALUATED
    return 0


def licence_of(installed: Distribution) -> str:
    """What the distribution says of itself, or is stated of it; empty where neither."""
    said = installed.metadata
    if expression := said.get("License-Expression"):
        return expression
    classified = [line.split(" :: ")[-1] for line in said.get_all("Classifier", []) if line.startswith("License ::")]
    if named := [name for name in classified if name != "OSI Approved"]:
        return ", ".join(named)
    field = (said.get("License") or "").strip()
    if field and field.upper() != "UNKNOWN" and "\n" not in field and len(field) <= LONGEST:
        return field
    return STATED.get(said["Name"].lower(), ("", ""))[0]


if __name__ == "__main__":
    sys.exit(main([Path(name) for name in sys.argv[1:]] or LOCKS))
