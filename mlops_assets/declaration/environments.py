"""Environments: a declaration whose parts differ by environment, and what it says in each of them."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args

from mlops_assets.declaration.base import Loc, Mistake, one_of

Environment = Literal["local", "ci", "staging", "prod"]
ENVIRONMENTS: tuple[Environment, ...] = get_args(Environment)
KEY = "environments"
SAME_EVERYWHERE: tuple[Loc, ...] = (("name",), ("task",), ("dataset", "target"), (KEY,))
"""Keys that make a system the one that it is."""
Parts = dict[str, Any]
"""Values by key, as YAML nests them."""


def resolved(declared: Mapping[str, Any], environment: str) -> Parts:
    """What ``declared`` says in ``environment``: mappings are merged, every other value takes the place of the first.

    Example:
        >>> declared = {"model": {"seed": 1, "estimator": "x"}, "environments": {"prod": {"model": {"seed": 2}}}}
        >>> resolved(declared, "prod")["model"], resolved(declared, "local")["model"]
        ({'seed': 2, 'estimator': 'x'}, {'seed': 1, 'estimator': 'x'})
    """
    return _merged(declared, (declared.get(KEY) or {}).get(environment, {}))


def mistakes(declared: object) -> Iterator[Mistake]:
    """What cannot be said below ``environments``, whatever the parts mean."""
    if not isinstance(declared, Mapping):
        yield Mistake((KEY,), f"is a mapping of environments, got {declared!r}")
        return
    for name, parts in declared.items():
        if name not in ENVIRONMENTS:
            yield Mistake((KEY, name), f"{name!r} is not an environment. Environments: {one_of(ENVIRONMENTS)}")
        elif not isinstance(parts, Mapping):
            yield Mistake((KEY, name), f"is a mapping of what differs there, got {parts!r}")
        else:
            yield from (_same(name, loc) for loc in SAME_EVERYWHERE if _known(parts, loc) == len(loc))


def place_of(loc: Loc, declared: Mapping[str, Any], environment: str) -> Loc:
    """Where a key of the resolved declaration stands: below its environment, if that says it."""
    below = (KEY, environment, *loc)
    inside = _known(declared, below) - 2
    return below if inside > 0 and inside >= _known(declared, loc) else loc


def differing(declared: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Every key that an environment declares for itself, with its value."""
    for key, value in declared.items():
        if isinstance(value, Mapping) and value:
            yield from differing(value, f"{above}{key}.")
        else:
            yield f"{above}{key}: {value}"


def _merged(base: Any, over: Any) -> Any:
    if not isinstance(base, Mapping) or not isinstance(over, Mapping):
        return over
    return {**base, **{key: _merged(base.get(key), value) for key, value in over.items()}}


def _same(environment: str, loc: Loc) -> Mistake:
    return Mistake((KEY, environment, *loc), "is the same in every environment. Remedy: declare it once, at the top")


def _known(declared: Any, loc: Loc) -> int:
    """How many keys of ``loc`` lead somewhere."""
    for depth, key in enumerate(loc):
        try:
            declared = declared[key]
        except (KeyError, IndexError, TypeError):
            return depth
    return len(loc)
