"""What lies where a landed file should, and is none: FIFOs, devices, links, folders."""

import os
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlops_assets.dataset.files import is_local

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


def kind_of(mode: int) -> str | None:
    """What a file of this mode is, None for a regular one."""
    return None if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "no regular file")


def entries(fs: "AbstractFileSystem", folder: str) -> Iterator[tuple[str, str | None]]:
    """Every name in ``folder``, and what it is where it is no regular file; nothing is opened or followed."""
    if not is_local(fs):
        for entry in fs.ls(folder, detail=True):
            name = entry["name"].rstrip("/").rpartition("/")[2]
            yield name, None if entry["type"] == "file" else "a folder"
        return
    with os.scandir(folder) as listed:
        for entry in listed:
            regular = entry.is_file(follow_symlinks=False)
            yield entry.name, None if regular else kind_of(entry.stat(follow_symlinks=False).st_mode)
