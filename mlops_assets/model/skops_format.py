"""The skops format, imported without torch: a process that has no torch model must not pay for the library."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

TORCH_FACE = "sklearn.externals.array_api_compat.torch"
"""scikit-learn's module for torch's arrays, which imports torch."""


def skops_io() -> ModuleType:
    """``skops.io``.

    Importing it asks scikit-learn for all its estimators, which imports every package of scikit-learn but takes no
    estimator from ``sklearn.externals``: without the face for torch, the estimators are the same.
    """
    with _without(TORCH_FACE):
        import skops.io

    return skops.io


@contextmanager
def _without(name: str) -> Iterator[None]:
    """Importing the module ``name`` fails inside, as if it were not installed, unless it is imported already."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # what Python documents for a module that must not be imported
    try:
        yield
    finally:
        if sys.modules.get(name) is None:
            sys.modules.pop(name, None)
