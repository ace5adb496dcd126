"""An append attempt: one landed batch on its way into one version of the dataset table."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from mlops_assets.dataset.contract import Contract
from mlops_assets.dataset.digest import element
from mlops_assets.dataset.files import content_digest
from mlops_assets.dataset.landing import landed_path
from mlops_assets.dataset.landing_zone import Landed
from mlops_assets.dataset.quarantine import Quarantine
from mlops_assets.dataset.reading.batch import BatchRows
from mlops_assets.dataset.reading.batch_fault import rejection_for
from mlops_assets.dataset.reading.separate import ReaderEnded, guarded_batch
from mlops_assets.dataset.seen_hashes import Seen
from mlops_assets.dataset.staging import StagedFiles
from mlops_assets.dataset.table import DatasetTable
from mlops_assets.dataset.version import BatchOutcome
from mlops_assets.errors import BatchRejected

if TYPE_CHECKING:
    from mlops_assets.declaration.spec import SystemSpec
    from mlops_assets.storage.storage import Storage

Progress = Callable[[str, int], None]
"""Called with the original file name and the rows checked so far."""

_ROW = "row"
"""The constraint that counts rows equal in every declared column."""
_LONGEST_REASON = 2_000


@dataclass
class AppendAttempt:
    """One try to bring one batch into one version of the table."""

    storage: "Storage"
    spec: "SystemSpec"
    contract: Contract
    landed: Landed
    table: DatasetTable

    def run(self, on_progress: Progress | None = None) -> BatchOutcome:
        """Commit the batch, or reject it and leave the dataset as it was.

        Raises:
            Overtaken: if another process committed first; nothing of this attempt is left.
            StorageError: if table or landing zone is not what this platform stored.
        """
        try:
            return self._run(on_progress)
        except ReaderEnded:  # by somebody who ends processes? Then a second reader gets through
            return self._run(on_progress, last=True)

    def _run(self, on_progress: Progress | None, last: bool = False) -> BatchOutcome:
        quarantine = Quarantine()
        path = landed_path(self.storage, self.spec.name, self.landed.file)
        staged = self.table.stage(self.landed.batch, self.spec.dataset.columns)
        try:
            self._require_unchanged(path)
            limits = self.storage.limits
            with guarded_batch(self.storage.filesystem, path, self.spec.dataset, limits) as batch:
                return self._accept(batch, staged, quarantine, on_progress)
        except BaseException as error:
            staged.discard()
            rejection = rejection_for(error)
            if rejection is None or (isinstance(rejection, ReaderEnded) and not last):
                raise
        quarantine.store(self.storage, self.spec.name, self.landed.batch)
        return self._outcome("rejected", quarantine, rows=quarantine.seen, reason=str(rejection)[:_LONGEST_REASON])

    def _accept(
        self, batch: BatchRows, staged: StagedFiles, quarantine: Quarantine, on_progress: Progress | None
    ) -> BatchOutcome:
        rows, hashes, seen = self._check(batch, staged, quarantine, on_progress)
        self._require_few_quarantined(rows, quarantine.rows)
        before = self.table.seen(_ROW, ["_hash"])
        after = before.plus(hashes)
        outcome = self._outcome(
            "accepted",
            quarantine,
            rows=rows,
            accepted=len(hashes),
            duplicates=len(hashes) - (len(after) - len(before)),
            ignored_columns=batch.ignored,
            table_version=self.table.version + 1,
        )
        added = staged.finish()
        quarantine.store(self.storage, self.spec.name, self.landed.batch)
        self._commit(outcome, added, hashes, seen | {_ROW: after})
        return outcome

    def _check(
        self, batch: BatchRows, staged: StagedFiles, quarantine: Quarantine, on_progress: Progress | None
    ) -> tuple[int, np.ndarray, dict[str, Seen]]:
        """Check and stage every chunk; returns rows read, hashes of accepted rows, and what is used up."""

        rows = 0
        hashes = [np.empty(0, dtype=np.uint64)]
        seen = {name: self.table.seen(name, columns) for name, columns in self.contract.constraints.items()}
        for chunk in batch.chunks:
            checked, seen = self.contract.check(chunk, rows + 1, seen)
            rows += chunk.height
            quarantine.add(checked)
            hashes.append(checked.accepted["_hash"].to_numpy().view(np.uint64))
            staged.write(checked.accepted.with_columns(_batch=pl.lit(self.landed.batch)))
            if on_progress is not None:
                on_progress(self.landed.original, rows)
        return rows, np.concatenate(hashes), seen

    def _commit(self, outcome: BatchOutcome, added: tuple, hashes: np.ndarray, seen: dict[str, Seen]) -> None:
        content = hashlib.sha256(hashes.astype("<u8").tobytes()).hexdigest()
        member = element(outcome.digest, self.contract.digest, len(hashes), content)
        segments = self.table.save_seen(seen, outcome.digest)
        self.table.append(outcome.digest, added, self.table.state.with_batch(outcome, member, segments))

    def _require_unchanged(self, path: str) -> None:
        if content_digest(self.storage.filesystem, path) != self.landed.batch:
            raise BatchRejected(
                "changed_file",
                f"{path!r} ({self.landed.original!r}) no longer holds the bytes that were landed. "
                f"Remedy: land the original again: mlops land {self.spec.name} --reingest FILE",
            )

    def _require_few_quarantined(self, rows: int, quarantined: int) -> None:
        allowed = self.spec.dataset.max_quarantined
        if rows == 0:
            raise BatchRejected("empty_file", "the file has a header but no rows. Remedy: land a file with rows")
        if quarantined > allowed * rows:
            raise BatchRejected(
                "too_many_quarantined",
                f"{quarantined} of {rows} rows ({quarantined / rows:.1%}) break the contract, {allowed:.1%} may. "
                "Remedy: see the quarantine for rows and rules, correct the file or the declaration, and land it again",
            )

    def _outcome(self, outcome: Literal["accepted", "rejected"], quarantine: Quarantine, **facts: Any) -> BatchOutcome:
        return BatchOutcome(
            system=self.spec.name,
            digest=self.landed.batch,
            outcome=outcome,
            file=self.landed.file,
            original=self.landed.original,
            landed_at=self.landed.landed_at,
            quarantined=quarantine.rows,
            violations=dict(quarantine.counts),
            contract=self.contract.digest,
            **facts,
        )
