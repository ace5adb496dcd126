"""The train sample: the distinct train rows in which leaks are looked for."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.features.leakage.single_feature import SingleFeatureScore, single_feature_scores

if TYPE_CHECKING:
    from mlops_assets.features.spec import LeakageSpec

SAMPLE = 20_000
"""Train rows that features are scored on."""


@dataclass(frozen=True, eq=False)
class TrainSample:
    """Train rows in table order, copies counted as one."""

    spec: SystemSpec
    distinct: pd.DataFrame
    """Features of all distinct rows."""
    features: pd.DataFrame
    """Features of at most SAMPLE of them, which scores are computed on."""
    target: np.ndarray
    """Their target, shape (n,); classes as positions."""

    @cached_property
    def single_feature_scores(self) -> list[SingleFeatureScore]:
        """What each feature says about the target on its own, strongest first."""
        return single_feature_scores(self.features, self.target, self.spec.task)

    @property
    def rows(self) -> int:
        return len(self.target)

    @cached_property
    def values(self) -> int:
        """Distinct values of the target."""
        return len(np.unique(self.target))

    @property
    def declared(self) -> "LeakageSpec":
        return self.spec.features.leakage


def train_sample(features: pd.DataFrame, target: np.ndarray, content: np.ndarray, spec: SystemSpec) -> TrainSample:
    """The sample of train rows: ``content`` is equal for copies of a row, shape (n,) as ``target``."""
    rows = np.sort(np.unique(content, return_index=True)[1])
    sample = rows[np.sort(np.random.default_rng(0).permutation(len(rows))[:SAMPLE])]
    return TrainSample(spec, features.iloc[rows], features.iloc[sample], target[sample])
