"""The state of a dataset, as every commit of its table carries it: the latest commit alone says which version it is."""

from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from mlops_assets.dataset.digest import DatasetDigest
from mlops_assets.dataset.seen_hashes import HashSegment
from mlops_assets.dataset.version import BatchOutcome, DatasetVersion
from mlops_assets.errors import StorageError

if TYPE_CHECKING:
    from mlops_assets.verdict import Verdict


class DatasetState(BaseModel):
    """Totals after one commit, and what that commit did."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int = 0
    batches: int = 0
    quarantined: int = 0
    duplicates: int = 0
    newest_landed_at: datetime | None = None
    """None until the first batch."""
    lanes: str = DatasetDigest().text
    """The set hash of the accepted batches."""
    seen: dict[str, list[HashSegment]] = {}
    """Files with the hashes of every row, key and unique value, by constraint."""
    outcome: BatchOutcome | None = None
    """The batch that this commit accepted or retracted."""
    element: str = ""
    """What the commit added to the set, or took from it."""

    def version(self, system: str, table_version: int, verdicts: "list[Verdict]") -> DatasetVersion | None:
        """The published form of this state, or None before the first batch."""
        if self.newest_landed_at is None:
            return None
        return DatasetVersion(
            system=system,
            digest=DatasetDigest.from_text(self.lanes).hexdigest,
            table_version=table_version,
            rows=self.rows,
            batches=self.batches,
            quarantined=self.quarantined,
            duplicates=self.duplicates,
            newest_landed_at=self.newest_landed_at,
            verdicts=verdicts,
        )

    def with_batch(self, outcome: BatchOutcome, element: str, seen: dict[str, list[HashSegment]]) -> "DatasetState":
        """The state once the batch of ``outcome`` is in."""
        newest = max(filter(None, [self.newest_landed_at, outcome.landed_at]))
        return DatasetState(
            rows=self.rows + outcome.accepted,
            batches=self.batches + 1,
            quarantined=self.quarantined + outcome.quarantined,
            duplicates=self.duplicates + outcome.duplicates,
            newest_landed_at=newest,
            lanes=DatasetDigest.from_text(self.lanes).add(element).text,
            seen=seen,
            outcome=outcome,
            element=element,
        )

    def without_batch(
        self, outcome: BatchOutcome, element: str, duplicates: int, newest_landed_at: datetime
    ) -> "DatasetState":
        """The state once the batch is out; what was seen is made again by the next append."""
        return DatasetState(
            rows=self.rows - outcome.accepted,
            batches=self.batches - 1,
            quarantined=self.quarantined - outcome.quarantined,
            duplicates=duplicates,
            newest_landed_at=newest_landed_at,
            lanes=DatasetDigest.from_text(self.lanes).remove(element).text,
            outcome=outcome,
            element=element,
        )


def state_from(text: str, where: str) -> DatasetState:
    """The state that a commit's metadata holds."""
    try:
        return DatasetState.model_validate_json(text)
    except ValueError as error:
        raise StorageError(
            f"The state in the latest commit of {where!r} cannot be read by this release: {error}. "
            "Remedy: run the release that wrote it"
        ) from error
