"""What the registry stage publishes: a registered version with its evidence, and each champion decision."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from mlops_assets.errors import GateRefused
from mlops_assets.evaluation.terms import Terms, differences
from mlops_assets.model.version import ModelVersion
from mlops_assets.registry.manifest import SealedFile
from mlops_assets.storage.places import ArtefactUri
from mlops_assets.storage.records import Record
from mlops_assets.verdict import Verdict, require_passed

SHOWN = 5
"""Differences that a refusal names."""


class RegisteredVersion(Record):
    """One model version of the registry, bound to exactly one model and one report.

    Its digest is that of the report.
    """

    stage: ClassVar[str] = "registered_version"

    version: int
    model_digest: str
    model_uri: ArtefactUri
    intervals_digest: str | None = None
    """SHA-256 of the prediction intervals beside the artefact, where there are any."""
    features_digest: str
    dataset_digest: str
    predictions_uri: ArtefactUri
    predictions_digest: str
    verdicts: list[Verdict] = []
    manifest: list[SealedFile] = []
    """Every file that it rests on in MLflow; empty in records of releases that sealed the artefacts alone."""

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


def require_declared_terms(declared: Terms, judged: Terms, model: ModelVersion) -> None:
    """Raise GateRefused unless a report judged by exactly the terms that are declared now."""
    if declared == judged:
        return
    subject = f"{model.system} model {model.digest[:12]}"
    if not judged:
        raise GateRefused(
            f"{subject} is refused: its report is of an earlier release and does not state its terms. "
            "Remedy: materialise evaluation"
        )
    changed = differences(judged, declared)
    more = f"; and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
    raise GateRefused(
        f"{subject} is refused: it was judged by other terms than are declared: {'; '.join(changed[:SHOWN])}{more}. "
        f"Remedy: materialise {_first_stage(changed)} and what follows"
    )


def _first_stage(changed: Sequence[str]) -> str:
    """Where to begin so that everything is made by the present terms."""
    begins = {"dataset": "dataset", "features": "features", "model": "model", "code": "features"}
    stages = [begins.get(key.partition(".")[0], "evaluation") for key in changed]
    return min(stages, key=("dataset", "features", "model", "evaluation").index)
