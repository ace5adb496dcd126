"""The text of a declaration, read and looked through before anything is built from it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from mlops_assets.errors import SpecError

if TYPE_CHECKING:
    import yaml
    from dagster_shared.yaml_utils import DagsterYamlLoader

MOST_BYTES = 4 * 1024**2
MOST_LEVELS = 50
MOST_VALUES = 200_000
MOST_ALIASED = 100_000
"""Values that the aliases of one file may stand for, all together."""
CORE = "tag:yaml.org,2002:"
TAGS = {f"{CORE}{name}" for name in ("str", "int", "float", "bool", "null", "seq", "map")}
"""What a value of a declaration can be."""
MERGE = f"{CORE}merge"


def read_plain(path: Path) -> str:
    """The text of one ``defs.yaml`` that says each thing once and is no larger than it looks.

    Raises:
        SpecError: with file and line, for a duplicate key, an unknown tag, aliases that multiply, deep nesting, a
            second document, or what is not YAML in UTF-8. Within seconds, whatever the file holds.
    """
    if not path.is_file():  # a pipe or a device could be read for ever
        raise SpecError(f"{path} is not a file. Remedy: put the declaration there, as text")
    with path.open("rb") as file:
        raw = file.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise SpecError(f"{path}:1: is larger than the {MOST_BYTES:,} bytes that a declaration may have")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SpecError(f"{path}:{line}: is not UTF-8 text: byte {raw[error.start]:#04x}") from error
    require_plain(text, path)
    return text


def require_plain(text: str, path: Path) -> None:
    """Refuse a ``text`` that means something else than it says; see ``read_plain``."""
    import yaml
    from dagster_shared.yaml_utils import DagsterYamlLoader

    survey = _Survey(path, DagsterYamlLoader(""))
    try:
        for event in _events(text):
            survey.take(event)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SpecError(f"{path}:{line}: is not YAML: {error.problem}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SpecError(f"{path}:{line}: is not YAML: {error.reason}, character {error.character!r}") from error
    if survey.documents == 0:
        raise SpecError(f"{path}:1: is empty")


def _events(text: str) -> "Iterator[yaml.Event]":
    import yaml

    # libyaml reads a megabyte in a tenth of the time; it, too, goes event by event, so that nesting stops early.
    return yaml.parse(text, Loader=yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader)


@dataclass
class _Collection:
    """A mapping or list that is being read."""

    anchor: str | None
    keys: dict[object, int] | None
    """Line of each key of a mapping; None in a list."""
    at_key: bool
    values: int = 1
    """It and everything in it, aliases at full length."""


@dataclass
class _Survey:
    """Walks the events of one file; memory grows with its depth and its anchors only."""

    path: Path
    loader: "DagsterYamlLoader"
    documents: int = 0
    values: int = 0
    aliased: int = 0
    open: list[_Collection] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)

    def take(self, event: "yaml.Event") -> None:
        import yaml

        self._count(event)
        match event:
            case yaml.DocumentStartEvent():
                self._begin(event)
            case yaml.AliasEvent():
                self._end_value(event, self._size_of(event), None)
            case yaml.ScalarEvent():
                self._end_value(event, 1, event.anchor, _Scalar(*self._scalar(event)))
            case yaml.CollectionStartEvent():
                self._enter(event)
            case yaml.CollectionEndEvent():
                ended = self.open.pop()
                self._end_value(event, ended.values, ended.anchor)

    def _count(self, event: "yaml.Event") -> None:
        self.values += 1
        if self.values > MOST_VALUES:
            self._refuse(event, f"is longer than the {MOST_VALUES:,} keys and values that a declaration may have")

    def _begin(self, event: "yaml.Event") -> None:
        self.documents += 1
        if self.documents > 1:
            self._refuse(event, "a second document begins here; a declaration is one. Remedy: a file of its own")

    def _enter(self, event: "yaml.CollectionStartEvent") -> None:
        import yaml

        self._require_known_tag(event, event.tag)
        if self.open and self.open[-1].at_key:
            self._refuse(event, "a list or mapping cannot be a key")
        if len(self.open) == MOST_LEVELS:
            self._refuse(event, f"is nested deeper than the {MOST_LEVELS} levels that a declaration may have")
        mapping = isinstance(event, yaml.MappingStartEvent)
        self.open.append(_Collection(event.anchor, {} if mapping else None, at_key=mapping))

    def _end_value(self, event: "yaml.Event", values: int, anchor: str | None, scalar: "_Scalar | None" = None) -> None:
        if anchor:
            self.sizes[anchor] = values
        if not self.open:
            return
        parent = self.open[-1]
        parent.values += values
        if parent.keys is None:
            return
        if parent.at_key:
            self._note_key(event, parent.keys, scalar)
        parent.at_key = not parent.at_key

    def _note_key(self, event: "yaml.Event", keys: dict[object, int], scalar: "_Scalar | None") -> None:
        if scalar is None:
            self._refuse(event, "an alias cannot be a key")
        if scalar.value in keys:
            self._refuse(event, f"duplicate key {scalar.text!r}, first in line {keys[scalar.value]}")
        keys[scalar.value] = _line(event)

    def _size_of(self, event: "yaml.AliasEvent") -> int:
        if event.anchor not in self.sizes:
            inside = any(node.anchor == event.anchor for node in self.open)
            self._refuse(event, f"alias *{event.anchor} {'stands inside itself' if inside else 'has no anchor'}")
        size = self.sizes[event.anchor]
        self.aliased += size
        if self.aliased > MOST_ALIASED:
            self._refuse(
                event, f"alias *{event.anchor}: the aliases so far stand for more than {MOST_ALIASED:,} values"
            )
        return size

    def _scalar(self, event: "yaml.ScalarEvent") -> tuple[object, str]:
        import yaml

        self._require_known_tag(event, event.tag)
        loader, tag = self.loader, event.tag
        if tag in (None, "!"):
            tag = loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        if tag == f"{CORE}str" or (tag == MERGE and self.open and self.open[-1].at_key):
            return event.value, event.value
        if tag not in TAGS:
            self._refuse(event, f"{_shown(event.value)} means {tag.removeprefix(CORE)!r}. Remedy: put it into quotes")
        try:
            return loader.yaml_constructors[tag](loader, yaml.ScalarNode(tag, event.value)), event.value
        except (ValueError, KeyError) as error:
            self._refuse(event, f"{_shown(event.value)} is no {tag.removeprefix(CORE)}: {_shown(str(error))}")

    def _require_known_tag(self, event: "yaml.Event", tag: str | None) -> None:
        if tag not in (None, "!") and tag not in TAGS:
            self._refuse(
                event,
                f"unknown tag {_shown(tag)}. Remedy: take it away; values are text, numbers, booleans, lists, mappings",
            )

    def _refuse(self, event: "yaml.Event", reason: str) -> NoReturn:
        raise SpecError(f"{self.path}:{_line(event)}: {reason}")


@dataclass(frozen=True)
class _Scalar:
    value: object
    text: str


def _line(event: "yaml.Event") -> int:
    return event.start_mark.line + 1


def _shown(text: str | None) -> str:
    text = text or ""
    return repr(text if len(text) <= 60 else f"{text[:60]}…")
