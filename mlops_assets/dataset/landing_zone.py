"""The landing zone: one system's folder of immutable files named by their content, with receipts of how they came."""

import hashlib
import json
import os
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

from mlops_assets.dataset.files import BLOCK, content_digest, create_bytes, read_bytes, root_of
from mlops_assets.dataset.irregular import entries
from mlops_assets.dataset.version import BatchOutcome, Reopening
from mlops_assets.errors import LandingError
from mlops_assets.storage.landing_limits import set_limit
from mlops_assets.storage.object_stores import make_folder

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

    from mlops_assets.storage.storage import Storage

Progress = Callable[[int, int | None], None]
"""Called with the bytes copied so far and the total, where it is known."""

SETTLED_SECONDS = 2.0
"""A file dropped into the zone counts once it has not changed for this long."""

_CONTENT_NAME = re.compile(r"^([0-9a-f]{64})(\.[a-z0-9]+){0,2}$")
_SUFFIXES = re.compile(r"(\.[A-Za-z0-9]{1,8})?(\.(gz|zst|zstd))$|\.[A-Za-z0-9]{1,8}$", re.IGNORECASE)
_UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".swp", "~")


@dataclass(frozen=True)
class Landed:
    """One immutable batch file of the landing zone."""

    batch: str
    """SHA-256 of the file's bytes as they were given."""
    file: str
    """Name in the zone."""
    original: str
    """Name under which the file was brought in."""
    landed_at: datetime
    bytes: int
    new: bool = False
    """False when the same bytes had landed before."""
    note: str = ""
    """What became of the same bytes when they landed before."""


