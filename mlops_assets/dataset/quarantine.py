"""The quarantine table: every broken rule with its row, so that the owner can see what to mend."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.dataset.commit import Change, commit, create_table, open_table, removals, until_committed
from mlops_assets.dataset.staging import StagedFiles

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_assets.dataset.contract import Checked
    from mlops_assets.storage.storage import Storage

KEPT = 100_000
"""Violations of one batch that are kept; the counts in its outcome are complete."""


@dataclass
class Quarantine:
    """The violations of one batch, gathered chunk by chunk."""

    rows: int = 0
    """Rows that break a rule."""
    seen: int = 0
    """Rows that were checked."""
    counts: Counter[str] = field(default_factory=Counter)
    """Rows per broken rule, by ``column: rule``."""
    _kept: list[pl.DataFrame] = field(default_factory=list)

    def add(self, checked: "Checked") -> None:
        """Take over the violations of one chunk."""
        self.rows += checked.quarantined.height
        self.seen += checked.quarantined.height + checked.accepted.height
        by_rule = checked.violations.group_by("column", "rule", maintain_order=True).len()
        self.counts.update({f"{column}: {rule}": count for column, rule, count in by_rule.iter_rows()})
        room = KEPT - sum(frame.height for frame in self._kept)
        if room > 0 and checked.violations.height:
            self._kept.append(_with_records(checked.violations.head(room), checked.quarantined))

    def store(self, storage: "Storage", system: str, batch: str) -> None:
        """Make these the stored violations of ``batch``, in place of any that a broken-off run left."""
        until_committed(lambda: self._store(storage, system, batch))

    def _store(self, storage: "Storage", system: str, batch: str) -> None:
        uri = storage.table(system, "quarantine")
        table = open_table(storage, uri)
        if not self._kept and (table is None or table.transaction_version(batch) is None):
            return
        table = table or create_table(storage, uri, _schema())
        removed = removals(table, batch) if table.transaction_version(batch) is not None else ()
        staged = StagedFiles(table, batch, _schema())
        try:
            for frame in self._kept:
                staged.write(_stamped(frame, batch))
            commit(table, Change(_schema(), batch, 1, added=staged.finish(), removed=removed))
        except BaseException:
            staged.discard()
            raise


def read_quarantine(storage: "Storage", system: str, batch: str | None = None) -> pl.DataFrame:
    """Violations of ``batch``, or of every batch: batch, row, column, rule, value, record (raw row as JSON), at."""

    table = open_table(storage, storage.table(system, "quarantine"))
    if table is None:
        return pl.DataFrame(_schema().empty_table())
    rows = pl.DataFrame(table.to_pyarrow_dataset(as_large_types=True).to_table())
    rows = rows if batch is None else rows.filter(pl.col("batch") == batch)
    return rows.sort("at", "batch", "row", maintain_order=True)


def _stamped(violations: pl.DataFrame, batch: str) -> pl.DataFrame:

    return violations.with_columns(batch=pl.lit(batch), at=pl.lit(datetime.now(UTC)))


def _with_records(violations: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:

    records = rows.select(
        pl.col("_row").alias("row"), pl.struct(pl.exclude("_row")).struct.json_encode().alias("record")
    )
    return violations.join(records, on="row", how="left", maintain_order="left")


def _schema() -> "pa.Schema":
    import pyarrow as pa

    text = pa.string()
    return pa.schema(
        [
            ("batch", text),
            ("row", pa.int64()),
            ("column", text),
            ("rule", text),
            ("value", text),
            ("record", text),
            ("at", pa.timestamp("us", "UTC")),
        ]
    )
