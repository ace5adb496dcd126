"""What the model stage publishes: one fitted pipeline, logged with MLflow."""

from typing import Any, ClassVar

from mlops_assets.model.threshold import DecisionThreshold
from mlops_assets.storage.places import ArtefactUri
from mlops_assets.storage.records import Record
from mlops_assets.verdict import Verdict


class ModelVersion(Record):
    """One fitted model; its digest is that of the artefact's canonical content."""

    stage: ClassVar[str] = "model"

    features_digest: str
    dataset_digest: str
    uri: ArtefactUri
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
    """Digests of the baseline artefacts by name (``linear``; of earlier releases ``simple``, too)."""
    calibration: str = "none"
    """How validation rows mended the probabilities."""
    calibration_note: str = ""
    """What recalibration did to the log loss of rows that it was not made from."""
    calibration_rows: int = 0
    decision: DecisionThreshold | None = None
    """The threshold of the positive class, where one was chosen."""
    intervals_digest: str | None = None
    """SHA-256 of ``intervals.json`` beside the artefact, where there are intervals."""
    intervals_note: str = ""
    """What the intervals are, or why there are none."""
    code_version: str = ""
    git_commit: str = ""
    """Commit of the platform; empty where it is installed."""
    owner_commits: dict[str, str] = {}
    """Commits of the ``declaration`` and of the code that it names, by dotted path, where git keeps them."""

    code_digest: str = ""
    """What the code that makes its features, and its own classes, are known by; empty in models of earlier releases."""
    verdicts: list[Verdict] = []
    """``learned``; none in models of earlier releases."""
    sealed_code: str = ""
    """SHA-256 of ``code/seal.json`` with its MLflow run; empty in models of earlier releases."""

    @property
    def data_version(self) -> str:
        """What decides whether later stages are up to date: the artefact and the intervals beside it."""
        return f"{self.digest}+{self.intervals_digest}" if self.intervals_digest else self.digest
