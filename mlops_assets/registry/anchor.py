"""Anchors: how far a system's ledger reached, and its hash there, noted in two places outside the ledger."""

import json
from typing import TYPE_CHECKING
from uuid import uuid4

from mlops_assets.errors import StorageError
from mlops_assets.storage import hash_chain
from mlops_assets.storage.object_stores import make_folder

if TYPE_CHECKING:
    from mlops_assets.resources.model_registry import Registry
    from mlops_assets.storage.ledger import Ledger
    from mlops_assets.storage.storage import Storage

Anchors = dict[str, tuple[int, str]]
"""Sequence and hash of an entry, by the place where they are noted."""
REGISTRY, STORAGE = "the registry", "the storage"


def noted(registry: "Registry", storage: "Storage") -> Anchors:
    """What each place says; one that says nothing is left out.

    Raises:
        StorageError: if what lies in the storage is no anchor.
    """
    stored = _stored(storage, registry.system)  # first: it is noted last, so whatever it says the registry says too
    places = {REGISTRY: registry.noted(), STORAGE: stored}
    return {place: anchor for place, anchor in places.items() if anchor is not None}


def note(registry: "Registry", ledger: "Ledger", storage: "Storage") -> None:
    """Write the head of the ledger down in both places."""
    head = ledger.head(registry.system)
    known = noted(registry, storage)
    if known.get(REGISTRY) != head:
        registry.note(*head)
    if known.get(STORAGE) != head:
        _store(storage, registry.system, head)


def require_continued(registry: "Registry", ledger: "Ledger", storage: "Storage") -> None:
    """Refuse to go on from a ledger that is not the one whose head was noted.

    Raises:
        StorageError: if an entry was changed, taken off the end or written anew, if the ledger or an anchor is gone,
            or if a record is not what was sealed, until a person accepts it as it is.
    """
    if fault := fault_of(registry, ledger, storage):
        raise StorageError(
            f"The ledger of {registry.system} is not the one that was noted: {fault}. Nothing is registered, promoted "
            "or rolled back on it. Remedy: restore database, MLflow and storage of one moment from their backups; or, "
            f"once it is known what happened: mlops ledger accept {registry.system} --reason …"
        )


def fault_of(registry: "Registry", ledger: "Ledger", storage: "Storage") -> str:
    """What is wrong with the ledger, its anchors, both together, or the records that it seals; empty if nothing is."""
    system, anchors = registry.system, noted(registry, storage)
    chain = hash_chain.verify(system, ledger.chain(system), anchors)
    if chain.broken:
        return chain.broken
    if STORAGE in anchors and REGISTRY not in anchors:
        return f"the registry has lost its note of entry {anchors[STORAGE][0]}"
    if chain.decisions == 0 and (champion := registry.champion()) is not None:
        return f"it is empty, yet MLflow has version {champion} as champion"
    return storage.records.fault(system)


def fault_without_registry(ledger: "Ledger", storage: "Storage", system: str) -> str:
    """As ``fault_of``, by what the storage noted alone: what can be seen where MLflow is not asked."""
    stored = _stored(storage, system)
    chain = hash_chain.verify(system, ledger.chain(system), {STORAGE: stored} if stored else {})
    return chain.broken or storage.records.fault(system)


def _stored(storage: "Storage", system: str) -> tuple[int, str] | None:
    path = storage.anchor(system)
    try:
        body = json.loads(storage.filesystem.cat_file(path))
        return int(body["sequence"]), str(body["hash"])
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise StorageError(f"{path} is no anchor of a ledger: {error}. Remedy: restore it from a backup") from error


def _store(storage: "Storage", system: str, head: tuple[int, str]) -> None:
    files, path = storage.filesystem, storage.anchor(system)
    make_folder(files, path.rpartition("/")[0])
    written = f"{path}.{uuid4().hex}"  # no other writer's
    files.pipe_file(written, json.dumps({"sequence": head[0], "hash": head[1]}).encode())
    files.mv(written, path)
