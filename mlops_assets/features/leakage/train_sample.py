"""The train sample: the train rows in which leaks are looked for, in an order that the file's does not decide."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.features.leakage.copies import first_of_each, units_of
from mlops_assets.features.leakage.identifier import identifiers
from mlops_assets.features.leakage.known_rows import KnownRows
from mlops_assets.features.leakage.single_feature import SingleFeatureScore, single_feature_scores
from mlops_assets.features.leakage.target_copies import target_copies

if TYPE_CHECKING:
    from mlops_assets.features.spec import LeakageSpec

SAMPLE = 20_000
"""Train rows that features are scored on."""


@dataclass(frozen=True, eq=False)
class TrainSample:
    """Train rows of ``n`` in the sample; further rows stand beside them for what only the whole shows."""

    spec: SystemSpec
    train: KnownRows
    """All train rows."""
    every: KnownRows
    """The rows of all parts."""
    features: pd.DataFrame
    """Features of at most SAMPLE train rows, which scores are computed on."""
    target: np.ndarray
    """Their target, shape (n,); classes as positions."""
    units: np.ndarray
    """Position of the observation that each row is a copy of, shape (n,)."""

    @cached_property
    def single_feature_scores(self) -> list[SingleFeatureScore]:
        """What each feature says about the target on its own, strongest first."""
        return single_feature_scores(self.features, self.target, self.spec.task, self.units)

    @cached_property
    def identifiers(self) -> list[str]:
        """Features that name rows."""
        return identifiers(self.train.features, self.train.content)

    @cached_property
    def target_copies(self) -> dict[str, str]:
        """Features that repeat the target beyond what their score shows, and in what way."""
        once = self.without_copies
        sampled = KnownRows(self.features.iloc[once], self.target[once], self.units[once])
        return target_copies(self.spec, sampled, self.train, self.every)

    @cached_property
    def without_copies(self) -> np.ndarray:
        """Positions of the sample's rows, copies with the same target counted as one."""
        return first_of_each(self.units, self.target)

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


def train_sample(
    features: pd.DataFrame,
    target: np.ndarray,
    content: np.ndarray,
    spec: SystemSpec,
    times: np.ndarray | None = None,
    others: KnownRows | None = None,
) -> TrainSample:
    """The sample of train rows: ``content`` is equal for copies of a row, shape (n,) as ``target`` and ``times``.

    ``others`` are the rows of the other parts; their targets serve no score.
    """
    train = KnownRows(features, target, content, times).in_own_order
    every = train if others is None else _joined(train, others).in_own_order
    chosen = train.taken(np.sort(np.random.default_rng(0).permutation(len(target))[:SAMPLE]))
    return TrainSample(spec, train, every, chosen.features, chosen.target, units_of(chosen.content))


def _joined(train: KnownRows, others: KnownRows) -> KnownRows:
    return KnownRows(
        pd.concat([train.features, others.features]),
        np.concatenate([train.target, others.target]),
        np.concatenate([train.content, others.content]),
    )
