"""Reference: the champion that margin and looks are counted from, the last that was better and not merely not worse.

Were the margin spent anew against each champion, a row of challengers, each a little worse than the one before, would
sink without end: the "biocreep" of non-inferiority trials (Everson-Stewart & Emerson 2010, Statistics in Medicine 29).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_assets.storage.ledger import SUCCESSIONS, Ledger
from mlops_assets.storage.ledger_entry import Entry

if TYPE_CHECKING:
    from mlops_assets.comparison.comparison import Comparison

REFERENCE, SPENT = "reference", "margin_spent"
"""Keys of a verdict's details: the version that is the reference if this one is promoted, and what is spent then."""


@dataclass(frozen=True)
class Reference:
    """A champion, and what happened since it began."""

    version: int
    spent: float = 0.0
    """How much worse than it the champion in force was measured, in units of the metric."""
    seen: frozenset[tuple[int | None, str]] = frozenset()
    """Versions that were compared since, each with the digest of the rows."""

    def look(self, version: int, rows_digest: str) -> int:
        """The number of this comparison, from 1; the same version on the same rows is no new look."""
        return len(self.seen | {(version, rows_digest)})


@dataclass(frozen=True)
class MarginBudget:
    """How much worse than the reference a challenger may be, and how much of it is spent."""

    reference: Reference
    margin: float
    champion: int
    """The version in force, which the challenger is compared with."""
    against: "Comparison | None" = None
    """The challenger against the reference, both scored on the present rows, where that is another version."""
    obstacle: str = ""
    """Why they were not compared."""

    @property
    def apart(self) -> bool:
        """Whether the reference is another version than the champion, and a margin may be spent."""
        return self.margin > 0 and self.reference.version != self.champion

    def allows(self, comparison: "Comparison") -> bool:
        """Whether the challenger, whose ``comparison`` is with the champion, is at most the margin worse.

        Where challenger and reference cannot be compared, what the ledger says was spent is taken off the margin.
        """
        if not self.apart:
            return True
        if self.against is not None:
            return self.against.not_worse(self.margin)
        left = self.margin - self.reference.spent
        return left > 0 and comparison.not_worse(left)

    def spent_by(self, comparison: "Comparison") -> float:
        """How much worse than the reference the challenger was measured."""
        if self.against is not None:
            return max(-self.against.difference, 0.0)
        return max(self.reference.spent - comparison.difference, 0.0)

    def reference_after(self, comparison: "Comparison", version: int) -> int:
        """The reference if the challenger, ``version``, is promoted: itself if it is better and nothing is spent."""
        better = comparison.superior and not (self.apart and self.spent_by(comparison) > 0)
        return version if better else self.reference.version

    def sentence(self, comparison: "Comparison") -> str:
        """What is spent of the margin, and since when; empty where the champion is the reference."""
        if not self.apart:
            return ""
        since = f"version {self.reference.version}, the last champion that was better than the one before"
        if self.against is None:
            spent = f"{self.reference.spent:.4g} of the margin {self.margin:g} was spent"
            return f"{spent} since {since}, which was not compared: {self.obstacle}"
        low, high = self.against.interval
        spent = f"{self.spent_by(comparison):.4g} of the margin {self.margin:g} would be spent"
        return f"{spent} against {since}: difference {self.against.difference:+.4g} [{low:+.4g}, {high:+.4g}]"


def find_reference(ledger: Ledger, in_force: Entry) -> Reference:
    """The reference of the champion ``in_force``, from the verdicts that made it and those before it."""
    entries = ledger.entries(in_force.system, "verdict", *SUCCESSIONS)
    begun, spent = in_force, 0.0
    for succession, verdict in _made(entries, in_force):
        begun = succession
        if verdict is None or not _stays(verdict):
            break
        if SPENT in verdict.details:
            named = verdict.details[REFERENCE]
            begun, spent = _beginning(entries, named, succession), spent + verdict.details[SPENT]
            break
        spent += max(-verdict.details.get("comparison", {}).get("difference", 0.0), 0.0)
    assert begun.version is not None, "a succession names its version"
    compared = (each for each in entries if each.event == "verdict" and each.sequence > begun.sequence)
    seen = {(each.version, each.details["rows_digest"]) for each in compared if "comparison" in each.details}
    return Reference(begun.version, spent, frozenset(seen))


def _made(entries: list[Entry], in_force: Entry) -> Iterator[tuple[Entry, Entry | None]]:
    """Successions up to ``in_force``, newest first, each with the verdict that it rests on."""
    for index in reversed(range(len(entries))):
        succession = entries[index]
        if succession.event not in SUCCESSIONS or succession.sequence > in_force.sequence:
            continue
        yield succession, _verdict_behind(succession, entries[:index])


def _verdict_behind(succession: Entry, before: list[Entry]) -> Entry | None:
    """The verdict that earned the place; None where a person gave it against the verdict, or rolled back."""
    if succession.event != "promoted":
        return None
    of_version = (each for each in reversed(before) if each.event == "verdict" and each.version == succession.version)
    verdict = next(of_version, None)
    if verdict is None or verdict.details.get("decision") == "kept" or verdict.previous != succession.previous:
        return None
    return verdict


def _stays(verdict: Entry) -> bool:
    """Whether the reference before stays it."""
    named = verdict.details.get(REFERENCE)
    return verdict.details.get("standing") == "non-inferior" if named is None else named != verdict.version


def _beginning(entries: list[Entry], version: int, before: Entry) -> Entry:
    """When ``version`` last became champion, up to ``before``."""
    begun = [each for each in entries if each.event in SUCCESSIONS and each.sequence <= before.sequence]
    return next(each for each in reversed(begun) if each.version == version)
