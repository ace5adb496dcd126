"""Engineering code: what a system's own function from raw rows to features consists of; it is read, not imported."""

from mlops_assets.declaration.base import load_object
from mlops_assets.declaration.owner_code import module_of, owner_code, places_of
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import SpecError

RESTING_ON = ("numpy", "pandas")
"""Distributions that every function is handed its rows by."""


def engineering_digest(spec: SystemSpec) -> str:
    """SHA-256 of the function's code and libraries, so that a change is a new version; empty without a function.

    The code is every file of the owner's that the function's module reaches by import, to the byte.
    """
    path = spec.features.engineer
    if path is None:
        return ""
    places = places_of(module_of(path))
    if not places or places[-1].module != module_of(path):
        load_object(path, "features.engineer")  # says why it does not import
    if not places or places[-1].origin is None:
        raise SpecError(
            f"features.engineer {path!r} has no source file. Remedy: name a function written in a Python file."
        )
    return owner_code([path], RESTING_ON).digest
