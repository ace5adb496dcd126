"""A row, found by its declared key or by its place in a file: in the dataset, in quarantine, or in both."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from mlops_assets.audit.lineage import find_batch, members
from mlops_assets.dataset.quarantine import read_quarantine
from mlops_assets.dataset.reading.parsing import parsed
from mlops_assets.dataset.row_hash import row_hash
from mlops_assets.dataset.table import read_dataset
from mlops_assets.dataset.version import BatchOutcome, DatasetVersion
from mlops_assets.errors import LandingError

if TYPE_CHECKING:
    from mlops_assets.declaration.spec import SystemSpec
    from mlops_assets.storage.storage import Storage


@dataclass(frozen=True)
class Violation:
    """One rule that a quarantined row broke."""

    batch: str
    row: int
    column: str
    rule: str
    value: str | None


@dataclass(frozen=True)
class RowPlace:
    """Where a row lies."""

    key: str
    batch: str | None = None
    """Batch that brought it into the dataset; None: it is in no version."""
    row: int | None = None
    """Its number in the file, from 1."""
    table_version: int | None = None
    """Newest dataset version that holds it."""
    quarantined: list[Violation] = field(default_factory=list)


def find_row(storage: "Storage", spec: "SystemSpec", key: str) -> RowPlace:
    """The row that ``key`` names: values of the key columns, comma separated as in CSV; else ``BATCH:ROW``.

    Of the dataset's versions the newest that holds the row is taken; batches that were read once are not read again.

    Raises:
        LandingError: if ``key`` cannot name a row, or there is none of that name.
    """
    place = _by_key(storage, spec, key) if spec.dataset.key else _by_place(storage, spec.name, key)
    if place.batch is None and not place.quarantined:
        raise LandingError(
            f"{spec.name} has no row {key!r}, in no dataset version and not in quarantine. "
            f"Remedy: {_form(spec.dataset.key)}"
        )
    return place


def _by_key(storage: "Storage", spec: "SystemSpec", key: str) -> RowPlace:
    asked = _asked(spec, key)
    violations = _violations(_same_key(read_quarantine(storage, spec.name), spec, asked))
    for version, _ in _unread(storage, spec.name):
        rows = read_dataset(storage, version, [*spec.dataset.key, "_batch", "_row"])
        same = rows.filter(pl.Series(row_hash(rows, spec.dataset.key) == asked))
        if same.height:
            batch, row = same.select("_batch", "_row").row(0)
            return RowPlace(key, batch, row, version.table_version, violations)
    return RowPlace(key, quarantined=violations)


def _by_place(storage: "Storage", system: str, key: str) -> RowPlace:
    named, _, number = key.rpartition(":")
    if not named or not number.isdecimal():
        raise LandingError(f"{key!r} names no row of {system!r}, which declares no key. Remedy: {_form([])}")
    batch = find_batch(storage, system, named)
    quarantined = read_quarantine(storage, system, batch.batch)
    violations = _violations(quarantined.filter(pl.col("row") == int(number)))
    for version, held in _unread(storage, system):
        if batch.batch not in held:
            continue
        rows = read_dataset(storage, version, ["_batch", "_row"])
        if rows.filter(pl.col("_batch") == batch.batch, pl.col("_row") == int(number)).height:
            return RowPlace(key, batch.batch, int(number), version.table_version, violations)
    return RowPlace(key, quarantined=violations)


def _unread(storage: "Storage", system: str) -> list[tuple[DatasetVersion, set[str]]]:
    """Versions from the newest on, each with the batches that no newer one of the list holds."""
    outcomes, seen, unread = storage.records.history(BatchOutcome, system), set(), []
    versions = {version.table_version: version for version in storage.records.history(DatasetVersion, system)}
    for number in sorted(versions, reverse=True):
        new = set(members(outcomes, number)) - seen
        if new:
            unread.append((versions[number], new))
            seen |= new
    return unread


def _asked(spec: "SystemSpec", key: str) -> np.uint64:
    """The hash of the key that was asked for."""
    cells = next(csv.reader([key]), [])
    columns = spec.dataset.key
    if len(cells) != len(columns):
        raise LandingError(f"{key!r} has {len(cells)} values. Remedy: {_form(columns)}")
    frame = _typed(spec, {name: [cell] for name, cell in zip(columns, cells, strict=True)})
    for name, cell in zip(columns, cells, strict=True):
        if frame[name][0] is None:
            raise LandingError(f"{cell!r} is no {spec.dataset.columns[name].type}. Remedy: {_form(columns)}")
    return row_hash(frame, columns)[0]


def _same_key(quarantine: pl.DataFrame, spec: "SystemSpec", asked: np.uint64) -> pl.DataFrame:
    """The lines of quarantine whose raw row has the key."""
    records = [json.loads(record) for record in quarantine["record"]]
    cells = {name: [_text(record.get(name)) for record in records] for name in spec.dataset.key}
    return quarantine.filter(pl.Series(row_hash(_typed(spec, cells), spec.dataset.key) == asked, dtype=pl.Boolean))


def _typed(spec: "SystemSpec", cells: dict[str, list[str | None]]) -> pl.DataFrame:
    columns = spec.dataset.columns
    return pl.DataFrame(
        [parsed(pl.Series(name, texts, dtype=pl.String), columns[name].type) for name, texts in cells.items()]
    )


def _text(cell: object) -> str | None:
    return None if cell is None else str(cell)


def _violations(lines: pl.DataFrame) -> list[Violation]:
    return [Violation(*line) for line in lines.select("batch", "row", "column", "rule", "value").iter_rows()]


def _form(key: Sequence[str]) -> str:
    return (
        f"give {','.join(key)} as in CSV"
        if key
        else "give BATCH:ROW, the batch id or its beginning and the row's number"
    )
