"""Terms over time: which of the terms that a champion was judged by ask for less now."""

import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from mlops_assets.evaluation.terms import Terms, leaves, shown

Loosened = Callable[[Any, Any], bool]
"""Whether the second value lets through what the first did not; None stands for what is not declared."""


class ChangedTerm(NamedTuple):
    """One term that is another now."""

    key: str
    then: str
    now: str
    loosened: bool


def changed_terms(then: Terms, now: Terms) -> list[ChangedTerm]:
    """Terms beside gates, model and code that differ, by key; whether less is asked is said where it has an order.

    Example:
        >>> strict, loose = ({"features": {"leakage": {"allow": names}}} for names in ([], ["price"]))
        >>> changed_terms(strict, loose)
        [ChangedTerm(key='features.leakage.allow', then='[]', now='["price"]', loosened=True)]
    """
    return list(_changes(dict(leaves(then)), dict(leaves(now)))) if then else []


def _changes(before: Terms, after: Terms) -> Iterator[ChangedTerm]:
    for key in sorted({**before, **after}):
        old, new = before.get(key), after.get(key)
        if old != new and key.startswith(JUDGING) and not key.startswith("evaluation.gates"):
            yield ChangedTerm(key, shown(old), shown(new), any(rule(old, new) for rule in _rules(key)))


def _rules(key: str) -> list[Loosened]:
    return [rule for pattern, rule in RULES.items() if re.fullmatch(pattern, key)]


def _lower(old: Any, new: Any) -> bool:
    return _number(new, -math.inf) < _number(old, -math.inf)


def _higher(old: Any, new: Any) -> bool:
    return _number(new, math.inf) > _number(old, math.inf)


def _number(value: Any, undeclared: float) -> Any:
    return undeclared if value is None else value


def _more(old: Any, new: Any) -> bool:
    """Values that are let through; undeclared, all are."""
    return new is None or (old is not None and not set(map(str, new)) <= set(map(str, old)))


def _fewer(old: Any, new: Any) -> bool:
    return not set(map(str, old or [])) <= set(map(str, new or []))


def _gone(old: Any, new: Any) -> bool:
    return old is not None and new is None


def _became(*values: Any) -> Loosened:
    return lambda _, new: new in values


JUDGING = ("dataset.", "features.", "evaluation.")
RULES: dict[str, Loosened] = {
    r"dataset\.columns\..+\.min": lambda old, new: _gone(old, new) or _is_below(new, old),
    r"dataset\.columns\..+\.max": lambda old, new: _gone(old, new) or _is_below(old, new),
    r"dataset\.columns\..+\.allowed": _more,
    r"dataset\.columns\..+\.nullable": _became(True),
    r"dataset\.columns\..+\.(unique|post_outcome)": _became(False, None),
    r"dataset\.columns\..+\.pattern": _gone,
    r"dataset\..+\.severity": _became("warn", None),
    r"dataset\.(max_quarantined|volume\.max_rows|freshness\.max_age_days|duplicates\.at_most)": _higher,
    r"dataset\.volume\.min_rows": _lower,
    r"dataset\.key": _fewer,
    r"features\.leakage\.(max_single_feature_score|max_error_ratio)": _higher,
    r"features\.leakage\.near_duplicates": _lower,
    r"features\.leakage\.allow": _more,
    r"features\.split\.(group|time)": _gone,
    r"features\.split\.ungrouped": _more,
    r"features\.split\.identity": _became("row"),
    r"evaluation\.(confidence|resamples)": _lower,
    r"evaluation\.protected": _fewer,
    r"evaluation\.monotone\..+": _gone,
}
"""By key, what makes a term ask for less; a term without a rule has no order."""


def _is_below(value: Any, other: Any) -> bool:
    """Bounds are numbers or dates; dates are text of one form, whose order is theirs."""
    return type(value) is type(other) and value is not None and value < other
