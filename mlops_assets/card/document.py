"""Document: sections of texts, facts and tables, which HTML and Markdown show alike."""

import re
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict

from mlops_assets.verdict import Verdict

Cell = str | int | float | None
PERSON = "A person must write this"


class CardPart(BaseModel):
    """Frozen, as JSON and on the page."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CardText(CardPart):
    """A paragraph."""

    kind: Literal["text"] = "text"
    text: str
    label: str = ""
    """What stands in bold before it."""


class Missing(CardPart):
    """A text that nobody has written yet."""

    kind: Literal["missing"] = "missing"
    label: str
    key: str
    """Where it is declared, such as ``card.intended_use``."""
    what: str


class Facts(CardPart):
    """Names and values."""

    kind: Literal["facts"] = "facts"
    items: list[tuple[str, Cell]]


class CardTable(CardPart):
    """Rows under named columns; None is a dash."""

    kind: Literal["table"] = "table"
    caption: str
    columns: list[str]
    rows: list[list[Cell]]


class CardPoint(CardPart):
    """One thing that a rule asks for, and where it is answered."""

    number: str
    asks: str
    evidence: str
    """What the evidence says about it; empty where it says nothing."""
    sections: list[str]
    """Titles of the sections with that evidence."""
    written: list[str]
    """Declared texts that are there."""
    missing: list[str]
    """Declared texts that a person must still write."""


class CardPoints(CardPart):
    """Every point of a rule."""

    kind: Literal["points"] = "points"
    points: list[CardPoint]


Block = CardText | Missing | Facts | CardTable | CardPoints


class Section(CardPart):
    """Blocks under a title."""

    title: str
    blocks: list[Block]

    @property
    def anchor(self) -> str:
        """The anchor that GitHub gives the heading; HTML uses the same."""
        return slug(self.title)


def slug(title: str) -> str:
    """``title`` as an anchor."""
    return re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")


def verdicts(caption: str, judged: Iterable[Verdict]) -> CardTable:
    """Checks or gates, each with what was seen."""
    rows: list[list[Cell]] = [
        [verdict.outcome, verdict.name, verdict.reason, "blocks" if verdict.severity == "block" else "warns"]
        for verdict in judged
    ]
    return CardTable(caption=caption, columns=["Verdict", "Name", "What was seen", "If not passed"], rows=rows)


def listed(values: Iterable[object], most: int = 20) -> str:
    """Values in one line; of many the first, and how many more."""
    texts = list(map(str, values))
    more = f" and {len(texts) - most:,} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
