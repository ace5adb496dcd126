"""Signature: who vouches for a registered version's files, by OpenSSF Model Signing with an elliptic key."""

import shutil
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from mlops_assets.errors import MissingExtra, StorageError, TrackingError
from mlops_assets.model.prediction_intervals import FILE as INTERVALS
from mlops_assets.registry.provenance import model_of, require_unchanged
from mlops_assets.registry.version import RegisteredVersion

if TYPE_CHECKING:
    from mlops_assets.registry.session import RegistrySession

SIGNED = ("model.skops", "model.onnx", INTERVALS)
"""Files that serve; each is signed where it is there, and no other may be."""
PLACE = "signatures"
"""Folder of the signatures among the artefacts of the training run."""


def sign(session: "RegistrySession", version: RegisteredVersion, key: Path) -> str:
    """Sign the files of ``version`` with the private ``key`` (PEM, elliptic curve) and return where the signature lies.

    Raises:
        MissingExtra: without model-signing.
        StorageError: if the key cannot be used, or artefact or report are not what was registered.
    """
    signing = _library("signing")
    require_unchanged(session, version)
    files, signature = _files(session, version), session.new_folder() / _name(version)
    try:
        signing.Config().use_elliptic_key_signer(private_key=key).sign(files, signature)
    except (ValueError, OSError) as error:
        raise StorageError(f"{str(key)!r} does not sign: {error}. Remedy: a private elliptic key as PEM") from error
    run = model_of(session.storage, version).mlflow_run_id
    session.tracking.client.log_artifact(run, str(signature), PLACE)
    return f"runs:/{run}/{PLACE}/{signature.name}"


def verify_signature(session: "RegistrySession", version: RegisteredVersion, public_key: Path) -> str:
    """Say that the signature of ``version`` is that of the owner of ``public_key`` (PEM), over its files as they are.

    Raises:
        MissingExtra: without model-signing.
        StorageError: if there is no signature, or it is another's or of other files.
    """
    verifying = _library("verifying")
    run = model_of(session.storage, version).mlflow_run_id
    try:
        signature = session.fetch(f"runs:/{run}/{PLACE}/{_name(version)}")
    except TrackingError as error:
        raise StorageError(
            f"{version.name} is not signed. Remedy: mlops sign {version.system} {version.version} --key KEY"
        ) from error
    files = _files(session, version)
    try:
        verifying.Config().use_elliptic_key_verifier(public_key=public_key).verify(files, signature)
    except (ValueError, OSError) as error:
        raise StorageError(
            f"the signature of {version.name} does not hold under {str(public_key)!r}: {error}. "
            "Remedy: restore the files or the key, or choose another version"
        ) from error
    return f"signed by the owner of {public_key.name}"


def _files(session: "RegistrySession", version: RegisteredVersion) -> Path:
    """A folder with just the signed files, as the registry has them now."""
    fetched, chosen = session.fetch_version(version.version), session.new_folder()
    for name in SIGNED:
        if (fetched / name).exists():
            shutil.copy(fetched / name, chosen / name)
    return chosen


def _name(version: RegisteredVersion) -> str:
    return f"version_{version.version}.sig"


def _library(part: str) -> ModuleType:
    from importlib import import_module

    try:
        return import_module(f"model_signing.{part}")
    except ImportError as error:
        raise MissingExtra("model_signing", "signing") from error
