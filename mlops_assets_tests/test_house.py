"""The rules of the house: who may import what, and how large a room may grow."""

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from mlops_assets.declaration.reading import SHIPPED, declared_systems, read_declaration
from mlops_assets.preflight import check_code

PACKAGE = Path(__file__).parents[1] / "mlops_assets"
LINE = ("dataset", "features", "model", "evaluation", "registry", "serving", "monitoring")
"""The stages, in the order in which data walks them."""
AROUND = ("audit", "card", "drafting", "automation", "webserver", "cli")
"""Rooms that look at the line; no stage looks at them."""
MAY_IMPORT_DAGSTER = ("automation", "resources")
MAY_IMPORT_DAGSTER_FILES = ("asset.py", "component.py", "system.py", "definitions.py")
MAY_IMPORT_DAGSTER_FACES = ("webserver/face.py",)
UNSAFE = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
MOST_MODULES, MOST_AT_THE_TOP, MOST_LINES = 25, 10, 250
WRITERS = {"append_once", "deliver", "log_artifact", "set_tag", "write_text", "write_bytes", "point", "register"}
"""Methods by which something of ours comes to be stored, beside ``append`` of records and ledger."""
STORES = {"records", "ledger"}
VAGUE = {"told", "found", "one", "wanted", "strays", "reigns", "guilty"}
"""Words that say how a thing came about; a name says what the thing is."""
READS_OLD_WORDS = {"storage/details_format.py"}
"""Modules that read what earlier releases wrote, in their words."""


@dataclass(frozen=True)
class Module:
    """One file of the package, parsed once."""

    name: str
    path: Path
    tree: ast.Module
    lines: int

    @property
    def room(self) -> str:
        return self.path.relative_to(PACKAGE).parts[0]

    @property
    def imported(self) -> list[str]:
        """Every module it names in an import, under TYPE_CHECKING and inside functions too."""
        return list(_imported(self.tree))

    def __str__(self) -> str:
        return str(self.path.relative_to(PACKAGE))


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def modules() -> dict[str, Module]:
    """Every module of the package by dotted name."""
    return {module.name: module for module in map(_parsed, sorted(PACKAGE.rglob("*.py")))}


def _parsed(path: Path) -> Module:
    text = path.read_text(encoding="utf-8")
    name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    return Module(name, path, ast.parse(text), len(text.splitlines()))


@cache
def graph() -> dict[str, set[str]]:
    """Which modules of ours each module imports."""
    known = modules()
    return {name: {one for one in module.imported if one in known and one != name} for name, module in known.items()}


def rooms_imported(module: Module) -> set[str]:
    """The rooms, or files at the top, that ``module`` imports from."""
    return {name.split(".")[1] for name in module.imported if name.startswith("mlops_assets.")}


def offenders(forbidden: dict[Module, set[str]]) -> list[str]:
    return [f"{module}: {', '.join(sorted(names))}" for module, names in forbidden.items() if names]


def circles() -> list[list[str]]:
    """Groups of modules that import one another (Tarjan 1972)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    waiting: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        number[name] = low[name] = len(number)
        waiting.append(name)
        for other in graph()[name]:
            if other not in number:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in waiting:
                low[name] = min(low[name], number[other])
        if low[name] == number[name]:
            at = waiting.index(name)
            if len(waiting) - at > 1:
                found.append(sorted(waiting[at:]))
            del waiting[at:]

    for name in graph():
        if name not in number:
            visit(name)
    return found


def test_no_modules_import_one_another():
    assert circles() == []


def test_metrics_and_comparison_stand_below_every_stage():
    """One model is measured by ``metrics/``, two are compared by ``comparison/``; both know no stage."""
    stages = {*LINE, *AROUND, "resources"}
    below = {"metrics": {*stages, "comparison"}, "comparison": stages}
    assert offenders({m: rooms_imported(m) & below[m.room] for m in modules().values() if m.room in below}) == []


def test_a_stage_imports_only_from_stages_before_it_and_from_no_room_around():
    assert (
        offenders(
            {
                module: rooms_imported(module) & {*LINE[LINE.index(module.room) + 1 :], *AROUND}
                for module in modules().values()
                if module.room in LINE
            }
        )
        == []
    )


def test_audit_writes_nothing():
    audit = [module for module in modules().values() if module.room == "audit"]
    assert offenders({module: set(_writing_calls(module.tree)) for module in audit}) == []


def _writing_calls(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            named = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            if node.func.attr in WRITERS or (node.func.attr == "append" and named in STORES):
                yield f"{named}.{node.func.attr}"


def test_only_the_faces_import_dagster():
    def may(module: Module) -> bool:
        named = module.path.name in MAY_IMPORT_DAGSTER_FILES or str(module) in MAY_IMPORT_DAGSTER_FACES
        return named or module.room in MAY_IMPORT_DAGSTER

    assert (
        offenders(
            {m: {n for n in m.imported if n.split(".")[0] == "dagster"} for m in modules().values() if not may(m)}
        )
        == []
    )


def test_only_the_face_of_serving_imports_dagster_and_nothing_in_the_room_imports_that_face():
    room = [module for module in modules().values() if module.room == "serving" and module.path.name != "asset.py"]
    forbidden = ("dagster", "mlflow", "mlops_assets.serving.asset")
    assert offenders({m: {n for n in m.imported if n.startswith(forbidden)} for m in room}) == []


def test_the_domain_does_not_know_mlflow():
    def may(module: Module) -> bool:
        return module.path.name == "asset.py" or module.room == "resources"

    known = ("mlflow", "dagster_mlflow")
    assert (
        offenders({m: {n for n in m.imported if n.split(".")[0] in known} for m in modules().values() if not may(m)})
        == []
    )


def test_nothing_imports_pickle():
    assert offenders({m: {n for n in m.imported if n.split(".")[0] in UNSAFE} for m in modules().values()}) == []


def test_module_names_say_something():
    assert [str(module) for module in modules().values() if module.path.stem in EMPTY_NAMES] == []


def test_names_and_keys_say_what_a_thing_is():
    looked_at = (module for module in modules().values() if str(module) not in READS_OLD_WORDS)
    assert offenders({module: VAGUE.intersection(_names(module.tree)) for module in looked_at}) == []


def _names(tree: ast.Module) -> Iterator[str]:
    """Every identifier that a module defines or uses, and every string that may be a key."""
    for node in ast.walk(tree):
        for attribute in ("id", "attr", "arg", "name", "value"):
            name = getattr(node, attribute, None)
            if isinstance(name, str):
                yield name.strip("_")


def test_no_class_name_is_in_two_modules():
    homes: dict[str, list[str]] = {}
    for module in modules().values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(str(module))
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


def test_no_room_is_crowded_and_no_module_is_long():
    sizes = Counter(module.path.parent for module in modules().values() if module.path.name != "__init__.py")
    crowded = {str(folder): size for folder, size in sizes.items() if size > MOST_MODULES}
    assert (crowded, sizes[PACKAGE] > MOST_AT_THE_TOP and sizes[PACKAGE]) == ({}, False)
    assert [f"{module}: {module.lines} lines" for module in modules().values() if module.lines > MOST_LINES] == []


@pytest.mark.parametrize("path", list(declared_systems([SHIPPED])), ids=lambda path: path.parent.name)
def test_every_shipped_declaration_names_code_that_exists(path: Path):
    check_code(read_declaration(path))
