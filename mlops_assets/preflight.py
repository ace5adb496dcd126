"""Preflight: what loading leaves unimported is imported and checked at the very start of a run."""

from mlops_assets.declaration.base import load_object
from mlops_assets.declaration.spec import SystemSpec


def check_code(spec: SystemSpec) -> None:
    """Import every function and estimator that the declaration points at and check its parameters.

    Raises:
        SpecError: naming the system, the key and the offending value.
        MissingExtra: if an optional library is missing.
    """
    from mlops_assets.model.estimator import check_estimator

    for key, path in (("dataset.sample", spec.dataset.sample), ("features.engineer", spec.features.engineer)):
        if path is not None:
            load_object(path, requested_by=f"{spec.name}: {key}")
    check_estimator(spec)


def declaration_digest(spec: SystemSpec) -> str:
    """Digest of everything that decides what a run of ``spec`` makes from one dataset version."""
    import hashlib

    from mlops_assets.model.environment import code_version

    parts = spec.digest("dataset", "features", "model", "evaluation", "registry")
    return hashlib.sha256(f"{parts}:{code_version(spec)}:{spec.environment}".encode()).hexdigest()
