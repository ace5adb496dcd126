"""Seen hashes: which 64-bit hashes earlier rows hold, so that an append never has to read those rows again."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from mlops_assets.dataset.files import is_local, read_bytes, root_of
from mlops_assets.errors import StorageError
from mlops_assets.storage.object_stores import make_folder

if TYPE_CHECKING:
    from mlops_assets.storage.storage import Storage


class HashSegment(BaseModel):
    """One stored file of sorted hashes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    hashes: int


@dataclass(frozen=True, eq=False)
class Seen:
    """A set of hashes as few sorted arrays, each at least twice as long as the next (a log-structured merge)."""

    segments: tuple[np.ndarray, ...] = ()

    def contains(self, hashes: np.ndarray) -> np.ndarray:
        """Mask of the ``hashes`` in the set; costs a binary search per hash and segment."""

        contained = np.zeros(len(hashes), dtype=bool)
        for segment in self.segments:
            places = np.searchsorted(segment, hashes)
            places[places == len(segment)] = 0
            contained |= segment[places] == hashes
        return contained

    def plus(self, hashes: np.ndarray) -> "Seen":
        """The set with ``hashes`` added; the arrays of this one stay as they are."""

        new = distinct(hashes)
        new = new[~self.contains(new)]
        if not len(new):
            return self
        kept = list(self.segments)
        while kept and len(kept[-1]) < 2 * len(new):
            new = np.sort(np.concatenate([kept.pop(), new]), kind="stable")
        return Seen((*kept, new))

    def __len__(self) -> int:
        return sum(map(len, self.segments))


def distinct(hashes: np.ndarray) -> np.ndarray:
    """The sorted distinct hashes; twenty times as fast as numpy's own, which hashes them once more."""

    ordered = np.sort(hashes)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if len(ordered) else ordered


def seen_of(arrays: Iterable[np.ndarray]) -> Seen:
    """The set of every hash in ``arrays``."""
    seen = Seen()
    for hashes in arrays:
        seen = seen.plus(hashes)
    return seen


class SeenFiles:
    """The stored segments of one system; every file is written once, before the commit that names it."""

    def __init__(self, storage: "Storage", system: str) -> None:
        self.fs = storage.filesystem
        self.root = root_of(self.fs, storage.table(system, "seen"))

    def load(self, segments: Iterable[HashSegment]) -> Seen | None:
        """The stored set, or None where a file is gone: it can be made again from the table."""
        try:
            return Seen(tuple(map(self._array, segments)))
        except FileNotFoundError:
            return None

    def save(self, seen: Seen, known: Iterable[HashSegment], stem: str) -> list[HashSegment]:
        """Write the arrays that are not among the ``known`` files, which must be a prefix of the set."""
        segments = list(known)[: self._kept(seen, known)]
        for index, array in enumerate(seen.segments[len(segments) :]):
            segment = HashSegment(name=f"{stem}-{index}.u64", hashes=len(array))
            make_folder(self.fs, self.root)
            self.fs.pipe_file(f"{self.root}/{segment.name}", array.tobytes())
            segments.append(segment)
        return segments

    def _kept(self, seen: Seen, known: Iterable[HashSegment]) -> int:
        """How many leading arrays are the known files: lengths fall, and merging only replaces the tail."""
        kept = 0
        for array, segment in zip(seen.segments, known, strict=False):
            if len(array) != segment.hashes:
                break
            kept += 1
        return kept

    def _array(self, segment: HashSegment) -> np.ndarray:

        path = f"{self.root}/{segment.name}"
        if is_local(self.fs):
            array = np.memmap(path, dtype="<u8", mode="r")
        else:
            array = np.frombuffer(read_bytes(self.fs, path), dtype="<u8")
        if len(array) != segment.hashes:
            raise StorageError(f"{path!r} holds {len(array)} hashes, {segment.hashes} were stored. Remedy: delete it")
        return array
