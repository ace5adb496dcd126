"""The dataset digest: a hash of the set of accepted batches, whatever the order they came in.

LtHash (Bellare and Micciancio 1997; Lewi, Kim, Maykov, Weis 2019): every element is expanded to 1024 lanes of
16 bits, and the lanes of all elements are added. Adding and removing a batch costs the same however many there are.
"""

import base64
import hashlib
from dataclasses import dataclass

import numpy as np

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


def _expanded(element: str) -> bytes:
    return hashlib.shake_256(element.encode()).digest(_BYTES)
