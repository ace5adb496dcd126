"""The finder of sealed modules: an owner's module is imported from the seal or not at all."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path

from mlops_assets.declaration.owner_code import PLATFORM, SHIPPED, places_of


class SealedFinder(MetaPathFinder):
    """Stands before every other finder, and refuses what they would find among an owner's files."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._files = {_module_of(name): folder / name for name in names}
        above = {".".join(module.split(".")[:end]) for module in self._files for end in range(1, module.count(".") + 1)}
        self._folders = {name for name in above - self._files.keys() if not f"{SHIPPED}.".startswith(f"{name}.")}
        self._asking = False

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """The sealed module; None for the platform's and libraries'.

        Raises:
            ImportError: if it is an owner's and not sealed.
        """
        if fullname in self._files:
            file = self._files[fullname]
            inside = [] if file.name.startswith("__init__.") else None
            return spec_from_file_location(fullname, file, submodule_search_locations=inside)
        if fullname in self._folders:
            return ModuleSpec(fullname, None, is_package=True)
        if not self._asking and self._is_owners(fullname):
            raise ImportError(f"{fullname!r} is not among the sealed files", name=fullname)
        return None

    def _is_owners(self, name: str) -> bool:
        top = name.partition(".")[0]
        if top == PLATFORM and not name.startswith(SHIPPED):
            return False
        if top != PLATFORM and top in sys.modules:
            return False  # a library's or Python's own: an owner's would be among the sealed
        self._asking = True  # the other finders are asked, which this one is among
        try:
            places = places_of(name)
        finally:
            self._asking = False
        return bool(places) and places[-1].is_owners


def _module_of(name: str) -> str:
    """``mypackage.cleaning`` of ``mypackage/cleaning.py``; of ``…/__init__.py`` its package."""
    *folders, file = name.split("/")
    stem = file.partition(".")[0]
    return ".".join(folders if stem == "__init__" else [*folders, stem])
