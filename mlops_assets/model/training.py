"""Training: one pipeline and its baselines, fitted on train rows only."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_assets.declared import one_of
from mlops_assets.errors import TrainingError
from mlops_assets.model.estimator import effective_params, estimator_path
from mlops_assets.model.pipeline import make_baselines, make_pipeline
from mlops_assets.model.traces import remove_traces

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from sklearn.pipeline import Pipeline

    from mlops_assets.features.version import FeaturesVersion
    from mlops_assets.spec import SystemSpec


@dataclass(frozen=True, eq=False)
class Trained:
    """A fitted pipeline, its baselines, and what made them."""

    pipeline: "Pipeline"
    baselines: "dict[str, Pipeline]"
    """``simple`` (majority or mean) and ``linear``, fitted on the same rows."""
    estimator: str
    """Dotted path."""
    params: dict[str, Any]
    seed: int
    rows: int
    seconds: float
    """Wall time of fitting the pipeline, without the baselines."""


def train(spec: "SystemSpec", features: "FeaturesVersion", rows: "pd.DataFrame") -> Trained:
    """Fit what ``spec`` declares; equal rows give models with equal digests.

    ``rows`` holds the feature columns, the target and ``_part``.

    Raises:
        TrainingError: if a row is not of the train part, or the rows cannot teach the task.
    """
    _check_rows(features, rows)
    if spec.model.target_transform == "log" and features.classes is None:
        _check_positive(features, rows)
    inputs, target = rows[features.names], _target(features, rows)
    pipeline = make_pipeline(spec, features)
    started = time.perf_counter()
    with one_blas_thread():
        pipeline.fit(inputs, target)
        seconds = time.perf_counter() - started
        baselines = {name: model.fit(inputs, target) for name, model in make_baselines(spec, features).items()}
    remove_traces(pipeline)
    return Trained(
        pipeline=pipeline,
        baselines=baselines,
        estimator=estimator_path(spec),
        params=effective_params(spec),
        seed=spec.model.seed,
        rows=len(rows),
        seconds=seconds,
    )


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep linear algebra in one thread: the order of its sums, and so the model, would follow the core count."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield


def _check_rows(features: "FeaturesVersion", rows: "pd.DataFrame") -> None:
    missing = {*features.names, features.target, "_part"} - set(rows.columns)
    if missing:
        raise TrainingError(f"{features.system}: the rows have no column {one_of(missing)}")
    if rows.empty:
        raise TrainingError(f"{features.system}: there are no rows to train on")
    others = rows.loc[rows["_part"] != "train", "_part"]
    if len(others):
        found = dict(Counter(others.astype(str)))
        raise TrainingError(f"{features.system}: only train rows may train a model; also given: {found}")
    _check_finite(features, rows)


def _check_finite(features: "FeaturesVersion", rows: "pd.DataFrame") -> None:
    import numpy as np

    empty = int(rows[features.target].isna().sum())
    if empty:
        raise TrainingError(
            f"{features.system}: the target {features.target!r} is empty in {empty} of {len(rows)} rows"
        )
    names = [column.name for column in features.columns if column.kind == "numeric"]
    names += [] if features.classes is not None else [features.target]
    infinite = [name for name in names if np.isinf(rows[name].to_numpy(dtype=float)).any()]
    if infinite:
        raise TrainingError(f"{features.system}: infinite values in {one_of(infinite)}")


def _check_positive(features: "FeaturesVersion", rows: "pd.DataFrame") -> None:
    found = int((rows[features.target] <= 0).sum())
    if found:
        raise TrainingError(
            f"{features.system}: target_transform 'log' needs a positive {features.target!r}; {found} of {len(rows)} "
            "rows are not. Remedy: target_transform: none, or a minimum in the contract"
        )


def _target(features: "FeaturesVersion", rows: "pd.DataFrame") -> "np.ndarray":
    import numpy as np

    if features.classes is None:
        return rows[features.target].to_numpy(dtype=float)
    _check_classes(features, rows)
    kind = type(features.classes[0])
    return rows[features.target].to_numpy(dtype={bool: bool, int: np.int64}.get(kind, object))


def _check_classes(features: "FeaturesVersion", rows: "pd.DataFrame") -> None:
    expected, found = set(features.classes or ()), set(rows[features.target].unique())
    if len(found) < 2:
        raise TrainingError(f"{features.system}: all {len(rows)} train rows are of class {one_of(found)}")
    if found - expected:
        raise TrainingError(f"{features.system}: {one_of(found - expected)} is not a class of {features.target!r}")
    if expected - found:
        raise TrainingError(f"{features.system}: no train row is of class {one_of(expected - found)}")
