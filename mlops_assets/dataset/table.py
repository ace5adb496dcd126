"""The dataset table: accepted rows in Delta Lake, one commit per batch.

Besides the declared columns it has ``_batch`` (SHA-256 of the file), ``_row`` (row in the file, from 1) and
``_hash`` (:func:`~mlops_assets.dataset.row_hash.row_hash` over the declared columns, as int64).
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import uuid4

import polars as pl

from mlops_assets.dataset.commit import Change, commit, create_table, metadata_of, open_table, removals
from mlops_assets.dataset.row_hash import row_hash
from mlops_assets.dataset.schema import table_schema
from mlops_assets.dataset.seen_hashes import HashSegment, Seen, SeenFiles, seen_of
from mlops_assets.dataset.staging import StagedFiles
from mlops_assets.dataset.table_state import DatasetState, state_from
from mlops_assets.dataset.version import BatchOutcome, DatasetVersion
from mlops_assets.dataset.widening import widen
from mlops_assets.errors import StorageError

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from deltalake.transaction import AddAction
    from pyarrow.dataset import FileSystemDataset

    from mlops_assets.dataset.spec import ColumnSpec
    from mlops_assets.storage.storage import Storage

ACCEPTED, RETRACTED = 1, 2
"""Versions of a batch's application transaction."""

_SAMPLED = 16
"""Files, and blocks of them, that a sample is taken from."""


