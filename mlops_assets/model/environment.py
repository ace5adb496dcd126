"""Environment: the exact libraries and code that a model was made with."""

import hashlib
import subprocess
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_assets.declaration.owner_code import OwnerCode, owner_code

if TYPE_CHECKING:
    from mlops_assets.declaration.spec import SystemSpec

LOADING = ("numpy", "pandas", "scikit-learn", "scipy", "skops")
"""Distributions that loading and predicting need."""
RESTING_ON = ("numpy", "pandas", "scikit-learn", "scipy")
"""Distributions that the numbers of every model follow from."""


def environment_lock() -> str:
    """Every installed distribution as ``name==version``, one a line, sorted."""
    installed = {(dist.name.lower().replace("_", "-"), dist.version) for dist in metadata.distributions() if dist.name}
    return "\n".join(f"{name}=={version}" for name, version in sorted(installed)) + "\n"


def requirements(estimator: str) -> list[str]:
    """Pinned distributions that serving a model of this estimator's dotted path needs."""
    package = estimator.replace(":", ".").split(".")[0]
    own = [] if package == "sklearn" else metadata.packages_distributions().get(package, [])
    names = sorted({*LOADING, *own})
    return [f"{name}=={metadata.version(name)}" for name in names]


def git_commit(folder: str | Path) -> str:
    """The commit checked out in ``folder``, with ``+dirty`` when files differ from it; '' where there is none.

    A folder that the checkout around it does not hold has none: a package may be installed inside a project.
    """
    commit = _git(folder, "rev-parse", "--verify", "HEAD") if _git(folder, "ls-files") else ""
    return f"{commit}+dirty" if commit and _git(folder, "status", "--porcelain") else commit


def owner_commits(spec: "SystemSpec") -> dict[str, str]:
    """The commits of the declaration, and of each function and class that it names; none of what git does not keep."""
    places = {"declaration": spec.place, **{path: _source(path) for path in _own_code(spec)}}
    commits = {name: _commit_of(path) for name, path in places.items() if path is not None}
    return {name: commit for name, commit in commits.items() if commit}


def _own_code(spec: "SystemSpec") -> list[str]:
    named = (spec.dataset.sample, spec.features.engineer, spec.model.estimator, spec.model.transformer)
    return [path for path in named if path]


def _source(dotted: str) -> Path | None:
    module = find_spec(dotted.replace(":", ".").rpartition(".")[0])
    return Path(module.origin) if module and module.origin else None


def _commit_of(path: Path) -> str:
    """Installed libraries may lie inside a checkout that does not keep them: they are not of its commit."""
    return git_commit(path.parent) if _git(path.parent, "ls-files", "--error-unmatch", path.name) else ""


def own_code(spec: "SystemSpec") -> OwnerCode:
    """The owner's code that a model is made with, and the libraries that its numbers follow from."""
    return owner_code((spec.features.engineer, spec.model.estimator, spec.model.transformer), RESTING_ON)


def code_version(spec: "SystemSpec") -> str:
    """SHA-256 of what decides how a model is made: declaration, owner's code, libraries, release of the platform."""
    positive = repr(spec.evaluation.positive) if spec.model.threshold else ""
    text = f"{spec.digest('dataset', 'features', 'model')} {positive} {release()} {own_code(spec).digest}"
    return hashlib.sha256(text.encode()).hexdigest()


def release() -> str:
    """The release of the platform."""
    return metadata.version("mlops-assets")


def _git(folder: str | Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:  # git itself is not installed: the same as no checkout
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
