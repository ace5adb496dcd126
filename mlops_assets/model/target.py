"""Target: the column that a model learns, in the type that estimators take."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from mlops_assets.features.version import FeaturesVersion


def target_values(features: "FeaturesVersion", rows: pd.DataFrame) -> np.ndarray:
    """Shape (n,): float64 for regression; the classes' own type (truth, int64, else objects) for classification."""

    if features.classes is None:
        return rows[features.target].to_numpy(dtype=float)
    kind = type(features.classes[0])
    return rows[features.target].to_numpy(dtype={bool: bool, int: np.int64}.get(kind, object))
