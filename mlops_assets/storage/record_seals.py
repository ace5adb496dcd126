"""Seals of records: what the ledger says of every stored record, and whether the record is still that.

An entry ``recorded`` is written together with a record. Its details are the hash of the record by its number
(``records``), and how many records of each stage there are with it, and the number of the newest (``held``).
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops_assets.errors import StorageError
from mlops_assets.storage.chain_writing import end_of, write_next
from mlops_assets.storage.ledger_entry import RECORDED, Entry, canonical, moment, read_entry
from mlops_assets.storage.schema import tables

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Row

OWN = "FROM mlops_records WHERE system = :system AND stage = :stage"
STANDING = f"""
    SELECT (SELECT max(sequence) FROM mlops_ledger WHERE system = :system AND event = '{RECORDED}'),
    (SELECT count(*) {OWN}), (SELECT max(id) {OWN})
"""
"""The newest seal of a system, how many records of a stage there are, and the newest of them.

One statement, so that no writer comes between what the ledger says and what is there; as text, for it is asked at every
read and costs a compilation otherwise.
"""
PLATFORM = "mlops"
"""Who seals what a stage has recorded."""


def write_sealed(connection: "Connection", row: Mapping[str, Any]) -> tuple[int, Entry]:
    """Store a record together with the entry that seals it; its number, and the entry."""
    system, stage = row["system"], row["stage"]
    end = end_of(connection, system)
    stored = {**row, "entry": end[0] + 1}
    number = connection.execute(tables().records.insert().values(**stored)).inserted_primary_key[0]  # type: ignore[index]
    held = _held_at(connection, system, end[0])
    held[stage] = [held.get(stage, [0])[0] + 1, number]
    details = {"records": {str(number): record_hash(stored)}, "held": held}
    reason = f"{stage} {row['digest'][:12]}"
    draft = Entry(system, RECORDED, reason, PLATFORM, run_id=row["run_id"], details=details)
    return number, write_next(connection, draft, end)


def seal_as_found(connection: "Connection", system: str, actor: str, reason: str) -> None:
    """Seal every record of ``system`` anew, as it is; earlier seals hold no longer."""
    table, end = tables().records, end_of(connection, system)
    hashes, held = dict[str, str](), dict[str, list[int]]()
    for row in connection.execute(table.select().where(table.c.system == system).order_by(table.c.id)):
        hashes[str(row.id)] = record_hash(row._mapping)
        held[row.stage] = [held.get(row.stage, [0])[0] + 1, row.id]
    details = {"records": hashes, "held": held, "all": True}
    entry = write_next(connection, Entry(system, RECORDED, reason, actor, details=details), end)
    connection.execute(table.update().where(table.c.system == system).values(entry=entry.sequence))


def record_hash(row: Mapping[Any, Any]) -> str:
    """SHA-256 of everything that the row of a record says, as canonical JSON."""
    content = {name: row[name] for name in ("system", "stage", "digest", "body", "run_id")}
    return hashlib.sha256(canonical({**content, "created_at": moment(row["created_at"])}).encode()).hexdigest()


class RecordSeals:
    """The seals that were read so far; an entry is read, and its own hash verified, once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], Entry] = {}

    def keep(self, entry: Entry) -> None:
        """Know an entry that was just written."""
        self._known[entry.system, entry.sequence] = entry

    def require(self, connection: "Connection", system: str, stage: str, rows: "Sequence[Row]" = ()) -> None:
        """Refuse ``rows``, records of ``stage``, that are not what the ledger sealed, and a stage that lacks one.

        Raises:
            StorageError: if one was changed, taken away, or not written by the platform.
        """
        fault = self._missing(connection, system, stage) or next(filter(None, self._faults(connection, rows)), "")
        if fault:
            raise StorageError(
                f"{fault}. Remedy: find out who can write the database, and restore it from a backup; or, once it is "
                f"known what happened: mlops ledger accept {system} --reason …"
            )

    def _missing(self, connection: "Connection", system: str, stage: str) -> str:
        import sqlalchemy as sa

        asked = {"system": system, "stage": stage}
        sequence, count, last = connection.execute(sa.text(STANDING), asked).all()[0]
        entry = self._entry(connection, system, sequence) if sequence else None
        if sequence and entry is None:
            return f"Entry {sequence} of the ledger, which seals records of {system}, was changed after it was written"
        held = entry.details["held"].get(stage, [0, None]) if entry else [0, None]
        if held == [count, last]:
            return ""
        return fault_of(connection, system) or f"{system} has {count} {stage} records, the ledger knows of {held[0]}"

    def _faults(self, connection: "Connection", rows: "Sequence[Row]") -> Iterable[str]:
        unknown = [row.entry for row in rows if row.entry and (row.system, row.entry) not in self._known]
        if len(unknown) > 1:
            between = tables().ledger.c.sequence.between(min(unknown), max(unknown))
            self._read(connection, rows[0].system, between)
        return (self._fault(connection, row) for row in rows)

    def _fault(self, connection: "Connection", row: "Row") -> str:
        digest = record_hash(row._mapping)
        if _seals(self._entry(connection, row.system, row.entry), row, digest):
            return ""
        self._known.pop((row.system, row.entry), None)  # a database that was restored meanwhile has another entry there
        if _seals(self._entry(connection, row.system, row.entry), row, digest):
            return ""
        return _fault_of_row(row)

    def _entry(self, connection: "Connection", system: str, sequence: int | None) -> Entry | None:
        if sequence is not None and (system, sequence) not in self._known:
            self._read(connection, system, tables().ledger.c.sequence == sequence)
        return None if sequence is None else self._known.get((system, sequence))

    def _read(self, connection: "Connection", system: str, which: "ColumnElement[bool]") -> None:
        table = tables().ledger
        query = table.select().where(table.c.system == system, table.c.event == RECORDED, which)
        for row in connection.execute(query).mappings():
            entry = read_entry(row)
            if entry.hash == entry.sealed():
                self.keep(entry)


