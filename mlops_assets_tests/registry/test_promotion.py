"""Promotion: which verdicts earn the place, on which grounds, and what guards and people have to say."""

from typing import Any

import pytest

from mlops_assets.comparison.comparison import Comparison
from mlops_assets.registry.challenge import Challenge, GuardResult
from mlops_assets.registry.promotion_policy import Decision, judge
from mlops_assets.registry.spec import RegistrySpec


def comparison(low: float, high: float) -> Comparison:
    middle = (low + high) / 2
    return Comparison(
        metric="accuracy",
        challenger=0.8 + middle,
        champion=0.8,
        difference=middle,
        interval=(low, high),
        rows=400,
        confidence=0.95,
        standard_error=(high - low) / 3.92,
    )


SUPERIOR, NON_INFERIOR = comparison(0.01, 0.05), comparison(-0.01, 0.03)
UNDECIDED, INFERIOR = comparison(-0.04, 0.06), comparison(-0.09, -0.03)


@pytest.mark.parametrize(
    ("found", "declared", "seen", "decision", "standing"),
    [
        (SUPERIOR, {}, {}, "promoted", "superior"),
        (NON_INFERIOR, {}, {}, "kept", "non-inferior"),
        (NON_INFERIOR, {"promote_on": ["non_inferior"]}, {}, "promoted", "non-inferior"),
        (NON_INFERIOR, {"promote_on": ["non_inferior_fresher"]}, {}, "kept", "non-inferior"),
        (NON_INFERIOR, {"promote_on": ["non_inferior_fresher"]}, {"fresher": True}, "promoted", "non-inferior"),
        (NON_INFERIOR, {"promote_on": ["non_inferior_simpler"]}, {"fresher": True}, "kept", "non-inferior"),
        (NON_INFERIOR, {"promote_on": ["non_inferior_simpler"]}, {"simpler": True}, "promoted", "non-inferior"),
        (UNDECIDED, {"promote_on": ["non_inferior"]}, {"fresher": True}, "kept", "undecided"),
        (INFERIOR, {"promote_on": ["non_inferior"]}, {"simpler": True}, "kept", "inferior"),
        (SUPERIOR, {"promote_on": ["non_inferior_simpler"]}, {}, "promoted", "superior"),
    ],
)
def test_a_place_is_earned_on_declared_grounds(
    found: Comparison, declared: dict[str, Any], seen: dict[str, Any], decision: Decision, standing: str
):
    spec = RegistrySpec.model_validate({"margin": 0.02, **declared})
    judgement = judge(Challenge(found, **seen), spec, needs_approval=False)
    assert (judgement.decision, judgement.standing) == (decision, standing)
    by_person = judge(Challenge(found, **seen), spec, needs_approval=True)
    assert by_person.decision == ("requested" if decision == "promoted" else "kept")


def test_a_broken_guard_keeps_the_champion_and_is_named():
    guards = [GuardResult("recall", True, "recall is fine"), GuardResult("log_loss", False, "log_loss 0.5 against 0.4")]
    judgement = judge(Challenge(SUPERIOR, guards=guards), RegistrySpec(), needs_approval=False)
    assert judgement.decision == "kept"
    assert judgement.reason.endswith("but a guard is broken: log_loss 0.5 against 0.4")


def test_undecided_says_how_many_rows_would_decide():
    judgement = judge(Challenge(UNDECIDED), RegistrySpec(margin=0.02), needs_approval=False)
    missing = UNDECIDED.rows_missing(0.02)
    assert missing and missing > 0
    assert f"about {missing:,} more labelled rows would decide it" in judgement.reason
    assert judgement.details(0.02, version=2)["rows_missing"] == missing


def test_what_cannot_be_compared_stays_or_asks_a_person():
    few = judge(Challenge(obstacle="only 3 rows"), RegistrySpec(), needs_approval=False)
    assert (few.decision, few.reason) == ("kept", "not compared, the champion stays: only 3 rows")
    other = judge(Challenge(obstacle="new are 'size'", needs_person=True), RegistrySpec(), needs_approval=False)
    assert (other.decision, other.standing) == ("requested", "not compared")
    assert "a person must decide" in other.reason
