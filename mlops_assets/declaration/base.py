"""The base of every part of a declaration, and the dotted paths that point from YAML into Python."""

import importlib
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from mlops_assets.errors import MissingExtra, SpecError

Task = Literal["classification", "regression"]

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""A system's name: it becomes part of asset keys, job names, table paths and the registered model's name."""

DottedPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*([.:][A-Za-z_]\w*)$")]
"""``package.module.Object`` or ``package.module:object``; imported at the start of a run, never while loading."""

Loc = tuple[str | int, ...]
"""Path of a key in a declaration."""

EXTRAS = {
    "catboost": "boosters",
    "confluent_kafka": "kafka",
    "lightgbm": "boosters",
    "pymongo": "mongo",
    "xgboost": "boosters",
}


class Declared(BaseModel):
    """Frozen, and an unknown key is an error that lists the known ones."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Mistake(ValueError):
    """A mistake that only several keys together show; ``loc`` is the path of the key to mend."""

    def __init__(self, loc: Loc, message: str) -> None:
        super().__init__(message)
        self.loc = loc

    def below(self, *keys: str | int) -> "Mistake":
        """The same mistake, seen from the declaration that holds this part below ``keys``."""
        return Mistake((*keys, *self.loc), str(self))


def one_of(names: Iterable[object]) -> str:
    """The allowed names as a readable list."""
    return ", ".join(sorted(map(str, names)))


def load_object(path: str, requested_by: str) -> Any:
    """Import what ``path`` points at.

    Raises:
        MissingExtra: if the module belongs to an optional extra that is not installed.
        SpecError: if module or attribute does not exist.
    """
    module_name, _, attribute = path.replace(":", ".").rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        package = module_name.split(".")[0]
        if package in EXTRAS and error.name == package:
            raise MissingExtra(package, EXTRAS[package]) from error
        raise SpecError(f"{requested_by}: {path!r} does not import: {error}") from error
    try:
        return getattr(module, attribute)
    except AttributeError as error:
        public = one_of(name for name in dir(module) if not name.startswith("_"))
        raise SpecError(f"{requested_by}: {module_name!r} has no {attribute!r}. It has: {public}") from error