def fault_of(connection: "Connection", system: str) -> str:
    """The first record of ``system`` that is not what the ledger sealed, or that is missing; empty if none is."""
    records, ledger = tables().records, tables().ledger
    end = end_of(connection, system)[0]
    rows = connection.execute(records.select().where(records.c.system == system).order_by(records.c.id)).all()
    # Read after the records, so that each that was written meanwhile has its entry.
    query = ledger.select().where(ledger.c.system == system, ledger.c.event == RECORDED).order_by(ledger.c.sequence)
    seals = dict[int, Entry]()
    for entry in map(read_entry, connection.execute(query).mappings()):
        seals = {} if entry.details.get("all") else seals
        seals |= dict.fromkeys(map(int, entry.details["records"]), entry)
    for row in rows:
        entry = seals.pop(row.id, None)
        if not _seals(entry, row, record_hash(row._mapping)):
            return _fault_of_row(row)
    for number, entry in seals.items():
        if entry.sequence <= end:
            named = "" if entry.details.get("all") else f" ({entry.reason})"
            return f"Record {number} of {system}{named}, which entry {entry.sequence} of the ledger seals, is missing"
    return ""


def _held_at(connection: "Connection", system: str, sequence: int) -> dict[str, list[int]]:
    """How many records of each stage the ledger knows of, up to an entry, and the newest."""
    table = tables().ledger
    query = table.select().where(table.c.system == system, table.c.event == RECORDED, table.c.sequence <= sequence)
    row = connection.execute(query.order_by(table.c.sequence.desc()).limit(1)).mappings().first()
    return dict(read_entry(row).details["held"]) if row else {}


def _seals(entry: Entry | None, row: "Row", digest: str) -> bool:
    return entry is not None and entry.sequence == row.entry and entry.details["records"].get(str(row.id)) == digest


def _fault_of_row(row: "Row") -> str:
    named = f"The {row.stage} record {row.digest[:12]} of {row.system} (number {row.id})"
    if row.entry is None:
        return f"{named} is in no entry of the ledger: it was not written by the platform"
    return f"{named} is not what entry {row.entry} of the ledger seals: it was changed or put there by hand"
