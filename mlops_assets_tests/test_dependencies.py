"""What the package asks for is what it imports."""

import sys
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mlops_assets_tests.conftest import REPOSITORY
from mlops_assets_tests.test_house import modules

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
FOR_SYSTEMS = {"torch"}
"""Asked for because systems may have a model of it; the platform imports none."""
PARTS = {"dagster_shared": "dagster", "pydantic_core": "pydantic"}
"""Packages that come with another one, under one version."""
TYPES_ONLY = {"_typeshed"}


def imported() -> set[str]:
    return {name.split(".")[0] for module in modules().values() for name in module.imported}


def packages_of(requirements: Iterable[str]) -> dict[str, set[str]]:
    """Top-level packages by distribution."""
    by_distribution: dict[str, set[str]] = {canonicalize_name(Requirement(text).name): set() for text in requirements}
    for package, names in _distributions().items():
        for name in map(canonicalize_name, names):
            if name in by_distribution:
                by_distribution[name].add(package)
    return by_distribution


@cache
def _distributions() -> Mapping[str, list[str]]:
    """Distributions by top-level package; finding out takes a second."""
    return metadata.packages_distributions()


def test_every_library_that_is_asked_for_is_imported():
    asked = packages_of(PROJECT["dependencies"])
    assert {name for name, packages in asked.items() if not packages & imported()} == FOR_SYSTEMS


def test_every_library_that_is_imported_is_asked_for():
    extras = (text for extra, texts in PROJECT["optional-dependencies"].items() if extra != "dev" for text in texts)
    asked = packages_of([*PROJECT["dependencies"], *extras])
    known = {*sys.stdlib_module_names, "mlops_assets", *TYPES_ONLY}.union(*asked.values())
    assert {PARTS.get(package, package) for package in imported()} - known == set()
