"""Promotion: may the challenger take the champion's place?"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mlops_assets.metrics.formatting import rows_wanted
from mlops_assets.registry.challenge import Challenge
from mlops_assets.registry.grounds import GROUNDS
from mlops_assets.registry.reference import REFERENCE, SPENT

if TYPE_CHECKING:
    from mlops_assets.comparison.comparison import Comparison, Standing
    from mlops_assets.registry.spec import RegistrySpec

Decision = Literal["promoted", "kept", "requested"]


@dataclass(frozen=True)
class Judgement:
    """The answer with its reason."""

    decision: Decision
    """``requested``: a person must decide."""
    reason: str
    standing: "Standing | Literal['first', 'not compared']"
    challenge: Challenge | None = None

    @property
    def comparison(self) -> "Comparison | None":
        return self.challenge.comparison if self.challenge else None

    def details(self, margin: float, version: int) -> dict[str, Any]:
        """What the ledger keeps of it, as JSON values; ``version`` is the challenger's."""
        kept: dict[str, Any] = {"standing": self.standing, "decision": self.decision}
        if self.challenge is None:
            return kept
        kept |= {"rows_digest": self.challenge.rows_digest, "guards": [vars(guard) for guard in self.challenge.guards]}
        if self.comparison is None:
            return kept
        needed = self.comparison.rows_missing(margin)
        kept |= {"comparison": self.comparison.model_dump(mode="json"), "margin": margin, "rows_missing": needed}
        kept |= {"look": self.challenge.look, "looks": self.challenge.looks}
        budget = self.challenge.budget
        if budget is None:
            return kept
        spent = {REFERENCE: budget.reference_after(self.comparison, version), SPENT: budget.spent_by(self.comparison)}
        return {**kept, **spent}


def judge(challenge: Challenge, declared: "RegistrySpec", needs_approval: bool) -> Judgement:
    """Promote on a declared ground if every guard is kept; otherwise keep the champion, or ask a person."""
    comparison = challenge.comparison
    if comparison is None:
        decision = "requested" if challenge.needs_person else "kept"
        what = "a person must decide" if challenge.needs_person else "the champion stays"
        return Judgement(decision, f"not compared, {what}: {challenge.obstacle}", "not compared", challenge)
    standing = comparison.standing(declared.margin)
    low, high = comparison.interval
    reason = (
        f"{standing}: {comparison.metric} {comparison.challenger:.4g} against {comparison.champion:.4g} on "
        f"{comparison.rows:,} rows, difference {comparison.difference:+.4g} [{low:+.4g}, {high:+.4g}] "
        f"({comparison.test}), margin {declared.margin:g}{_look(challenge, declared)}"
    )
    if challenge.budget and (spent := challenge.budget.sentence(comparison)):
        reason = f"{reason}; {spent}"
    broken = [guard.message for guard in challenge.guards if not guard.kept]
    if not _earned(standing, challenge, declared):
        return Judgement("kept", f"{reason}{_wanting(comparison, challenge, declared)}", standing, challenge)
    if broken:
        return Judgement("kept", f"{reason}; but a guard is broken: {'; '.join(broken)}", standing, challenge)
    return Judgement("requested" if needs_approval else "promoted", reason, standing, challenge)


def _earned(standing: str, challenge: Challenge, declared: "RegistrySpec") -> bool:
    if standing == "superior":
        return True
    grounded = any(GROUNDS[name].suffices(challenge) for name in declared.promote_on)
    return standing == "non-inferior" and grounded and _within_budget(challenge)


def _within_budget(challenge: Challenge) -> bool:
    assert challenge.comparison is not None, "only what was compared has a standing"
    return challenge.budget is None or challenge.budget.allows(challenge.comparison)


def _look(challenge: Challenge, declared: "RegistrySpec") -> str:
    """Which look this is, and what is left; empty where each comparison stands alone."""
    if challenge.looks == 1 or challenge.comparison is None:
        return ""
    series, place = divmod(challenge.look - 1, challenge.looks)
    which = f"look {place + 1} of {challenge.looks}" + (f", series {series + 1}" if series else "")
    error = (1 - declared.confidence) / 2
    return f"; {which}, each at {challenge.comparison.confidence:.4%} so that all err in {error:.1%} at most"


def _wanting(comparison: "Comparison", challenge: Challenge, declared: "RegistrySpec") -> str:
    standing = comparison.standing(declared.margin)
    if standing == "non-inferior" and not _within_budget(challenge):
        return "; the margin is held against that version, and it is used up"
    if standing == "non-inferior":
        return f"; promotion is on {', '.join(declared.promote_on)}"
    if standing != "undecided":
        return ""
    missing = comparison.rows_missing(declared.margin)
    if missing is None:
        return "; no number of rows would decide so small a difference"
    return f"; {rows_wanted(missing)}"
