"""What the dataset stage publishes: the fate of each batch, and each version of the dataset."""

from datetime import datetime
from typing import ClassVar, Literal

from mlops_assets.storage.records import Record
from mlops_assets.verdict import Verdict


class BatchOutcome(Record):
    """The fate of one landed batch; its digest is the batch id, the SHA-256 of the file's bytes."""

    stage: ClassVar[str] = "batch"

    outcome: Literal["accepted", "rejected", "retracted", "reopened"]
    """``reopened``: to be read again by the next ingestion."""
    file: str
    """Name of the immutable file in the landing zone."""
    original: str
    """Name of the file as it was brought in."""
    landed_at: datetime
    rows: int = 0
    """Rows read from the file."""
    accepted: int = 0
    quarantined: int = 0
    duplicates: int = 0
    """Accepted rows that repeat an earlier row of the dataset in every declared column."""
    violations: dict[str, int] = {}
    """Rows per broken rule, by ``column: rule``."""
    ignored_columns: list[str] = []
    """Columns of the file that the declaration does not name."""
    reason: str = ""
    """Why the batch was rejected or retracted, with the remedy."""
    table_version: int | None = None
    """Delta version of the dataset that this outcome made."""
    contract: str = ""
    """Digest of the contract that judged the batch; a rejected batch is offered again under another one."""


class Reopening(Record):
    """That a batch is to be read again; its digest is the batch id, its newest outcome says whether that is done."""

    stage: ClassVar[str] = "reopening"

    actor: str


class LakeLoss(Record):
    """That somebody went on without what the lake had lost; its digest is that of the newest version before."""

    stage: ClassVar[str] = "lake_loss"

    problem: str
    """How the table differed from the records."""
    actor: str
    table_version: int | None
    """Where the table ended, None where there was none."""
    lost: list[str]
    """Batches that were in the dataset and no longer are."""


class DatasetVersion(Record):
    """One exact version of the dataset; its digest names the set of accepted batches."""

    stage: ClassVar[str] = "dataset"

    table_version: int
    """Delta version to read with time travel."""
    rows: int
    batches: int
    quarantined: int
    duplicates: int
    newest_landed_at: datetime
    verdicts: list[Verdict] = []
    """The content checks of this version."""
