"""What the features stage publishes: engineered rows with their split."""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from mlops_assets.storage.records import Record
from mlops_assets.verdict import Verdict

Part = Literal["train", "validation", "test", "excluded"]
PARTS: tuple[Part, ...] = ("train", "validation", "test", "excluded")
TRAIN, VALIDATION, TEST, EXCLUDED = range(4)
"""Positions in PARTS: parts of many rows are kept as small integers."""
Label = bool | int | str
Kind = Literal["numeric", "categorical"]


class FeatureColumn(BaseModel):
    """One model input."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Kind


class SplitPlan(Record):
    """What was chosen once, from the first version, and is kept so that no row ever moves.

    Its digest is that of the declared split.
    """

    stage: ClassVar[str] = "split"

    salt: int = 0
    """Salt of the identity hash."""
    validation_from: datetime | None = None
    test_from: datetime | None = None


class FeaturesVersion(Record):
    """One exact version of the features: a Delta version of the features table."""

    stage: ClassVar[str] = "features"

    dataset_digest: str
    dataset_table_version: int
    table_version: int
    columns: list[FeatureColumn]
    target: str
    classes: list[Label] | None = None
    """Sorted classes of a classification target."""
    group: str | None = None
    """Column that keeps rows together; bootstrap resamples by it."""
    rows: dict[Part, int]
    plan: SplitPlan
    verdicts: list[Verdict] = []
    content: dict[Part, str] | None = None
    """Digest of every cell of each part; None in versions of earlier releases."""

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]
