"""The ledger becomes a chain per system: who acted, what was seen, and the hash of the entry before; and an outbox."""

import hashlib
import json
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

COLUMNS = (
    *("system", "sequence", "at", "event", "actor", "version", "previous", "generation"),
    *("reason", "model_digest", "report_digest", "run_id", "details", "hash_before"),
)


def upgrade() -> None:
    """Seal every entry again, in the order in which they were written."""
    # A first release makes this table when its ledger is first used.
    if not sa.inspect(op.get_bind()).has_table("mlops_ledger"):
        _make()
        return
    op.drop_index("ix_mlops_ledger_system", "mlops_ledger", if_exists=True)
    op.rename_table("mlops_ledger", "mlops_ledger_0001")
    _make()
    connection = op.get_bind()
    old = connection.execute(sa.text("SELECT * FROM mlops_ledger_0001 ORDER BY id")).mappings().all()
    if chained := list(_chained([dict(row) for row in old])):
        connection.execute(sa.table("mlops_ledger", *map(sa.column, [*COLUMNS, "hash"])).insert(), chained)
    op.drop_table("mlops_ledger_0001")


def _make() -> None:
    op.create_table(
        "mlops_ledger",
        sa.Column("system", sa.String(128), primary_key=True),
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(256), nullable=False),
        sa.Column("version", sa.Integer),
        sa.Column("previous", sa.Integer),
        sa.Column("generation", sa.Integer),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("model_digest", sa.String(64), nullable=False),
        sa.Column("report_digest", sa.String(64), nullable=False),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("hash_before", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.UniqueConstraint("system", "generation", name="mlops_ledger_one_champion"),
    )
    op.create_index("mlops_ledger_time", "mlops_ledger", ["system", "at"])
    op.create_index("mlops_ledger_event", "mlops_ledger", ["system", "event", "sequence"])
    op.create_index("mlops_ledger_version", "mlops_ledger", ["system", "version", "sequence"])
    op.create_table(
        "mlops_outbox",
        sa.Column("system", sa.String(128), primary_key=True),
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
    )


def _chained(old: list[dict[str, Any]]):
    last: dict[str, tuple[int, str]] = defaultdict(lambda: (0, ""))
    for row in old:
        sequence, before = last[row["system"]]
        kept = {name: row[name] for name in COLUMNS if name in row and name != "at"}
        entry = {
            **kept,
            "event": "verdict" if row["event"] == "kept" else row["event"],
            "sequence": sequence + 1,
            "at": _moment(row["at"]),
            "actor": "unknown",
            "details": "{}",
            "hash_before": before,
        }
        text = json.dumps({name: entry[name] for name in COLUMNS}, sort_keys=True, separators=(",", ":"))
        entry["hash"] = hashlib.sha256(text.encode()).hexdigest()
        last[row["system"]] = (sequence + 1, entry["hash"])
        yield entry


def _moment(value: Any) -> str:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"
