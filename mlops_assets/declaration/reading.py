"""Declarations on disk: from ``defs.yaml`` to a SystemSpec, every mistake with file and line."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from inspect import isclass
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from mlops_assets.declaration import environments
from mlops_assets.declaration.base import Loc, Mistake, one_of
from mlops_assets.declaration.environments import Environment
from mlops_assets.declaration.plain_yaml import MOST_BYTES, read_plain
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import SpecError
from mlops_assets.settings import Settings

if TYPE_CHECKING:
    from dagster_shared.yaml_utils.source_position import SourcePositionTree
    from pydantic_core import ErrorDetails

COMPONENT = "mlops_assets.component.MLSystem"
SHIPPED = Path(__file__).parents[1] / "defs"


def read_declaration(path: Path, among: Iterable[Path] = ()) -> SystemSpec:
    """The system declared in one ``defs.yaml``, its name not used by an earlier one ``among`` these folders.

    Raises:
        SpecError: with ``defs.yaml:LINE``, the offending value and what is allowed, one line per mistake.

    Example:
        >>> spec = read_declaration(SHIPPED / "wine_quality" / "defs.yaml")
        >>> spec.task, spec.dataset.target, [gate.name for gate in spec.evaluation.gates]
        ('classification', 'cultivar', ['accuracy_at_least', 'log_loss_at_most', 'beats_baseline'])
    """
    from dagster_shared.yaml_utils import parse_yaml_with_source_position
    from yaml import YAMLError

    text = read_plain(path)
    try:
        tree = parse_yaml_with_source_position(text, str(path))
    except YAMLError as error:
        raise SpecError(f"{path} is not YAML: {error}") from error
    document = tree.value if isinstance(tree.value, Mapping) else {}
    if document.get("type") != COMPONENT or not isinstance(document.get("attributes"), Mapping):
        raise SpecError(f"{path}:1: a declaration begins with 'type: {COMPONENT}' and holds 'attributes:'")
    line_of = line_finder(tree.source_position_tree, path)
    spec = parse(document["attributes"], line_of)
    require_unique(spec.name, path, among, line_of)
    return spec.placed(path)


def parse(attributes: object, line_of: Callable[[Loc], str], environment: Environment | None = None) -> SystemSpec:
    """What raw ``attributes`` say in ``environment``, by default that of ``MLOPS_ENV``; every other one is read too.

    ``line_of`` names the file and line of a key path.
    """
    environment = environment or Settings().env
    base = _checked(attributes, line_of)
    declared = attributes if isinstance(attributes, Mapping) else {}
    if not base.environments:
        return base.resolved_in(environment, {})
    wrong: list[str] = []
    read: dict[str, SystemSpec] = {}
    for name in environments.ENVIRONMENTS:
        try:
            read[name] = _variant(declared, line_of, name).resolved_in(name, {})
        except SpecError as error:
            wrong.append(str(error))
    if wrong:
        raise SpecError("\n".join(wrong))
    return read.pop(environment).resolved_in(environment, read)


def _variant(declared: Mapping[str, Any], line_of: Callable[[Loc], str], environment: str) -> SystemSpec:
    def place(loc: Loc) -> Loc:
        return environments.place_of(loc, declared, environment)

    return _checked(environments.resolved(declared, environment), line_of, place)


def _checked(attributes: object, line_of: Callable[[Loc], str], place: Callable[[Loc], Loc] = tuple) -> SystemSpec:
    """A SystemSpec of what is declared; ``place`` says where a key of it stands in the file."""
    if isinstance(attributes, Mapping) and environments.KEY in attributes:
        wrong = [
            _line(mistake.loc, str(mistake), line_of) for mistake in environments.mistakes(attributes[environments.KEY])
        ]
        if wrong:
            raise SpecError("\n".join(wrong))
    try:
        return SystemSpec.model_validate(attributes)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise SpecError("\n".join(_sentence(detail, line_of, place) for detail in details)) from error


def line_finder(positions: "SourcePositionTree | None", path: Path) -> Callable[[Loc], str]:
    """Finds ``file:line`` of the closest key that exists at or above a key path below ``attributes``."""

    def line_of(loc: Loc) -> str:
        if positions is None:
            return str(path)
        node = positions
        for key in ("attributes", *loc):
            if key not in node.children:
                break
            node = node.children[key]
        return f"{path}:{node.position.start.line}"

    return line_of


def declared_systems(folders: Iterable[Path]) -> Iterator[Path]:
    """Every ``<system>/defs.yaml`` below ``folders``, in order of name."""
    for folder in folders:
        yield from sorted(folder.glob("*/defs.yaml"))


def find_system(name: str, folders: Iterable[Path]) -> SystemSpec:
    """The system called ``name``.

    Raises:
        SpecError: if none is, naming those that are.
    """
    paths = list(declared_systems(folders))
    for path in paths:
        if path.parent.name == name:
            spec = read_declaration(path)
            if spec.name == name:
                return spec
    specs, wrong = _readable(paths)
    if name not in specs:
        unread = "".join(f"\nNot read: {error}" for error in wrong)
        raise SpecError(f"No system is called {name!r}. Declared systems: {one_of(specs)}{unread}")
    return specs[name]


def _readable(paths: Iterable[Path]) -> tuple[dict[str, SystemSpec], list[SpecError]]:
    """The systems by name, and why others cannot be read: one wrong declaration hides no other system."""
    specs: dict[str, SystemSpec] = {}
    wrong: list[SpecError] = []
    for path in paths:
        try:
            spec = read_declaration(path)
            specs[spec.name] = spec
        except SpecError as error:
            wrong.append(error)
    return specs, wrong


def require_unique(name: str, path: Path, folders: Iterable[Path], line_of: Callable[[Loc], str]) -> None:
    """Refuse a ``name`` that an earlier declaration below ``folders`` has already."""
    for other in declared_systems(folders):
        if other.absolute() == path.absolute():
            return
        if other.is_file() and _name_in(other, other.stat().st_mtime_ns) == name:
            raise SpecError(f"{line_of(('name',))}: name: the system {name!r} is declared already, in {other}")


@cache
def _name_in(path: Path, _: int) -> str | None:
    with path.open(encoding="utf-8", errors="replace") as file:
        name = re.search(r"^  name:\s*[\"']?(\w+)", file.read(MOST_BYTES), re.MULTILINE)
    return name[1] if name else None


def _sentence(detail: "ErrorDetails", line_of: Callable[[Loc], str], place: Callable[[Loc], Loc]) -> str:
    loc: Loc = detail["loc"]
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, Mistake):
        loc = (*loc, *cause.loc)
        message = str(cause)
    elif detail["type"] == "extra_forbidden":
        message = f"unknown key {loc[-1]!r}. Allowed keys: {one_of(_allowed_keys(loc[:-1]))}"
    elif detail["type"] == "missing":
        message = "is missing"
    else:
        message = f"{detail['msg'].removeprefix('Value error, ')}, got {detail['input']!r}"
    return _line(place(loc), message, line_of)


def _line(loc: Loc, message: str, line_of: Callable[[Loc], str]) -> str:
    path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in loc).lstrip(".")
    return f"{line_of(loc)}: {path or 'attributes'}: {message}"


def _allowed_keys(loc: Loc) -> list[str]:
    kind: object = SystemSpec
    for key in loc:
        model = _model(kind)
        kind = model.model_fields[str(key)].annotation if model else get_args(kind)[-1]
    model = _model(kind)
    return list(model.model_fields) if model else []


def _model(kind: object) -> type[BaseModel] | None:
    arms = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    return next((arm for arm in arms if isclass(arm) and not get_args(arm) and issubclass(arm, BaseModel)), None)
