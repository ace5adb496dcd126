"""Column names: what their words hint at."""

import re
from typing import Literal

Hint = Literal["id", "entity", "event_time", "nominal", "protected", "year"]


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_WORDS: dict[Hint, frozenset[str]] = {
    "id": _set("id ids uuid guid identifier key pk ref serial vin iban ssn isbn sku"),
    "entity": _set(
        "patient customer client user subject household device session account member driver student machine "
        "vehicle house property borrower employee"
    ),
    "event_time": _set(
        "date time timestamp datetime ts day created updated sold ordered recorded opened issued observed at when"
    ),
    "nominal": _set(
        "code type category cat class zip zipcode postal postcode region gender sex marriage marital race ethnicity "
        "channel colour color brand state country city district status kind"
    ),
    "year": _set("year yr"),
    "protected": _set("sex gender race ethnicity religion nationality disability age marital marriage"),
}
_NOT_EVENTS = _set("birth dob born release released expiry due")
_YES = (
    "true",
    "yes",
    "y",
    "1",
    "positive",
    "pos",
    "default",
    "churn",
    "churned",
    "fraud",
    "bad",
    "sick",
    "failed",
    "spam",
)


def words(name: str) -> list[str]:
    """The words of a column name in lower case: ``customerId`` and ``Customer ID`` give customer, id."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def hints(name: str, hint: Hint) -> bool:
    """Whether a word of ``name`` hints at ``hint``; an id or entity is told by the first or last word."""
    parts = words(name)
    if hint in ("id", "entity"):
        parts = [*parts[:1], *parts[-1:]]
    if hint == "event_time" and _NOT_EVENTS & set(parts):
        return False
    return bool(_WORDS[hint] & set(parts))


def yes_rank(label: object) -> int:
    """Position among the words for the positive class; a large number for any other."""
    text = str(label).strip().lower()
    return _YES.index(text) if text in _YES else len(_YES)