class Zone:
    """The folder of one system: content-named files, and receipts that keep original name and landing time."""

    def __init__(self, storage: "Storage", system: str) -> None:
        self.storage, self.system = storage, system
        self.fs: AbstractFileSystem = storage.filesystem
        self.root: str = root_of(self.fs, storage.landing(system))

    def path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def receive(
        self, source: BinaryIO, original: str, size: int | None, on_progress: Progress | None, anew: bool = False
    ) -> Landed:
        make_folder(self.fs, self.path("_receipts"))
        temporary = self.path(f".landing-{uuid.uuid4().hex}.tmp")
        try:
            batch, length = self._copy(source, temporary, size, on_progress)
            known = self._known(batch, original)
            if known is None:
                landed = Landed(batch, batch + _suffix(original), _shown(original), datetime.now(UTC), length, new=True)
                self._publish(temporary, landed)
                return landed
            if anew:
                self.fs.mv(temporary, self.path(known.file))
        finally:
            if self.fs.exists(temporary):
                self.fs.rm_file(temporary)
        return replace(known, note=self._note(known))

    def waiting(self) -> list[str]:
        decided = self.decided()
        return sorted(name for name in self._names() if _batch_of(name) not in decided and self._settled(name))

    def decided(self) -> set[str]:
        return self.storage.records.digests(BatchOutcome, self.system) - self._reopened()

    def _reopened(self) -> set[str]:
        records = self.storage.records
        marked = records.digests(Reopening, self.system)
        newest = {batch: records.find(BatchOutcome, self.system, batch) for batch in marked}
        return {batch for batch, outcome in newest.items() if outcome and outcome.outcome == "reopened"}

    def describe(self, name: str) -> Landed | None:
        """The batch called ``name``, None where another ingestion has just renamed it.

        A missing receipt is made up from the file itself.
        """
        try:
            batch = _batch_of(name) or content_digest(self.fs, self.path(name))
            size, modified = self.fs.size(self.path(name)), self.fs.modified(self.path(name))
        except FileNotFoundError:
            return None
        receipt = self._receipt(batch)
        if receipt is not None and receipt.file == name:
            return receipt
        return Landed(batch, name, _shown(name), min(modified, datetime.now(UTC)), size or 0)

    def has_receipt(self, name: str) -> bool:
        batch = _batch_of(name)
        receipt = self._receipt(batch) if batch else None
        return receipt is not None and receipt.file == name

    def adopt(self, name: str) -> Landed | None:
        """Name a dropped file by its content; None where another ingestion was faster."""
        try:
            return self._adopted(name)
        except FileNotFoundError:
            return None

    def _adopted(self, name: str) -> Landed:
        batch = content_digest(self.fs, self.path(name))
        known = self._known(batch, name)
        if known is not None and known.file != name:
            self.fs.rm_file(self.path(name))
            return known
        size, modified = self.fs.size(self.path(name)), self.fs.modified(self.path(name))
        file = name if _batch_of(name) == batch else batch + _suffix(name)
        landed = Landed(batch, file, _shown(name), min(modified, datetime.now(UTC)), size or 0)
        self._publish(self.path(name), landed)
        return landed

    def _names(self) -> list[str]:
        return [name for name, irregular in self._entries() if irregular is None]

    def refused(self) -> dict[str, str]:
        """What lies in the zone and is never taken in, by name: why."""
        return {_shown(name): f"{what}, not a file" for name, what in self._entries() if what is not None}

    def _entries(self) -> list[tuple[str, str | None]]:
        self.fs.invalidate_cache(self.root)
        if not self.fs.exists(self.root):
            return []
        return [
            (name, what)
            for name, what in entries(self.fs, self.root)
            if not name.startswith((".", "_")) and not name.endswith(_UNFINISHED)
        ]

    def _settled(self, name: str) -> bool:
        """Whether a dropped file is complete; content-named files always are."""
        if _batch_of(name):
            return True
        try:
            age = (datetime.now(UTC) - self.fs.modified(self.path(name))).total_seconds()
            if age < -SETTLED_SECONDS:  # a time to come, by another clock: the change of the entry itself is ours
                age = datetime.now(UTC).timestamp() - self.fs.info(self.path(name)).get("created", 0)
            return age >= SETTLED_SECONDS
        except FileNotFoundError:  # another ingestion has just adopted it
            return False

    def _copy(self, source: BinaryIO, target: str, size: int | None, on_progress: Progress | None) -> tuple[str, int]:
        digest, done = hashlib.sha256(), 0
        with create_bytes(self.fs, target) as out:
            while block := source.read(BLOCK):
                out.write(block)
                digest.update(block)
                done += len(block)
                if done > self.storage.limits.bytes:
                    remedy = set_limit("bytes", max(size or 0, 2 * done))
                    raise LandingError(f"The file has more than {self.storage.limits.bytes:,} bytes. {remedy}")
                if on_progress is not None:
                    on_progress(done, size)
            _to_disk(out)
        return digest.hexdigest(), done

    def _publish(self, path: str, landed: Landed) -> None:
        """Receipt first, then the name that makes the batch visible."""
        self._write_receipt(landed)
        if path != self.path(landed.file):
            self.fs.mv(path, self.path(landed.file))

    def _write_receipt(self, landed: Landed) -> None:
        receipt = {
            "file": landed.file,
            "original": landed.original,
            "landed_at": landed.landed_at.isoformat(),
            "bytes": landed.bytes,
        }
        make_folder(self.fs, self.path("_receipts"))
        temporary = self.path(f"_receipts/.{uuid.uuid4().hex}.tmp")
        self.fs.pipe_file(temporary, json.dumps(receipt).encode())
        self.fs.mv(temporary, self.path(f"_receipts/{landed.batch}.json"))

    def _receipt(self, batch: str) -> Landed | None:
        try:
            body = json.loads(read_bytes(self.fs, self.path(f"_receipts/{batch}.json")))
            return Landed(
                batch, body["file"], body["original"], datetime.fromisoformat(body["landed_at"]), body["bytes"]
            )
        except (FileNotFoundError, ValueError, KeyError, TypeError):  # a damaged receipt is a lost one
            return None

    def _known(self, batch: str, original: str) -> Landed | None:
        """The batch with these bytes, if its file lies in the zone."""
        receipt = self._receipt(batch)
        if receipt is not None and self.fs.exists(self.path(receipt.file)):
            return receipt
        name = batch + _suffix(original)
        return self.describe(name) if self.fs.exists(self.path(name)) else None

    def _note(self, landed: Landed) -> str:
        outcome = self.storage.records.find(BatchOutcome, self.system, landed.batch)
        landed_on = f"the same bytes landed as {landed.original!r} on {landed.landed_at:%Y-%m-%d %H:%M} UTC"
        if outcome is None:
            return f"{landed_on} and wait for ingestion"
        if outcome.outcome == "accepted":
            return f"{landed_on} and are in the dataset"
        if outcome.outcome == "reopened":
            return f"{landed_on} and are read again by the next ingestion"
        stays = " and stay out" if outcome.outcome == "retracted" else ""
        return f"{landed_on} and were {outcome.outcome}{stays}: {outcome.reason}"


def _batch_of(name: str) -> str | None:
    match = _CONTENT_NAME.match(name)
    return match.group(1) if match else None


def _shown(name: str) -> str:
    """A name as text: a file system may hold bytes that are none."""
    return name.encode(errors="backslashreplace").decode()


def _suffix(name: str) -> str:
    match = _SUFFIXES.search(name)
    return match.group(0).lower() if match else ""


def _to_disk(out: BinaryIO) -> None:
    """Force a local file's bytes to disk; object stores have them once the upload is complete."""
    out.flush()
    try:
        descriptor = out.fileno()
    except (AttributeError, OSError):
        return
    os.fsync(descriptor)
