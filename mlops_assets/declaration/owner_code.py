"""Owner's code: every file of theirs that a dotted path reaches by import, and the libraries that they rest on.

Files are found by reading imports, never by running them: also those inside functions and under conditions. What code
imports by a name that it makes up, and files that it opens as data, cannot be seen.
"""

import ast
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import metadata
from itertools import accumulate
from pathlib import Path
from pkgutil import get_importer
from sysconfig import get_paths

PLATFORM, SHIPPED = "mlops_assets", "mlops_assets.defs."
"""The platform's own modules count by their release; the systems that ship with it are owners' code."""
INSTALLED = {"site-packages", "dist-packages"}
DISTRIBUTIONS = {"numpy": ["numpy"], "pandas": ["pandas"], "scipy": ["scipy"], "sklearn": ["scikit-learn"]}
"""Those that most code imports: to look any other up takes a tenth of a second."""


@dataclass(frozen=True, eq=False)
class OwnerCode:
    """What code named by dotted paths consists of."""

    files: dict[str, Path]
    """By the place that their modules have, such as ``mypackage/cleaning.py``."""
    libraries: list[str]
    """``name==version`` of what they import and of all that it requires; first the Python."""

    @cached_property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of every file."""
        return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in self.files.items()}

    @property
    def digest(self) -> str:
        """SHA-256 of every byte of the files and every version of the libraries."""
        return hashlib.sha256(json.dumps([self.hashes, self.libraries], sort_keys=True).encode()).hexdigest()


def owner_code(paths: Iterable[str | None], resting_on: Iterable[str] = ()) -> OwnerCode:
    """The code behind ``paths`` (``package.module:object``; None is left out).

    ``resting_on`` names distributions that results follow from beside those that the code imports.
    """
    files, imported = _reached(module_of(path) for path in paths if path)
    return OwnerCode(files, versions_of((*resting_on, *_distributions(imported))))


def own_hashes(paths: Iterable[str | None]) -> dict[str, str]:
    """SHA-256 of the files alone, without asking for any library's version."""
    return OwnerCode(_reached(module_of(path) for path in paths if path)[0], []).hashes


def module_of(path: str) -> str:
    """The module that a dotted path names something of."""
    return path.replace(":", ".").rpartition(".")[0]


def versions_of(names: Iterable[str]) -> list[str]:
    """``name==version`` of this Python, and of the distributions with everything that they require."""
    return [f"python=={sys.version_info.major}.{sys.version_info.minor}", *pinned(tuple(names))]


@cache
def pinned(names: tuple[str, ...]) -> list[str]:
    """``name==version`` of the installed ones among distributions, and of everything that they require."""
    waiting, versions = list(names), dict[str, str]()
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in versions or name == PLATFORM.replace("_", "-"):
            continue
        try:
            distribution = metadata.distribution(name)
        except (metadata.PackageNotFoundError, ValueError):  # not installed, or a requirement without a name
            continue
        versions[name] = distribution.version
        waiting += [_required(text) for text in distribution.requires or () if not re.search(r"extra\s*==", text)]
    return [f"{name}=={version}" for name, version in sorted(versions.items())]


@dataclass(frozen=True)
class Place:
    """Where a module would be imported from."""

    module: str
    origin: str | None
    """Its file; None for a folder without ``__init__.py`` and for what is part of Python."""
    folders: tuple[str, ...] = ()
    """Where the modules below it lie; none where it is no package."""

    @property
    def is_owners(self) -> bool:
        if self.module.partition(".")[0] == PLATFORM:
            return self.module.startswith(SHIPPED)
        return self.origin is not None and not self.is_library and not self._is_standard

    @property
    def is_library(self) -> bool:
        return self.origin is not None and not INSTALLED.isdisjoint(Path(self.origin).parts)

    @property
    def name(self) -> str:
        """The file's place among the modules."""
        file = Path(self.origin or "")
        parts = self.module.split(".")
        if self.folders:
            return "/".join([*parts, file.name])
        return "/".join([*parts[:-1], file.name])

    @property
    def _is_standard(self) -> bool:
        paths = get_paths()
        return any(Path(self.origin or "").is_relative_to(paths[key]) for key in ("stdlib", "platstdlib"))


