"""The card as pages: one HTML file without scripts or remote assets, and Markdown as GitHub shows it."""

import re
from typing import TYPE_CHECKING

from mlops_assets.card.card import Card
from mlops_assets.card.document import PERSON, Cell, slug
from mlops_assets.evaluation.report.plots.svg import unturned
from mlops_assets.metrics.formatting import figure

if TYPE_CHECKING:
    from jinja2 import Environment

OUTCOMES = ("passed", "failed", "not evaluated")
MARKUP = frozenset("|`*[]\\~$#!<>&{}")
"""Characters that Markdown, HTML, tables or mathematics give a meaning."""
_DIGEST = re.compile(r"[0-9a-f]{12,64}")
_LOOSE_UNDERSCORES = re.compile(r"(?<![^\W_])_+|_+(?![^\W_])")
_LIST_OR_RULE = re.compile(r"^(\d*)([-+=.)])(?=[\s=-]|$)")
_ADDRESS = re.compile(r"(?i):(?=//)|(?<=\bwww)\.")


def to_html(card: Card) -> str:
    """The card for a browser and for print; every value is escaped."""
    return _environment(autoescape=True).get_template("card/card.html").render(card=card)


def to_markdown(card: Card) -> str:
    """The card with GitHub's tables; no value can make markup, a link or a new line."""
    environment = _environment(autoescape=False)
    environment.finalize = markdown
    text = environment.get_template("card/card.md").render(card=card)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def markdown(value: object) -> str:
    """``value`` as Markdown that shows exactly it."""
    if _is_digest(value):
        return f"`{value}`"
    return "<br>".join(_line(line) for line in unturned(str(value)).splitlines())


def _environment(autoescape: bool) -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("mlops_assets", "."),
        autoescape=autoescape,
        undefined=StrictUndefined,
        finalize=lambda value: unturned(value) if isinstance(value, str) else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(shown=shown, slug=slug)
    environment.tests.update(digest=_is_digest, outcome=lambda value: value in OUTCOMES)
    environment.globals.update(PERSON=PERSON)
    return environment


def shown(value: Cell) -> Cell:
    """A cell as text: numbers as people read them, a dash for nothing."""
    if value is None or value == "":
        return "–"
    if isinstance(value, float):
        return figure(value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value


def _line(text: str) -> str:
    """One line, so that nothing in it is taken for markup; entities, because GitHub keeps them as characters."""
    printable = "".join(character if character.isprintable() else " " for character in text).strip()
    encoded = "".join(f"&#{ord(sign)};" if sign in MARKUP else sign for sign in printable)
    encoded = _LOOSE_UNDERSCORES.sub(lambda match: "&#95;" * len(match[0]), encoded)
    encoded = _ADDRESS.sub(lambda match: f"&#{ord(match[0])};", encoded)
    return _LIST_OR_RULE.sub(lambda match: f"{match[1]}&#{ord(match[2])};", encoded)


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None
