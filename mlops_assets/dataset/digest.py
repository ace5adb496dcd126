"""The dataset digest: a hash of the set of accepted batches, whatever the order they came in.

LtHash (Bellare and Micciancio 1997; Lewi, Kim, Maykov, Weis 2019): every element is expanded to 1024 lanes of
16 bits, and the lanes of all elements are added. Adding and removing a batch costs the same however many there are.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from mlops_assets.errors import StorageError

if TYPE_CHECKING:
    from mlops_assets.dataset.version import BatchOutcome, DatasetVersion

RESTORE = "Remedy: restore the files of the table from a backup, or land the batches again in an empty system"
_LANES = 1024
_BYTES = 2 * _LANES


@dataclass(frozen=True)
class DatasetDigest:
    """A set of elements, as the sum of their expansions."""

    lanes: bytes = bytes(_BYTES)

    def add(self, element: str) -> "DatasetDigest":
        """The set with ``element``."""
        # Lanes wrap around at 2**16, so that taking an element out undoes putting it in, in any order.
        return DatasetDigest((self._numbers() + np.frombuffer(_expanded(element), dtype="<u2")).tobytes())

    def remove(self, element: str) -> "DatasetDigest":
        """The set without ``element``, which must be in it."""

        return DatasetDigest((self._numbers() - np.frombuffer(_expanded(element), dtype="<u2")).tobytes())

    @property
    def hexdigest(self) -> str:
        """SHA-256 that names the set."""
        return hashlib.sha256(self.lanes).hexdigest()

    @property
    def text(self) -> str:
        """The set as base64, for :meth:`from_text`."""
        return base64.b64encode(self.lanes).decode()

    @classmethod
    def from_text(cls, text: str) -> "DatasetDigest":
        return cls(base64.b64decode(text, validate=True))

    def _numbers(self) -> np.ndarray:

        return np.frombuffer(self.lanes, dtype="<u2")


def element(batch: str, contract: str, rows: int, content: str) -> str:
    """Text of one accepted batch: which bytes, judged by which contract, and what was accepted of them."""
    return f"{batch}:{contract}:{rows}:{content}"


def require_digest(
    rows: pl.DataFrame, hashes: np.ndarray, version: "DatasetVersion", batches: "Mapping[str, BatchOutcome]"
) -> None:
    """Follow the ``hashes`` of ``rows``, made anew of all columns, down to the digest that names ``version``.

    ``batches`` are those that the version holds, by id.

    Raises:
        StorageError: if rows are missing, were added or were changed; names the batch where one can be known.
    """
    place = f"version {version.table_version} of the dataset of {version.system!r}"
    if rows.height != version.rows:
        raise StorageError(f"{place} holds {rows.height:,} rows, recorded were {version.rows:,}. {RESTORE}")
    differ = rows.filter(rows["_hash"].to_numpy().view("uint64") != hashes)
    if differ.height:
        first = differ.sort("_batch", "_row").row(0, named=True)
        raise StorageError(
            f"row {first['_row']} of batch {first['_batch'][:12]} was changed ({differ.height:,} rows in all) in "
            f"{place}. {RESTORE}"
        )
    digest = _digest_of(rows, batches)
    if digest != version.digest:
        raise StorageError(
            f"the rows of {place} have digest {digest[:12]}, recorded was {version.digest[:12]}. {RESTORE}"
        )


def _digest_of(rows: pl.DataFrame, batches: "Mapping[str, BatchOutcome]") -> str:
    total = DatasetDigest()
    ordered = rows.select("_batch", "_row", "_hash").sort("_batch", "_row")
    stored = {str(key[0]): part["_hash"] for key, part in ordered.group_by("_batch", maintain_order=True)}
    for batch, outcome in batches.items():
        hashes = stored[batch].to_numpy().view("uint64").astype("<u8").tobytes() if batch in stored else b""
        total = total.add(element(batch, outcome.contract, len(hashes) // 8, hashlib.sha256(hashes).hexdigest()))
    return total.hexdigest


def _expanded(element: str) -> bytes:
    return hashlib.shake_256(element.encode()).digest(_BYTES)
