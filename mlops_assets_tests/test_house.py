"""The rules of the house: who may import what."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_assets.declaration import SHIPPED, declared_systems, read_declaration
from mlops_assets.preflight import check_code

PACKAGE = Path(__file__).parents[1] / "mlops_assets"
LINE = ["dataset", "features", "model", "evaluation", "registry", "audit", "card"]
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))
MAY_IMPORT_DAGSTER = ("automation", "resources")
MAY_IMPORT_DAGSTER_FILES = ("asset.py", "component.py", "system.py", "definitions.py")
UNSAFE = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_stage_imports_only_from_stages_before_it(path: Path):
    stage = path.relative_to(PACKAGE).parts[0]
    if stage not in LINE:
        return
    later = {f"mlops_assets.{name}" for name in LINE[LINE.index(stage) + 1 :]}
    assert not [module for module in imports(path) if ".".join(module.split(".")[:2]) in later]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_the_faces_import_dagster(path: Path):
    if path.name in MAY_IMPORT_DAGSTER_FILES or path.relative_to(PACKAGE).parts[0] in MAY_IMPORT_DAGSTER:
        return
    assert not [module for module in imports(path) if module.split(".")[0] == "dagster"]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_the_domain_does_not_know_mlflow(path: Path):
    if path.name == "asset.py" or path.relative_to(PACKAGE).parts[0] == "resources":
        return
    assert not [module for module in imports(path) if module.split(".")[0] in ("mlflow", "dagster_mlflow")]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_imports_pickle(path: Path):
    assert not [module for module in imports(path) if module.split(".")[0] in UNSAFE]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module_names_say_something(path: Path):
    assert path.stem not in {"utils", "util", "helpers", "helper", "common", "misc", "manager"}


@pytest.mark.parametrize("path", list(declared_systems([SHIPPED])), ids=lambda path: path.parent.name)
def test_every_shipped_declaration_names_code_that_exists(path: Path):
    check_code(read_declaration(path))
