"""Rematch: the learners behind two versions, fitted anew over repeated random splits of the same rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from mlops_assets.errors import NotEvaluated
from mlops_assets.metrics.catalogue import METRICS
from mlops_assets.registry.provenance import features_of, fetched_artefact, model_of

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from mlops_assets.comparison.difference import Difference
    from mlops_assets.declaration.spec import SystemSpec
    from mlops_assets.features.version import FeaturesVersion
    from mlops_assets.registry.session import RegistrySession
    from mlops_assets.registry.version import RegisteredVersion

TEST_SHARE = 0.1
"""Of each split."""


@dataclass(frozen=True)
class Rematch:
    """Whether one learner is better than the other, which two fitted models on one test part cannot say."""

    metric: str
    splits: int
    rows: int
    """Train and validation rows of the newer version; the test part stays out."""
    difference: "Difference"
    """The newer version's learner less the older one's, turned so that positive is better; per split, averaged."""


def rematch(
    session: "RegistrySession",
    first: int,
    second: int,
    splits: int,
    progress: Callable[[int], None] = lambda done: None,
) -> Rematch:
    """Fit both versions' pipelines anew on each of ``splits`` random 90/10 splits and test the mean difference.

    The variance is corrected for the overlap of the splits (Nadeau & Bengio 2003). Copies and groups stay together.

    Raises:
        NotEvaluated: if a pipeline cannot be fitted anew on these rows, or the splits give no difference to test.
        StorageError: if an artefact is not what was registered.
    """
    from sklearn.model_selection import GroupShuffleSplit

    from mlops_assets.comparison.resampled_t import corrected_resampled_t
    from mlops_assets.features.table import read_features

    older, newer = (session.version(number) for number in sorted((first, second)))
    features = features_of(session.storage, model_of(session.storage, newer))
    pipelines = [_learner(session, version, features) for version in (older, newer)]
    rows = read_features(session.storage, features)
    rows = rows.loc[rows["_part"].isin(["train", "validation"])].reset_index(drop=True)
    metric = session.spec.primary_metric
    sign = 1 if METRICS[metric].greater_is_better else -1
    differences = []
    draws = GroupShuffleSplit(splits, test_size=TEST_SHARE, random_state=session.spec.model.seed)
    for done, (train, test) in enumerate(draws.split(rows, groups=rows["_identity"])):
        old, new = (
            _value(session.spec, features, pipeline, rows.iloc[train], rows.iloc[test]) for pipeline in pipelines
        )
        differences.append(sign * (new - old))
        progress(done + 1)
    difference = corrected_resampled_t(differences, TEST_SHARE, session.spec.registry.confidence)
    return Rematch(metric, splits, len(rows), difference)


def _learner(session: "RegistrySession", version: "RegisteredVersion", features: "FeaturesVersion") -> "Pipeline":
    from mlops_assets.model.artefact import load

    model = model_of(session.storage, version)
    if features_of(session.storage, model).columns != features.columns:
        raise NotEvaluated(f"{version.name} takes other features")
    if model.calibration != "none" or model.decision is not None:
        raise NotEvaluated(f"{version.name} was recalibrated, or its threshold chosen, on rows that would be redrawn")
    path = fetched_artefact(session, version)
    return load(path, version.model_digest, declared=model.declared)


def _value(
    spec: "SystemSpec", features: "FeaturesVersion", pipeline: "Pipeline", train: pd.DataFrame, test: pd.DataFrame
) -> float:
    """The metric that decides, on ``test``, of the pipeline fitted anew on ``train``."""
    from sklearn.base import clone

    from mlops_assets.metrics.outcomes import read_outcomes
    from mlops_assets.metrics.scoring import values
    from mlops_assets.model.prediction import predict
    from mlops_assets.model.target import target_values
    from mlops_assets.model.training import one_blas_thread

    fitted: Any = clone(pipeline)
    with one_blas_thread():
        fitted.fit(train.loc[:, features.names], target_values(features, train))
    truth, predictions = target_values(features, test), predict(fitted, test.loc[:, features.names])
    outcomes = read_outcomes(spec.task, truth, predictions, features.classes or (), spec.evaluation.positive)
    value = values([spec.primary_metric], outcomes)[spec.primary_metric]
    if value is None:
        raise NotEvaluated(f"{spec.primary_metric} is undefined on a split's {len(test)} test rows")
    return value
