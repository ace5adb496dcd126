"""The canonical content of a skops file: what equal models have in common.

A skops file is a zip of ``schema.json`` (a tree of states) and one member per array. It carries object ids of the
process that wrote it, member names made of them, and random names. The digest here is that of the tree with each
member replaced by its content and the ids left out, so two processes that fit the same model get the same digest.
"""

import hashlib
import io
import json
import zlib
from collections.abc import Iterator
from zipfile import BadZipFile, ZipFile

from mlops_assets.errors import StorageError

DAMAGE = (BadZipFile, EOFError, KeyError, MemoryError, OSError, RuntimeError, TypeError, ValueError, zlib.error)
"""What reading a torn or foreign zip, its JSON or its arrays may raise."""


def content_digest(data: bytes) -> str:
    """SHA-256 of what ``skops.io.loads`` would make of ``data``.

    Raises:
        StorageError: if ``data`` is not a skops file.
    """
    try:
        with ZipFile(io.BytesIO(data)) as archive:
            return _Content(archive).digest()
    except DAMAGE as error:
        raise StorageError(f"The artefact is not a skops file: {type(error).__name__}: {error}") from error


class _Content:
    """One open skops file."""

    def __init__(self, archive: ZipFile) -> None:
        self.archive = archive
        self.seen: dict[object, str] = {}
        self.members: dict[str, str] = {}

    def digest(self) -> str:
        tree = self._value(json.loads(self.archive.read("schema.json")))
        loose = sorted(set(self.archive.namelist()) - {"schema.json", *self.members})
        return _sha256([tree, *(f"{name}={self._member(name)}" for name in loose)])

    def _value(self, value: object) -> str:
        if isinstance(value, dict):
            return self._node(value) if isinstance(value.get("__loader__"), str) else self._mapping(value)
        if isinstance(value, list):
            return _sha256(["list", *map(self._value, value)])
        return json.dumps(value)

    def _mapping(self, value: dict[str, object]) -> str:
        return _sha256(["dict", *(f"{json.dumps(key)}:{self._value(item)}" for key, item in value.items())])

    def _node(self, state: dict[str, object]) -> str:
        """Digest of one state. Loading reads only the first state of an id, so all of one id must be equal."""
        digest = _sha256(["node", *self._parts(state)])
        key = state.get("__id__")
        if key is not None and self.seen.setdefault(key, digest) != digest:
            raise StorageError(f"The artefact is not a skops file: two different states have the id {key!r}")
        return digest

    def _parts(self, state: dict[str, object]) -> Iterator[str]:
        unordered = state["__loader__"] == "SetNode"
        for key in sorted(state.keys() - {"__id__"}):
            value = state[key]
            if key == "file" and isinstance(value, str):
                yield f"file:{self._member(value)}"
            elif key == "content" and unordered and isinstance(value, list):
                yield _sha256(["set", *sorted(map(self._value, value))])
            else:
                yield f"{key}:{self._value(value)}"

    def _member(self, name: str) -> str:
        if name not in self.members:
            data = self.archive.read(name)
            self.members[name] = _array_digest(data) if name.endswith(".npy") else hashlib.sha256(data).hexdigest()
        return self.members[name]


def _array_digest(data: bytes) -> str:
    """Digest of a stored array; of a table of records only the fields, for the gaps between them hold chance bytes."""
    import numpy as np

    array = np.load(io.BytesIO(data), allow_pickle=False)
    if array.dtype.names is None:
        return hashlib.sha256(data).hexdigest()
    head = [repr(array.dtype.descr), repr(array.shape)]
    return _sha256([*head, *(hashlib.sha256(array[name].tobytes()).hexdigest() for name in array.dtype.names)])


def _sha256(parts: list[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
