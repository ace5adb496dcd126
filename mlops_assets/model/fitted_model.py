"""The fitted model: a pipeline that predicts, its baselines, and what was settled beside it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pandas as pd

from mlops_assets.metrics.outcomes import Predictions
from mlops_assets.model.artefact import load
from mlops_assets.model.prediction import predict
from mlops_assets.model.prediction_intervals import FILE, Intervals, read_intervals
from mlops_assets.model.threshold import DecisionThreshold
from mlops_assets.model.version import ModelVersion

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline

    from mlops_assets.model.training import Trained

Fetch = Callable[[str, Path], Path]
"""Downloads the artefact at a URI below a folder and says where it lies."""


CONSTANT = "simple"
"""A baseline that earlier releases fitted; the best constants are made from the train rows now."""


@dataclass(frozen=True, eq=False)
class FittedModel:
    """All of one model that an evaluation needs."""

    digest: str
    pipeline: "Pipeline"
    baselines: "Mapping[str, BaseEstimator]"
    """Fitted on the same rows, by name."""
    intervals: Intervals | None = None
    intervals_note: str = ""
    """What the intervals are, or why there are none."""
    decision: DecisionThreshold | None = None
    """The threshold that ``pipeline`` decides by, where one is declared."""
    intervals_digest: str | None = None
    """Of the intervals' stored bytes."""

    @classmethod
    def of(cls, trained: "Trained", digest: str) -> Self:
        """A model straight from training."""
        return cls(
            digest=digest,
            pipeline=trained.pipeline,
            baselines=trained.baselines,
            intervals=trained.intervals,
            intervals_note=trained.intervals_note,
            decision=trained.decision,
            intervals_digest=trained.intervals.digest if trained.intervals else None,
        )

    @classmethod
    def fetched(cls, model: ModelVersion, fetch: Fetch, folder: Path) -> Self:
        """A recorded model, downloaded into ``folder`` and found unchanged.

        Raises:
            StorageError: if an artefact is not the one that was recorded.
        """
        files = fetch(model.uri, folder / "model")
        return cls(
            digest=model.digest,
            pipeline=load(files / "model.skops", model.digest, declared=model.declared),
            intervals=read_intervals(files / FILE, model.intervals_digest) if model.intervals_digest else None,
            intervals_note=model.intervals_note,
            decision=model.decision,
            intervals_digest=model.intervals_digest,
            baselines={
                name: load(fetch(f"runs:/{model.mlflow_run_id}/baselines/{name}.skops", folder), digest, model.declared)
                for name, digest in model.baselines.items()
                if name != CONSTANT
            },
        )

    def baseline_predictions(self, inputs: pd.DataFrame) -> dict[str, Predictions]:
        """What each baseline says about the same rows."""
        return {name: predict(pipeline, inputs) for name, pipeline in self.baselines.items()}