def places_of(module: str) -> list[Place]:
    """Each package on the way to ``module`` and the module itself, as far as they exist; nothing is imported."""
    places: list[Place] = []
    for name in accumulate(module.split("."), "{}.{}".format):
        place = _below(name, places[-1].folders) if places else _top(name)
        if place is None:
            break
        places.append(place)
    return places


def _reached(modules: Iterable[str]) -> tuple[dict[str, Path], set[str]]:
    """Owner's files by place, and the first names of the libraries that they import."""
    files: dict[str, Path] = {}
    imported: set[str] = set()
    waiting, seen = list(modules), set[str]()
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        for place in places_of(module):
            if place.is_library or place.module == PLATFORM:
                imported.add(place.module.partition(".")[0])
            if place.is_library:
                break
            if place.is_owners and place.origin and place.name not in files:
                files[place.name] = Path(place.origin)
                waiting += _imports(place)
    return dict(sorted(files.items())), imported


def _imports(place: Place) -> Iterator[str]:
    """Every module that the file may import, by full name; some of them may be no modules but names in one."""
    tree = _tree(place)
    if tree is None:
        return
    package = place.module if place.folders else place.module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from _from(node, package)


def _tree(place: Place) -> ast.Module | None:
    """The parsed file; None where it is not Python that parses, which the import itself will tell."""
    file = Path(place.origin or "")
    if file.suffix != ".py":
        return None
    try:
        return ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return None


def _from(node: ast.ImportFrom, package: str) -> Iterator[str]:
    above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
    base = ".".join([*above, *([node.module] if node.module else [])])
    if not base:
        return
    yield base
    for alias in node.names:
        names = _public(base) if alias.name == "*" else [alias.name]
        yield from (f"{base}.{name}" for name in names)


def _public(package: str) -> list[str]:
    """The names in ``__all__`` of a package, which a star import imports where they are modules."""
    tree = next((_tree(place) for place in places_of(package) if place.module == package and place.is_owners), None)
    listed = [node.value for node in ast.walk(tree) if isinstance(node, ast.Assign) and _is_all(node)] if tree else []
    texts = [each.value for value in listed for each in ast.walk(value) if isinstance(each, ast.Constant)]
    return [text for text in texts if isinstance(text, str)]


def _is_all(node: ast.Assign) -> bool:
    return any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets)


def _top(name: str) -> Place | None:
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        spec = find(name, None) if find else None
        if spec is not None:
            return _place(name, spec.origin if spec.has_location else None, spec.submodule_search_locations)
    return None


def _below(name: str, folders: Iterable[str]) -> Place | None:
    """A module of a package; asking Python's own finders would need the package imported."""
    loose: list[str] = []
    for folder in folders:
        finder = get_importer(folder)
        find = getattr(finder, "find_spec", None)
        spec = find(name) if find else None
        if spec is not None and spec.loader is not None:
            return _place(name, spec.origin, spec.submodule_search_locations)
        loose += (spec.submodule_search_locations or ()) if spec is not None else ()
    return _place(name, None, loose) if loose else None


def _place(name: str, origin: str | None, folders: Iterable[str] | None) -> Place:
    return Place(name, origin, tuple(map(str, folders or ())))


def _distributions(imported: set[str]) -> list[str]:
    installed = DISTRIBUTIONS if DISTRIBUTIONS.keys() >= set(imported) else _installed()
    return [distribution for name in sorted(imported) for distribution in installed.get(name, [])]


@cache
def _installed() -> dict[str, list[str]]:
    """Distributions by the packages that they install; asked for once, it takes a tenth of a second."""
    return {name: list(names) for name, names in metadata.packages_distributions().items()}


def _required(text: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", text.strip(), maxsplit=1)[0]
