"""What the evaluation stage publishes: one report, bound to exactly one model and one features version."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from mlops_assets.evaluation.gate_format import upgraded_gate
from mlops_assets.model.version import ModelVersion
from mlops_assets.storage.places import ArtefactUri
from mlops_assets.storage.records import Record
from mlops_assets.verdict import Verdict


class MetricSummary(BaseModel):
    """One metric as the report gives it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: float | None
    """None: not evaluated."""
    interval: tuple[float, float] | None = None
    baselines: dict[str, float | None] = {}


class EvaluationReport(Record):
    """Where the report lies and what its gates said; its digest is the SHA-256 of ``report.json``."""

    stage: ClassVar[str] = "evaluation"

    model_digest: str
    model_uri: ArtefactUri
    features_digest: str
    dataset_digest: str
    mlflow_run_id: str
    report_uri: ArtefactUri
    html_uri: ArtefactUri
    predictions_uri: ArtefactUri
    predictions_digest: str
    """SHA-256 of the stored test predictions."""
    rows: int
    """Test rows."""
    metrics: list[MetricSummary]
    verdicts: list[Verdict]
    terms: dict[str, Any] = {}
    """What the verdicts depend on beside model and rows; empty in records of earlier releases."""

    def is_about(self, model: ModelVersion) -> bool:
        """Whether it judged exactly this model, on the features that it was trained on."""
        return (self.model_digest, self.features_digest) == (model.digest, model.features_digest)

    @classmethod
    def upgraded(cls, body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "verdicts": [upgraded_gate(verdict) for verdict in body["verdicts"]]}
