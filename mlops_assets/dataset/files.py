"""Files: the few things this stage asks of an fsspec filesystem, typed."""

import hashlib
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

BLOCK = 1 << 20
"""Bytes read at a time."""


def is_local(fs: "AbstractFileSystem") -> bool:
    """Whether paths of ``fs`` are paths of this machine, which libraries can open on their own."""
    return "file" in (fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,))


def root_of(fs: "AbstractFileSystem", url: str) -> str:
    """The path that ``fs`` knows ``url`` by."""
    return str(fs._strip_protocol(url))


def open_bytes(fs: "AbstractFileSystem", path: str) -> BinaryIO:
    """The file, open for reading."""
    return cast(BinaryIO, fs.open(path, "rb"))


def create_bytes(fs: "AbstractFileSystem", path: str) -> BinaryIO:
    """A new file, open for writing."""
    return cast(BinaryIO, fs.open(path, "wb"))


def read_bytes(fs: "AbstractFileSystem", path: str) -> bytes:
    """All of a small file."""
    return cast(bytes, fs.cat_file(path))


def content_digest(fs: "AbstractFileSystem", path: str) -> str:
    """SHA-256 of the file's bytes."""
    digest = hashlib.sha256()
    with open_bytes(fs, path) as handle:
        while block := handle.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
