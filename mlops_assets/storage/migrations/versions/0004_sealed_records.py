"""An entry of the ledger seals every record; one for each system those of earlier releases, as they are found."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

COLUMNS = (
    *("system", "sequence", "at", "event", "actor", "version", "previous", "generation"),
    *("reason", "model_digest", "report_digest", "run_id", "details", "hash_before"),
)
RECORDS = sa.table(
    "mlops_records",
    *(sa.column(name) for name in ("id", "system", "stage", "digest", "body", "run_id", "entry")),
    sa.column("created_at", sa.DateTime(timezone=True)),
)
LEDGER = sa.table("mlops_ledger", *map(sa.column, [*COLUMNS, "hash"]))


def upgrade() -> None:
    """Add the column, and seal what there is."""
    op.add_column("mlops_records", sa.Column("entry", sa.Integer))
    connection, records = op.get_bind(), defaultdict[str, list[Any]](list)
    for row in connection.execute(sa.select(RECORDS).order_by(RECORDS.c.id)):
        records[row.system].append(row)
    for system, rows in records.items():
        query = sa.select(LEDGER.c.sequence, LEDGER.c.at, LEDGER.c.hash).where(LEDGER.c.system == system)
        end: Any = connection.execute(query.order_by(LEDGER.c.sequence.desc()).limit(1)).first() or (0, "", "")
        entry = _entry(system, rows, *end)
        connection.execute(LEDGER.insert().values(**entry))
        connection.execute(RECORDS.update().where(RECORDS.c.system == system).values(entry=entry["sequence"]))


def _entry(system: str, rows: Sequence[Any], sequence: int, at: str, head: str) -> dict[str, Any]:
    held: dict[str, list[int]] = {}
    for row in rows:
        held[row.stage] = [held.get(row.stage, [0])[0] + 1, row.id]
    details = {"records": {str(row.id): _hash(row) for row in rows}, "held": held, "all": True}
    entry = {
        **dict.fromkeys(COLUMNS),
        "system": system,
        "sequence": sequence + 1,
        "at": max(at, _moment(datetime.now(UTC))),
        "event": "recorded",
        "actor": "mlops",
        "reason": f"{len(rows)} records of an earlier release, sealed as the migration of the database found them",
        **dict.fromkeys(("model_digest", "report_digest", "run_id"), ""),
        "details": _canonical(details),
        "hash_before": head,
    }
    return {**entry, "hash": _sha256(_canonical(entry))}


def _hash(row: Any) -> str:
    content = {name: getattr(row, name) for name in ("system", "stage", "digest", "body", "run_id")}
    return _sha256(_canonical({**content, "created_at": _moment(row.created_at)}))


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _moment(at: datetime) -> str:
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")
