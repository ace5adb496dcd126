"""What the model stage publishes: one fitted pipeline, logged with MLflow."""

from typing import Any, ClassVar

from mlops_assets.records import Record


class ModelVersion(Record):
    """One fitted model; its digest is that of the artefact's canonical content."""

    stage: ClassVar[str] = "model"

    features_digest: str
    dataset_digest: str
    uri: str
    """MLflow model URI, ``models:/m-…``."""
    mlflow_run_id: str
    estimator: str
    params: dict[str, Any]
    declared: list[str]
    """Dotted paths of the declared classes that the artefact may hold."""
    seed: int
    train_rows: int
    seconds: float
    """Wall time of fitting."""
    onnx_digest: str | None = None
    """SHA-256 of the ONNX copy, where there is one."""
    onnx_note: str = ""
    """How the ONNX copy compared, or why there is none."""
    baselines: dict[str, str] = {}
    """Digests of the baseline artefacts by name (``simple``, ``linear``)."""
    code_version: str = ""
    git_commit: str = ""
