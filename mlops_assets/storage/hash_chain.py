"""The chain: does the ledger still say what was written?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from mlops_assets.storage.ledger_entry import RECORDED, Entry, moment

MISDATED = timedelta(days=1)
"""How far the clocks of two writers may lie apart."""


@dataclass(frozen=True)
class ChainFinding:
    """One system's chain, and the first thing wrong with it."""

    system: str
    entries: int
    head: str
    """Hash of the last entry."""
    broken: str = ""
    """The first thing wrong, with the entry's number; empty if nothing is."""
    accepted: list[str] = field(default_factory=list)
    """Faults with which a person has accepted the ledger, and who that was."""
    decisions: int = 0
    """Entries but those that seal records, and refusals, which anybody can cause."""
    misdated: list[str] = field(default_factory=list)
    """Entries whose time cannot be right: by a clock that was wrong, or by a hand. That breaks no chain."""

    @property
    def ok(self) -> bool:
        return not self.broken


def verify(system: str, entries: Iterable[Entry], anchors: Mapping[str, tuple[int, str]] | None = None) -> ChainFinding:
    """Recompute every hash in order.

    ``anchors`` are a sequence number and hash by the place outside the ledger where they were noted: they show entries
    that were taken off the end, and a chain that was written anew. A fault before an entry by which a person accepted
    the ledger is named, and no longer breaks it.
    """
    count, head, generation, broken, decisions, at = 0, "", 0, "", 0, ""
    accepted, misdated, seen = list[str](), list[str](), dict[int, str]()
    latest = moment(datetime.now(UTC) + MISDATED)
    noted = {sequence for sequence, _ in (anchors or {}).values()}
    for entry in entries:
        broken = broken or _fault(entry, count, head, generation)
        if remark := _misdated(entry, count, at, latest):
            misdated.append(remark)
        count, head, at = entry.sequence, entry.hash, entry.at
        decisions += entry.event not in (RECORDED, "refused")
        generation = max(entry.generation or 0, generation)
        if entry.sequence in noted:
            seen[entry.sequence] = entry.hash
        if entry.event == "accepted" and entry.hash == entry.sealed():
            accepted.append(f"entry {entry.sequence}: {entry.actor} accepted the ledger as it was: {entry.reason}")
            broken = ""
    broken = broken or next(filter(None, (_missing(at, place, seen) for place, at in (anchors or {}).items())), "")
    return ChainFinding(system, count, head, broken, accepted, decisions, misdated)


def _missing(anchor: tuple[int, str], place: str, seen: Mapping[int, str]) -> str:
    sequence, digest = anchor
    if seen.get(sequence) == digest:
        return ""
    return f"entry {sequence}, whose hash {place} noted, {'is another one' if sequence in seen else 'is missing'}"


def _misdated(entry: Entry, count: int, at: str, latest: str) -> str:
    if entry.at < at and _later(entry.at) < at:
        return f"entry {count} is dated {at}, more than a day after entry {entry.sequence}, which follows it"
    if entry.at > latest and entry.at != at:  # those that follow it carry its time
        return f"entry {entry.sequence} is dated {entry.at}, which is still to come"
    return ""


def _later(at: str) -> str:
    try:
        return moment(datetime.fromisoformat(at) + MISDATED)
    except (ValueError, OverflowError):
        return at


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
