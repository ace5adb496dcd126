"""Training: one pipeline and its baselines, fitted on train rows only."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mlops_assets.declaration.base import one_of
from mlops_assets.errors import NotEvaluated, TrainingError
from mlops_assets.model.determinism import remove_traces
from mlops_assets.model.estimator import effective_params, estimator_path
from mlops_assets.model.held_out import HeldOut, held_out_rows, positive_class
from mlops_assets.model.pipeline import make_baselines, make_pipeline
from mlops_assets.model.prediction import predict
from mlops_assets.model.prediction_intervals import Intervals, fit_intervals
from mlops_assets.model.recalibration import Recalibration, recalibrated_if_better
from mlops_assets.model.target import target_values
from mlops_assets.model.threshold import DecisionThreshold, choose, deciding

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from mlops_assets.declaration.spec import SystemSpec
    from mlops_assets.features.version import FeaturesVersion


@dataclass(frozen=True, eq=False)
class Trained:
    """A fitted pipeline, its baselines, and what made them."""

    pipeline: "Pipeline"
    baselines: "dict[str, Pipeline]"
    """``linear``, fitted on the same rows."""
    estimator: str
    """Dotted path."""
    params: dict[str, object]
    seed: int
    rows: int
    seconds: float
    """Wall time of fitting the pipeline, without the baselines."""
    calibration: str = "none"
    """How the probabilities were recalibrated; ``none`` also where that would not have helped."""
    calibration_note: str = ""
    calibration_rows: int = 0
    """Validation rows that recalibrated the probabilities, or showed that this would not help."""
    decision: DecisionThreshold | None = None
    """The threshold that ``pipeline`` decides by, where one is declared."""
    intervals: Intervals | None = None
    intervals_note: str = ""
    """What the intervals are, or why there are none."""


def train(
    spec: "SystemSpec", features: "FeaturesVersion", rows: pd.DataFrame, validation: pd.DataFrame | None = None
) -> Trained:
    """Fit what ``spec`` declares; equal rows give models with equal digests.

    ``rows`` are of the train part: feature columns, target and ``_part``. ``validation`` are the rows, with
    ``_identity`` and context columns as ``@name``, on which the fitted pipeline is recalibrated, its decision
    threshold chosen and its intervals fitted.

    Raises:
        TrainingError: if a row is of the wrong part, or the rows cannot teach what is declared.
    """
    _check_rows(features, rows)
    if spec.model.target_transform == "log" and features.classes is None:
        _check_positive(features, rows)
    held_out = held_out_rows(spec, features, rows.iloc[:0] if validation is None else validation)
    inputs, target = rows[features.names], _target(features, rows)
    pipeline = make_pipeline(spec, features)
    started = time.perf_counter()
    with one_blas_thread():
        pipeline.fit(inputs, target)
        seconds = time.perf_counter() - started
        baselines = {name: model.fit(inputs, target) for name, model in make_baselines(spec, features).items()}
        remove_traces(pipeline)
        calibration = _recalibrated(spec, pipeline, held_out)
        calibrated = calibration.pipeline
        intervals, note = _intervals(spec, calibrated, held_out)
        decision = _decision(spec, calibrated, held_out)
        if decision:
            calibrated = deciding(calibrated, decision, held_out.inputs(), held_out.truth())
    return Trained(
        pipeline=calibrated,
        baselines=baselines,
        estimator=estimator_path(spec),
        params=effective_params(spec),
        seed=spec.model.seed,
        rows=len(rows),
        seconds=seconds,
        calibration=calibration.method,
        calibration_note=calibration.note,
        calibration_rows=int(held_out.calibration.sum()) if spec.model.calibration != "none" else 0,
        decision=decision,
        intervals=intervals,
        intervals_note=note,
    )


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep linear algebra in one thread: the order of its sums, and so the model, would follow the core count."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield


def _recalibrated(spec: "SystemSpec", pipeline: "Pipeline", held_out: HeldOut) -> Recalibration:
    method, mask = spec.model.calibration, held_out.calibration
    if method == "none":
        return Recalibration(pipeline, "none", "")
    identities = held_out.chosen(mask)["_identity"].to_numpy()
    return recalibrated_if_better(pipeline, method, held_out.inputs(mask), held_out.truth(mask), identities)


def _decision(spec: "SystemSpec", pipeline: "Pipeline", held_out: HeldOut) -> DecisionThreshold | None:
    if spec.model.threshold is None:
        return None
    positive = positive_class(spec, held_out.features)
    probabilities = pipeline.predict_proba(held_out.inputs())[:, pipeline.classes_.tolist().index(positive)]
    return choose(spec.model.threshold, probabilities, held_out.truth() == positive, positive)


def _intervals(spec: "SystemSpec", pipeline: "Pipeline", held_out: HeldOut) -> tuple[Intervals | None, str]:
    """Fitted before a threshold rules the labels: sets are made of probabilities, which it leaves as they are."""
    declared, rows = spec.model.intervals, held_out.chosen(held_out.intervals)
    if declared is None:
        return None, "switched off by model.intervals"
    if rows.empty:
        return None, "there are no validation rows"
    column = rows.get(f"@{declared.by}")
    try:
        predictions = predict(pipeline, held_out.inputs(held_out.intervals))
        intervals = fit_intervals(declared, predictions, held_out.truth(held_out.intervals), column)
    except NotEvaluated as reason:
        return None, str(reason)
    return intervals, f"{intervals.coverage:.0%} coverage, fitted on {intervals.rows} validation rows"


def _check_rows(features: "FeaturesVersion", rows: pd.DataFrame) -> None:
    missing = {*features.names, features.target, "_part"} - set(rows.columns)
    if missing:
        raise TrainingError(f"{features.system}: the rows have no column {one_of(missing)}")
    if rows.empty:
        raise TrainingError(f"{features.system}: there are no rows to train on")
    others = rows.loc[rows["_part"] != "train", "_part"]
    if len(others):
        counts = dict(Counter(others.astype(str)))
        raise TrainingError(f"{features.system}: only train rows may train a model; also given: {counts}")
    _check_finite(features, rows)


def _check_finite(features: "FeaturesVersion", rows: pd.DataFrame) -> None:

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


def _check_positive(features: "FeaturesVersion", rows: pd.DataFrame) -> None:
    refused = int((rows[features.target] <= 0).sum())
    if refused:
        raise TrainingError(
            f"{features.system}: target_transform 'log' needs a positive {features.target!r}; {refused} of {len(rows)} "
            "rows are not. Remedy: target_transform: none, or a minimum in the contract"
        )


def _target(features: "FeaturesVersion", rows: pd.DataFrame) -> np.ndarray:
    if features.classes is not None:
        _check_classes(features, rows)
    return target_values(features, rows)


def _check_classes(features: "FeaturesVersion", rows: pd.DataFrame) -> None:
    expected, present = set(features.classes or ()), set(rows[features.target].unique())
    if len(present) < 2:
        raise TrainingError(f"{features.system}: all {len(rows)} train rows are of class {one_of(present)}")
    if present - expected:
        raise TrainingError(f"{features.system}: {one_of(present - expected)} is not a class of {features.target!r}")
    if expected - present:
        raise TrainingError(f"{features.system}: no train row is of class {one_of(expected - present)}")
