"""The chain: does the ledger still say what was written?"""

from collections.abc import Iterable
from dataclasses import dataclass

from mlops_assets.registry.ledger_entry import Entry


@dataclass(frozen=True)
class ChainFinding:
    """One system's chain, and the first thing wrong with it."""

    system: str
    entries: int
    head: str
    """Hash of the last entry."""
    broken: str = ""
    """What is wrong, with the entry's number; empty if nothing is."""

    @property
    def ok(self) -> bool:
        return not self.broken


def verify(system: str, entries: Iterable[Entry], anchor: tuple[int, str] | None = None) -> ChainFinding:
    """Recompute every hash in order.

    ``anchor`` is a sequence number and hash that was noted outside the ledger: it shows entries taken off the end.
    """
    count, head, generation, seen = 0, "", 0, None
    for entry in entries:
        if fault := _fault(entry, count, head, generation):
            return ChainFinding(system, count, head, fault)
        count, head = entry.sequence, entry.hash
        generation = entry.generation or generation
        if anchor and entry.sequence == anchor[0]:
            seen = entry.hash
    if anchor and seen != anchor[1]:
        what = "is missing" if seen is None else "is another one"
        return ChainFinding(system, count, head, f"entry {anchor[0]}, whose hash the registry noted, {what}")
    return ChainFinding(system, count, head)


def _fault(entry: Entry, count: int, head: str, generation: int) -> str:
    if entry.sequence != count + 1:
        return f"entry {count + 1} is missing: entry {entry.sequence} follows entry {count}"
    if entry.hash_before != head:
        return f"entry {entry.sequence} does not continue entry {count}: one of them was changed"
    if entry.hash != entry.sealed():
        return f"entry {entry.sequence} ({entry.event}, {entry.at}) was changed after it was written"
    if entry.generation is not None and entry.generation != generation + 1:
        return f"entry {entry.sequence} has generation {entry.generation} after {generation}"
    return ""
