"""What the registry stage publishes: a registered version with its evidence, and each champion decision."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from mlops_assets.errors import GateRefused
from mlops_assets.evaluation.spec import GateSpec
from mlops_assets.model.version import ModelVersion
from mlops_assets.storage.records import Record
from mlops_assets.verdict import Verdict, require_passed


class RegisteredVersion(Record):
    """One model version of the registry, bound to exactly one model and one report.

    Its digest is that of the report.
    """

    stage: ClassVar[str] = "registered_version"

    version: int
    model_digest: str
    model_uri: str
    intervals_digest: str | None = None
    """SHA-256 of the prediction intervals beside the artefact, where there are any."""
    features_digest: str
    dataset_digest: str
    predictions_uri: str
    predictions_digest: str
    verdicts: list[Verdict] = []

    @property
    def name(self) -> str:
        return f"{self.system} version {self.version}"


class ChampionDecision(Record):
    """What was decided about a registered version, and why; its digest is that of its report."""

    stage: ClassVar[str] = "champion"

    declaration: str
    """Digest of the declaration and engineering code that led here; unchanged means nothing to run again."""
    version: int
    decision: Literal["promoted", "kept", "requested"]
    """``kept``: the champion stays. ``requested``: it stays until a person approves."""
    standing: str = ""
    """``superior``, ``non-inferior``, ``inferior``, ``undecided``, ``first`` or ``not compared``."""
    champion: int | None
    """The champion after the decision; None: there is none yet."""
    previous: int | None = None
    """The champion before it."""
    reason: str
    metric: str | None = None
    difference: float | None = None
    """Challenger minus champion, oriented so that positive is better."""
    interval: tuple[float, float] | None = None
    rows: int | None = None


def require_own_report(model_digest: str, features_digest: str, gates: Sequence[Verdict], model: ModelVersion) -> None:
    """Raise GateRefused unless a report names exactly ``model`` and its features, and every blocking gate passed."""
    subject = f"{model.system} model {model.digest[:12]}"
    require_passed(subject, gates, "mend the model or the data, then train again")
    for what, named, expected in (
        ("model", model_digest, model.digest),
        ("features version", features_digest, model.features_digest),
    ):
        if named != expected:
            raise GateRefused(
                f"{subject} is refused: its report is about {what} {named[:12]}, not {expected[:12]}. "
                "Remedy: materialise evaluation"
            )


def require_declared_gates(declared: Sequence[GateSpec], judged: Sequence[Verdict], model: ModelVersion) -> None:
    """Raise GateRefused if the declaration has a gate that the report did not judge, or judged by another bound."""
    verdicts = {verdict.name: verdict for verdict in judged}
    for gate in declared:
        verdict = verdicts.get(gate.name)
        if verdict is None or verdict.severity != gate.severity or gate.bound not in (None, verdict.bound):
            seen = f"bound {verdict.bound}, {verdict.severity}" if verdict else "no such gate"
            raise GateRefused(
                f"{model.system} model {model.digest[:12]} is refused: {gate.name} is declared with bound "
                f"{gate.bound}, {gate.severity}; its report knows {seen}. Remedy: materialise evaluation"
            )
