"""Whatever happens to versions, and wherever a process dies, the aliases end where the ledger puts them."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.errors import StorageError
from mlops_assets.registry.aliases import Aliases, due, moved_aliases, restore, settle
from mlops_assets.resources.model_registry import Registry
from mlops_assets.storage.hash_chain import verify
from mlops_assets.storage.ledger import Ledger
from mlops_assets.storage.ledger_entry import Entry, Event
from mlops_assets.storage.records import RecordStore

SYSTEM = "wine"
NUMBERS = itertools.count()


class Died(Exception):
    """The process was killed between two calls of the registry."""


class Memory(Registry):
    """A registry without MLflow, whose process dies at chosen calls."""

    def __init__(self, system: str = SYSTEM) -> None:
        self.system = system
        self.held: dict[str, int] = {}
        self.lives: Iterator[bool] = iter(())

    def aliases(self) -> dict[str, int]:
        return dict(self.held)

    def point(self, alias: str, version: int | None) -> None:
        self._live()
        if version is None:
            self.held.pop(alias, None)
        else:
            self.held[alias] = version

    def _live(self) -> None:
        if not next(self.lives, True):
            raise Died


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """One database for all examples; each is a system of its own."""
    return Ledger(RecordStore(f"sqlite:///{tmp_path_factory.mktemp('aliases')}/ledger.db"))


def expected(history: list[tuple[Event, int]]) -> Aliases:
    """What the events mean, told once more in the plainest way."""
    champion = previous = challenger = staging = None
    for event, version in history:
        if event == "registered":
            challenger = version
        elif event == "requested":
            staging = version
        elif event in ("promoted", "rolled back"):
            champion, previous, staging = version, champion, None
        elif version in (challenger, staging):  # declined or archived
            challenger = None if version == challenger else challenger
            staging = None if version == staging else staging
    challenger = None if challenger in (champion, previous) else challenger
    return Aliases(champion, previous, challenger, staging)


def write(ledger: Ledger, event: Event, version: int, system: str = SYSTEM) -> None:
    in_force = ledger.champion(system)
    generation = None
    if event in ("promoted", "rolled back"):
        generation = 1 + ((in_force.generation or 0) if in_force else 0)
    ledger.append(Entry(system, event, "why", "ada", version, in_force.version if in_force else None, generation))


EVENTS: list[Event] = ["registered", "requested", "declined", "promoted", "rolled back", "archived", "verdict"]
steps = st.tuples(
    st.sampled_from(EVENTS),
    st.integers(1, 4),
    st.lists(st.booleans(), max_size=6),
)


@settings(max_examples=60)
@given(st.lists(steps, min_size=1, max_size=12))
def test_after_any_history_and_any_deaths_the_next_start_ends_where_the_ledger_says(ledger: Ledger, history: list):
    registry = Memory(f"system_{next(NUMBERS)}")
    happened: list[tuple[Event, int]] = []
    for event, version, lives in history:
        in_force = ledger.champion(registry.system)
        if event in ("promoted", "rolled back") and in_force and in_force.version == version:
            continue  # a champion is not promoted again
        write(ledger, event, version, registry.system)
        if event != "verdict":
            happened.append((event, version))
        registry.lives = iter(lives)
        try:
            settle(registry, ledger)
        except Died:
            continue  # the next step finds what this one left
        assert registry.aliases() == held(due(ledger, registry.system))
    registry.lives = iter(())
    settle(registry, ledger)
    assert due(ledger, registry.system) == expected(happened)
    assert registry.aliases() == held(expected(happened))
    assert moved_aliases(registry, ledger) == []
    assert ledger.undelivered(registry.system) is None
    assert verify(registry.system, ledger.chain(registry.system)).ok


def test_an_alias_that_a_hand_moved_is_astray_until_it_is_restored(tmp_path: Path):
    ledger, registry = Ledger(RecordStore(f"sqlite:///{tmp_path}/ledger.db")), Memory()
    for version in (1, 2):
        write(ledger, "registered", version)
        write(ledger, "promoted", version)
    settle(registry, ledger)
    registry.held["champion"] = 1
    write(ledger, "registered", 3)
    settle(registry, ledger)
    assert registry.aliases() == {"champion": 1, "previous": 1, "challenger": 3}, "only what the entry concerns moves"
    (moved,) = moved_aliases(registry, ledger)
    assert str(moved) == "alias 'champion' is on version 1, the ledger says version 2"
    restore(registry, ledger)
    assert moved_aliases(registry, ledger) == []


def test_a_promotion_from_an_overtaken_view_is_refused(tmp_path: Path):
    ledger = Ledger(RecordStore(f"sqlite:///{tmp_path}/ledger.db"))
    write(ledger, "promoted", 1)
    with pytest.raises(StorageError, match="generation 1 of the champion was decided by another run"):
        ledger.append(Entry(SYSTEM, "rolled back", "late", "ada", 2, None, 1))


def held(aliases: Aliases) -> dict[str, int]:
    return {alias: version for alias, version in vars(aliases).items() if version is not None}
