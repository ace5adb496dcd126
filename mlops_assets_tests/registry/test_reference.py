"""The margin is spent once, against the last champion that was better, and so is the confidence of many looks."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from mlops_assets.comparison.comparison import Comparison
from mlops_assets.comparison.pair import read_pair
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.metrics.outcomes import Predictions
from mlops_assets.registry.challenge import Challenge
from mlops_assets.registry.promotion_policy import Judgement, judge
from mlops_assets.registry.reference import MarginBudget, Reference, find_reference
from mlops_assets.storage.ledger import Ledger
from mlops_assets.storage.ledger_entry import Entry
from mlops_assets.storage.storage import Storage

MARGIN, DAYS = 0.02, 60


def declared(**registry: object) -> SystemSpec:
    columns = {"size": {"type": "integer"}, "kind": {"type": "string"}}
    return SystemSpec.model_validate(
        {
            "name": "daily",
            "task": "classification",
            "dataset": {"target": "kind", "columns": columns},
            "registry": {"margin": MARGIN, "promote_on": ["superior", "non_inferior"], **registry},
            "automation": {"train": "0 2 * * *"},
        }
    )


def answers(truth: np.ndarray, accuracy: float, rng: np.random.Generator) -> np.ndarray:
    return truth ^ (rng.random(len(truth)) > accuracy)


def compared(truth: np.ndarray, ours: np.ndarray, theirs: np.ndarray, confidence: float) -> Comparison:
    pair = read_pair("classification", truth, Predictions(ours), Predictions(theirs), classes=(0, 1))
    return replace(pair, bootstrap=replace(pair.bootstrap, confidence=confidence)).compare("accuracy")


@dataclass
class History:
    """A system whose ledger is real, and whose models are answers to the same test rows."""

    spec: SystemSpec
    ledger: Ledger
    truth: np.ndarray
    models: dict[int, np.ndarray] = field(default_factory=dict)
    lost: frozenset[int] = frozenset()
    """Versions that cannot be scored any more."""

    def start(self, model: np.ndarray) -> None:
        self.models[1] = model
        self.ledger.append(Entry("daily", "promoted", "the first", "test", version=1, generation=1))

    @property
    def champion(self) -> Entry:
        entry = self.ledger.champion("daily")
        assert entry is not None
        return entry

    def challenge(self, model: np.ndarray) -> Judgement:
        """As ``promotion.decide`` does it, with the comparison made here."""
        version, in_force = max(self.models) + 1, self.champion
        assert in_force.version is not None
        self.models[version] = model
        reference, confidence = find_reference(self.ledger, in_force), self.spec.confidence_of_look
        comparison = compared(self.truth, model, self.models[in_force.version], confidence)
        budget = MarginBudget(reference, self.spec.registry.margin, in_force.version)
        if budget.apart and reference.version in self.lost:
            budget = replace(budget, obstacle="its model is gone")
        elif budget.apart:
            against = compared(self.truth, model, self.models[reference.version], confidence)
            budget = replace(budget, against=against)
        seen = Challenge(
            comparison,
            rows_digest="rows",
            look=reference.look(version, "rows"),
            looks=self.spec.looks,
            budget=budget,
        )
        judgement = judge(seen, self.spec.registry, needs_approval=False)
        details = judgement.details(self.spec.registry.margin, version)
        verdict = Entry(
            "daily", "verdict", judgement.reason, "test", version=version, previous=in_force.version, details=details
        )
        promoted = Entry(
            "daily",
            "promoted",
            judgement.reason,
            "test",
            version=version,
            previous=in_force.version,
            generation=1 + (in_force.generation or 0),
        )
        self.ledger.append(verdict, *([promoted] if judgement.decision == "promoted" else []))
        return judgement


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(Storage.local(str(tmp_path)).records)


def with_wrong(truth: np.ndarray, wrong: int) -> np.ndarray:
    """Answers of which the first ``wrong`` are wrong: each model errs where the better one does, and on more."""
    return truth ^ (np.arange(len(truth)) < wrong)


def sinking(ledger: Ledger, lost: frozenset[int] = frozenset()) -> tuple[History, list[Judgement]]:
    """Sixty days, on each of which the challenger errs on ten rows of 5,000 more than the champion."""
    truth = np.arange(5_000) % 2
    history = History(declared(), ledger, truth, lost=lost)
    history.start(with_wrong(truth, 500))
    judged = []
    for _ in range(DAYS):
        wrong = int((history.models[history.champion.version or 0] != truth).sum())
        judged.append(history.challenge(with_wrong(truth, wrong + 10)))
    return history, judged


@pytest.mark.parametrize("lost", [frozenset(), frozenset({1})], ids=["rescored", "from the ledger alone"])
def test_a_champion_never_sinks_below_the_margin_however_many_days_it_takes(ledger: Ledger, lost: frozenset[int]):
    history, judged = sinking(ledger, lost)
    decisions = [each.decision for each in judged]
    assert decisions[:3] == ["promoted"] * 3, "the margin is there to be used"
    assert set(decisions[10:]) == {"kept"}, "and not to be spent twice"
    champion = history.models[history.champion.version or 0]
    assert (champion == history.truth).mean() >= 0.9 - MARGIN
    reference = find_reference(ledger, history.champion)
    assert reference.version == 1
    assert reference.spent == pytest.approx(0.9 - (champion == history.truth).mean())
    assert judged[-1].standing == "non-inferior"
    assert "of the margin 0.02 w" in judged[-1].reason
    assert "version 1, the last champion that was better than the one before" in judged[-1].reason
    assert judged[-1].reason.endswith("the margin is held against that version, and it is used up")


def test_a_better_champion_is_the_new_reference_and_the_margin_is_whole_again(ledger: Ledger):
    history, _ = sinking(ledger)
    better = history.challenge(with_wrong(history.truth, 300))
    assert (better.decision, better.standing) == ("promoted", "superior")
    reference = find_reference(ledger, history.champion)
    assert (reference.version, reference.spent) == (history.champion.version, 0.0)
    assert history.challenge(with_wrong(history.truth, 310)).decision == "promoted"


def test_better_than_the_champion_but_worse_than_the_reference_is_no_new_reference(ledger: Ledger):
    """Else a champion could sink, rise by less, and sink again."""
    truth = np.arange(5_000) % 2
    history = History(declared(looks=1), ledger, truth)
    history.start(with_wrong(truth, 500))
    for wrong in (530, 560):
        assert history.challenge(with_wrong(truth, wrong)).standing == "non-inferior"
    risen = history.challenge(with_wrong(truth, 520))
    assert (risen.decision, risen.standing) == ("promoted", "superior")
    assert find_reference(ledger, history.champion).version == 1


def test_what_a_person_decides_is_the_reference(ledger: Ledger):
    history, judged = sinking(ledger)
    kept = max(history.models)
    assert judged[-1].decision == "kept"
    generation = 1 + (history.champion.generation or 0)
    ledger.append(
        Entry("daily", "override", "known", "ada", version=kept, previous=history.champion.version),
        Entry(
            "daily", "promoted", "by ada", "ada", version=kept, previous=history.champion.version, generation=generation
        ),
    )
    assert find_reference(ledger, history.champion).version == kept
    ledger.append(Entry("daily", "rolled back", "no", "ada", version=1, previous=kept, generation=generation + 1))
    assert find_reference(ledger, history.champion) == Reference(1)


def test_verdicts_of_earlier_releases_are_added_up(ledger: Ledger):
    ledger.append(Entry("daily", "promoted", "the first", "test", version=1, generation=1))
    for version, difference in ((2, -0.004), (3, 0.001), (4, -0.005)):
        details = {
            "decision": "promoted",
            "standing": "non-inferior",
            "comparison": {"difference": difference},
            "rows_digest": "rows",
        }
        verdict = Entry("daily", "verdict", "", "test", version=version, previous=version - 1, details=details)
        ledger.append(
            verdict,
            Entry("daily", "promoted", "", "test", version=version, previous=version - 1, generation=version),
        )
    champion = ledger.champion("daily")
    assert champion is not None
    reference = find_reference(ledger, champion)
    assert (reference.version, reference.spent) == (1, pytest.approx(0.009))
    assert reference.look(5, "rows") == 4
    assert reference.look(4, "rows") == 3, "the same version on the same rows is no new look"


def test_a_decision_says_which_look_it_is_and_what_they_err_in_together(ledger: Ledger):
    truth = np.arange(400) % 2
    history = History(declared(margin=0.0), ledger, truth)
    history.start(answers(truth, 0.8, np.random.default_rng(0)))
    *_, judgement = [history.challenge(answers(truth, 0.8, np.random.default_rng(day))) for day in range(1, 4)]
    assert "look 3 of 60, each at 99.9167% so that all err in 2.5% at most" in judgement.reason
    assert judgement.details(0.0, 9)["look"] == 3
    assert judgement.details(0.0, 9)["looks"] == 60


@pytest.mark.parametrize(
    ("automation", "registry", "looks"),
    [
        ({"train": "0 2 * * *", "on_new_data": False}, {}, 60),
        ({"on_new_data": True}, {}, 60),
        ({"on_new_data": False}, {}, 1),
        ({"on_new_data": False}, {"looks": 12}, 12),
        ({"train": "0 2 * * *"}, {"looks": 1}, 1),
    ],
)
def test_what_trains_by_itself_shares_its_confidence_among_sixty_looks(
    automation: dict[str, object], registry: dict[str, object], looks: int
):
    spec = SystemSpec.model_validate(
        {**declared(**registry).model_dump(exclude={"automation"}), "automation": automation}
    )
    assert spec.looks == looks
    assert 1 - spec.confidence_of_look == pytest.approx(0.05 / looks)


def changed_by_luck(rows: int, fresh: bool, seed: int, confidence: float) -> bool:
    """Whether one of sixty challengers, all as good as the champion, wins by luck."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, rows)
    champion = answers(truth, 0.8, rng)
    for _ in range(DAYS):
        if fresh:
            truth = rng.integers(0, 2, rows)
            champion = answers(truth, 0.8, rng)
        if compared(truth, answers(truth, 0.8, rng), champion, confidence).superior:
            return True
    return False


@pytest.mark.parametrize(
    ("rows", "histories"),
    [(300, 60), *(pytest.param(rows, 400, marks=pytest.mark.soak("rates")) for rows in (300, 5_000))],
)
@pytest.mark.parametrize("fresh", [False, True], ids=["same rows", "fresh rows"])
def test_sixty_retrainings_of_equal_models_rarely_change_the_champion(
    rows: int, histories: int, fresh: bool, record_property: Callable[[str, object], None]
):
    confidence = declared().confidence_of_look
    rate = float(np.mean([changed_by_luck(rows, fresh, seed, confidence) for seed in range(histories)]))
    record_property("histories in which luck changed the champion", f"{rate:.3f}")
    assert rate <= 0.05 + 3 * (0.05 * 0.95 / histories) ** 0.5
    alone = np.mean([changed_by_luck(rows, fresh, seed, 0.95) for seed in range(20)])
    assert alone > 0.1, "each look at 95 % would"
