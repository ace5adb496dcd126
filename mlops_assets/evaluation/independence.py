"""Independence: which of the rows that a model is judged on stand alone, and which err together."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from mlops_assets.errors import NotEvaluated
from mlops_assets.metrics.time_batches import time_batches

if TYPE_CHECKING:
    from mlops_assets.declaration.spec import SystemSpec
    from mlops_assets.features.version import FeaturesVersion


@dataclass(frozen=True)
class Independence:
    """What is drawn instead of rows: groups of equal value, or batches of rows that follow each other in time."""

    group: str | None = None
    """Column whose equal values stay together."""
    time: str | None = None
    """Column by which rows are split in time."""

    @property
    def column(self) -> str | None:
        """The column that says which rows belong together; None where each stands alone."""
        return self.group or self.time

    @property
    def drawn(self) -> str:
        """What is drawn, in words."""
        if self.group:
            return f"groups of equal {self.group!r}"
        return f"batches of rows that follow each other by {self.time!r}" if self.time else "rows"

    def units(self, rows: pd.DataFrame) -> pd.Series | None:
        """What each row belongs to, shape (n,), index of ``rows``; None where each stands alone.

        ``rows`` have the columns that travel beside the features as ``@name``.

        Raises:
            NotEvaluated: if the column did not travel with the rows.
        """
        if self.column is None:
            return None
        if f"@{self.column}" not in rows:
            raise NotEvaluated(f"the rows carry no column {self.column!r}. Remedy: materialise the features again")
        values = pd.Series(rows[f"@{self.column}"])
        return values if self.group else time_batches(values)


def independence(spec: "SystemSpec", features: "FeaturesVersion") -> Independence:
    """As the features were made, and as their split is declared."""
    return Independence(features.group, spec.features.split.time)
