"""Grounds: what earns a challenger the champion's place."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

Ground = Literal["superior", "non_inferior", "non_inferior_fresher", "non_inferior_simpler"]


class Compared(Protocol):
    """What is known of a challenger beside its standing."""

    @property
    def fresher(self) -> bool: ...

    @property
    def simpler(self) -> bool: ...


@dataclass(frozen=True)
class GroundInfo:
    """One ground; a challenger that is superior has earned the place on each."""

    title: str
    suffices: Callable[[Compared], bool]
    """Whether a challenger that is not inferior has earned the place."""


GROUNDS: dict[Ground, GroundInfo] = {
    "superior": GroundInfo("superior", lambda _: False),
    "non_inferior": GroundInfo("not inferior", lambda _: True),
    "non_inferior_fresher": GroundInfo(
        "not inferior, and trained on data that landed later", lambda compared: compared.fresher
    ),
    "non_inferior_simpler": GroundInfo("not inferior, and simpler", lambda compared: compared.simpler),
}
