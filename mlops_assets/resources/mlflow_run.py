"""The MLflow run that is active: what the stages log with it, in their words."""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from sklearn.pipeline import Pipeline


@dataclass(frozen=True)
class MlflowRun:
    """One run, started and active in this process."""

    run_id: str

    def log_facts(self, params: Mapping[str, object], tags: Mapping[str, object], texts: Mapping[str, str]) -> None:
        """Parameters, tags, and texts by the name of their file."""
        import mlflow

        mlflow.log_params(dict(params))
        mlflow.set_tags(dict(tags))
        for name, text in texts.items():
            mlflow.log_text(text, name)

    def log_files(self, paths: Iterable[Path], place: str) -> None:
        """Files, as artefacts below the folder ``place``."""
        import mlflow

        for path in paths:
            mlflow.MlflowClient().log_artifact(self.run_id, str(path), place)

    def log_metrics(self, values: Mapping[str, float], model_uri: str, model_run_id: str) -> None:
        """Test metrics of a model: on this run, on the run that trained it, and on the model itself."""
        import mlflow
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        model_of_run = {self.run_id: None} | {model_run_id: model_uri.rpartition("/")[2]}
        for run_id, model_id in model_of_run.items():
            metrics = [Metric(f"test_{name}", value, now, 0, model_id=model_id) for name, value in values.items()]
            mlflow.MlflowClient().log_batch(run_id, metrics=metrics)

    def log_model(
        self,
        pipeline: "Pipeline",
        example: "pd.DataFrame",
        predictions: "np.ndarray",
        trusted_types: list[str],
        requirements: list[str],
    ) -> str:
        """A fitted pipeline as skops with signature and input example; its ``models:/m-…`` URI."""
        import mlflow

        with _example_not_tried():
            return mlflow.sklearn.log_model(
                pipeline,
                name="model",
                signature=mlflow.models.infer_signature(example, predictions),
                input_example=example.head(5),
                pip_requirements=requirements,
                serialization_format="skops",
                skops_trusted_types=trusted_types,
            ).model_uri

    def log_beside_model(self, uri: str, paths: Iterable[Path]) -> None:
        """Files that travel with the model at ``uri``."""
        import mlflow

        for path in paths:
            mlflow.MlflowClient().log_model_artifact(uri.rpartition("/")[2], str(path))


@contextmanager
def _example_not_tried() -> Iterator[None]:
    """Without MLflow's warning that it could not load the model to try the example: here it may load none.

    That the stored artefact repeats the pipeline's predictions is shown before it is logged.
    """

    def other(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("Failed to validate serving input example")

    logger = logging.getLogger("mlflow.models.model")
    logger.addFilter(other)
    try:
        yield
    finally:
        logger.removeFilter(other)