def read_dataset(storage: "Storage", version: DatasetVersion, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """The rows of exactly this version, by batch and row, whatever order the batches came in.

    Raises:
        StorageError: if the table at that version is not what was published.
    """
    return _exactly(storage, version).read(columns)


def sample_dataset(
    storage: "Storage", version: DatasetVersion, columns: Sequence[str], rows: int = 100_000
) -> pl.DataFrame:
    """At most ``rows`` rows, from blocks spread evenly over the files: the cost does not grow with the table."""
    return _exactly(storage, version).sample(columns, rows)


def _exactly(storage: "Storage", version: DatasetVersion) -> "DatasetTable":
    table = DatasetTable.at(storage, version.system, version.table_version)
    held = table.state.version(version.system, version.table_version, [])
    if held is None or held.digest != version.digest:
        raise StorageError(
            f"Version {version.table_version} of {table.uri!r} is not dataset {version.digest[:12]!r}. "
            "Remedy: restore the table and the records from the same backup"
        )
    return table


class DatasetTable:
    """One version of the dataset table, with the state that its commit carries."""

    def __init__(self, storage: "Storage", system: str, delta: "DeltaTable") -> None:
        self.storage, self.system, self.delta = storage, system, delta
        self.uri = storage.table(system, "dataset")

    @classmethod
    def at(cls, storage: "Storage", system: str, version: int) -> "DatasetTable":
        """The table as it was at ``version``."""
        table = cls.latest(storage, system, version)
        if table is None:
            raise StorageError(f"{system!r} has no dataset table yet. Remedy: land a file and run the ingestion")
        return table

    @classmethod
    def latest(cls, storage: "Storage", system: str, version: int | None = None) -> "DatasetTable | None":
        """The newest version, or None before the first batch."""
        delta = open_table(storage, storage.table(system, "dataset"), version)
        return cls(storage, system, delta) if delta else None

    @classmethod
    def ready(cls, storage: "Storage", system: str, columns: "dict[str, ColumnSpec]") -> "DatasetTable":
        """The newest version, made or widened so that it holds the declared columns.

        Raises:
            StorageError: if a column has another type, or a new one must not be empty although rows exist.
        """
        uri = storage.table(system, "dataset")
        delta = open_table(storage, uri) or create_table(
            storage, uri, table_schema(columns), DatasetState().model_dump_json()
        )
        table = cls(storage, system, delta)
        return cls.ready(storage, system, columns) if widen(delta, uri, columns, table.state) else table

    @cached_property
    def version(self) -> int:
        return self.delta.version()

    @cached_property
    def state(self) -> DatasetState:
        return self.state_at(self.version)

    def state_at(self, version: int) -> DatasetState:
        """The state that an earlier commit carries."""
        return state_from(metadata_of(self.storage, self.uri, version), self.uri)

    def transaction(self, batch: str) -> int | None:
        """``ACCEPTED``, ``RETRACTED``, or None for a batch that no commit knows."""
        return self.delta.transaction_version(batch)

    def commit_of(self, batch: str) -> DatasetState:
        """The state of the newest commit that accepted or retracted ``batch``."""
        for version in range(self.version, -1, -1):
            state = self.state_at(version)
            if state.outcome is not None and state.outcome.digest == batch:
                return state
        raise StorageError(f"{self.uri!r} knows batch {batch!r}, but no commit tells of it. Remedy: restore its log")

    def files(self) -> dict[str, int]:
        """The size of every file of this version, by name."""
        import pyarrow as pa

        files = pa.table(self.delta.get_add_actions(flatten=True))
        return dict(zip(files["path"].to_pylist(), files["size_bytes"].to_pylist(), strict=True))

    def members(self) -> dict[str, BatchOutcome]:
        """The accepted batches of this version, read from its log: the cost grows with the number of commits."""
        newest: dict[str, BatchOutcome] = {}
        for version in range(self.version + 1):
            outcome = self.state_at(version).outcome
            if outcome is not None:
                newest[outcome.digest] = outcome
        return {batch: outcome for batch, outcome in newest.items() if outcome.outcome == "accepted"}

    def stage(self, batch: str, columns: "dict[str, ColumnSpec]") -> StagedFiles:
        """Files for the accepted rows of ``batch``."""
        return StagedFiles(self.delta, batch, table_schema(columns))

    def append(self, batch: str, added: "tuple[AddAction, ...]", state: DatasetState) -> int:
        """Commit staged files as the next version, and return it."""
        return commit(self.delta, self._change(batch, ACCEPTED, state, added=added))

    def remove(self, batch: str, state: DatasetState) -> int:
        """Commit that the files of ``batch`` no longer belong to the table."""
        removed = removals(self.delta, batch)
        return commit(self.delta, self._change(batch, RETRACTED, state, removed=removed))

    def seen(self, constraint: str, columns: Sequence[str]) -> Seen:
        """Hashes that the rows hold: from the stored segments, else from just these columns of the table."""
        known = self.state.seen.get(constraint)
        if known is None and not self.state.rows:
            return Seen()
        stored = SeenFiles(self.storage, self.system).load(known) if known is not None else None
        return stored if stored is not None else seen_of(self._hashes(columns))

    def save_seen(self, seen: dict[str, Seen], batch: str) -> dict[str, list[HashSegment]]:
        """Store what this commit's rows add; to be called before the commit."""
        files = SeenFiles(self.storage, self.system)
        return {
            constraint: files.save(hashes, self.state.seen.get(constraint, []), _stem(constraint, batch))
            for constraint, hashes in seen.items()
        }

    def read(self, columns: Sequence[str] | None = None, without_batch: str | None = None) -> pl.DataFrame:
        """Rows by batch and row number."""
        rows = self.delta.to_pyarrow_dataset(as_large_types=True)
        fragments = sorted(rows.get_fragments(), key=lambda fragment: fragment.path)
        if without_batch is not None:
            fragments = [fragment for fragment in fragments if f"part-{without_batch}-" not in fragment.path]
        return _rows(rows, fragments, columns)

    def sample(self, columns: Sequence[str], rows: int) -> pl.DataFrame:
        """Evenly spaced rows of evenly spaced blocks, at most ``rows``."""
        if self.state.rows <= rows:
            return self.read(columns)
        stored = self.delta.to_pyarrow_dataset(as_large_types=True)
        files = sorted(stored.get_fragments(), key=lambda fragment: fragment.path)
        blocks = [block for file in _spread(files, _SAMPLED) for block in file.split_by_row_group()]
        frame = _rows(stored, _spread(blocks, _SAMPLED), columns)
        return frame[:: -(-frame.height // rows) or 1]

    def _hashes(self, columns: Sequence[str]) -> Iterable:
        if list(columns) == ["_hash"]:
            return [self.read(["_hash"])["_hash"].to_numpy().view("uint64")]
        rows = self.read(columns)
        return [row_hash(rows.drop_nulls(columns) if len(columns) == 1 else rows, columns)]

    def _change(self, batch: str, version: int, state: DatasetState, **actions: tuple) -> Change:
        import pyarrow as pa

        return Change(pa.schema(self.delta.schema()), batch, version, state.model_dump_json(), **actions)


def _rows(stored: "FileSystemDataset", fragments: list, columns: Sequence[str] | None) -> pl.DataFrame:
    """The rows of ``fragments`` in their order."""
    from pyarrow.dataset import FileSystemDataset as Ordered

    ordered = Ordered(fragments, stored.schema, stored.format, stored.filesystem)
    return pl.DataFrame(ordered.to_table(columns=list(columns) if columns is not None else None))


def _spread(items: list, count: int) -> list:
    """At most ``count`` of ``items``, evenly spaced."""
    return items[:: -(-len(items) // count) or 1]


def _stem(constraint: str, batch: str) -> str:
    """A file name of its own for every attempt: column names may hold any character."""
    return f"{sha256(constraint.encode()).hexdigest()[:16]}-{batch[:16]}-{uuid4().hex[:12]}"
