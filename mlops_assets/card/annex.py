"""Annex IV of Regulation (EU) 2024/1689: what technical documentation of a high-risk AI system must contain.

Each point is paraphrased. This maps evidence to points; it is no legal assessment.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_assets.card.document import Block, CardPoint, CardPoints, CardText, Section

if TYPE_CHECKING:
    from mlops_assets.card.dossier import Dossier

TITLE = "Technical documentation under the EU AI Act"
DISCLAIMER = (
    "The points below paraphrase Annex IV of Regulation (EU) 2024/1689, which lists the technical documentation of "
    "high-risk AI systems. This is no legal assessment: it does not say whether the system is one, nor whether what is "
    "written is enough. It says which evidence the platform holds for a point, and where a person must write."
)


@dataclass(frozen=True)
class AnnexPoint:
    """One point, the sections of the card with evidence for it, and the declared texts that a person owes."""

    number: str
    asks: str
    evidence: str = ""
    sections: tuple[str, ...] = ()
    owed: tuple[str, ...] = ()


POINTS = (
    AnnexPoint(
        "1(a)",
        "Intended purpose, provider, version and its relation to earlier versions",
        "Version and earlier versions are in the ledger.",
        ("Purpose and use", "Decisions"),
        ("intended_use", "provider"),
    ),
    AnnexPoint("1(b)", "Interaction with other hardware, software and AI systems", owed=("deployment",)),
    AnnexPoint(
        "1(c)",
        "Versions of software, and requirements on updating it",
        "The libraries of the training run are recorded.",
        ("Training",),
        ("instructions",),
    ),
    AnnexPoint(
        "1(d)",
        "Forms in which it is placed on the market or put into service",
        "An MLflow model: a skops file, and an ONNX copy where there is one.",
        ("Training",),
        ("deployment",),
    ),
    AnnexPoint("1(e)", "Hardware on which it is to run", owed=("deployment",)),
    AnnexPoint("1(f)", "Where it is part of a product: external features, marking, layout", owed=("deployment",)),
    AnnexPoint("1(g)", "User interface for the deployer", owed=("instructions",)),
    AnnexPoint(
        "1(h)",
        "Instructions for use",
        "The columns that an input must have are declared.",
        ("Contract",),
        ("instructions",),
    ),
    AnnexPoint(
        "2(a)",
        "Methods and steps of development, and third-party tools",
        "Each step from landed file to version is recorded.",
        ("Data", "Features and split", "Training"),
        ("design",),
    ),
    AnnexPoint(
        "2(b)",
        "Design: logic, key choices and their rationale, what it optimises for, trade-offs",
        "Estimator, parameters, primary metric and what the model relies on are recorded; the reasons are not.",
        ("Features and split", "Training", "Evaluation"),
        ("design",),
    ),
    AnnexPoint(
        "2(c)",
        "Architecture, and computing resources used",
        "Only the time of fitting is recorded.",
        ("Training",),
        ("design", "deployment"),
    ),
    AnnexPoint(
        "2(d)",
        "Data requirements: provenance, scope, selection, labelling, cleaning",
        "Batches, contract, quarantine and checks are recorded; where the files come from is not.",
        ("Data", "Contract", "Features and split"),
        ("data_origin",),
    ),
    AnnexPoint("2(e)", "Human oversight measures", owed=("human_oversight",)),
    AnnexPoint(
        "2(f)",
        "Changes determined in advance, and how compliance is kept",
        "When it is trained again and what a new version must show is declared.",
        ("Operation",),
        ("monitoring",),
    ),
    AnnexPoint(
        "2(g)",
        "Validation and testing: data, metrics, discriminatory impact, dated and signed reports",
        "The report is bound to model and data by digest and its date is in the ledger; it is not signed by a person.",
        ("Evaluation", "Fairness", "Prediction intervals", "Digests"),
        ("metric_choice",),
    ),
    AnnexPoint(
        "2(h)",
        "Cybersecurity measures",
        "Artefacts load without pickle and by digest, and the ledger is chained by hashes: mlops verify checks both.",
        ("Digests", "Operation"),
        ("cybersecurity",),
    ),
    AnnexPoint(
        "3",
        "Monitoring, functioning and control: capabilities and limits, accuracy for groups, risks, input data",
        "Accuracy with intervals, by slice and group where examined, and the input's contract are recorded.",
        ("Evaluation", "Fairness", "Limits", "Contract"),
        ("limitations", "risks", "human_oversight"),
    ),
    AnnexPoint(
        "4",
        "Why the performance metrics are appropriate",
        "Which metrics, bounds and baselines were used is recorded; why is not.",
        ("Evaluation",),
        ("metric_choice",),
    ),
    AnnexPoint("5", "Risk management system (Article 9)", owed=("risks",)),
    AnnexPoint(
        "6",
        "Relevant changes through the lifecycle",
        "Every registration, verdict, approval and change of champion is in the ledger.",
        ("Decisions",),
    ),
    AnnexPoint("7", "Harmonised standards or other specifications applied", owed=("standards",)),
    AnnexPoint("8", "EU declaration of conformity (Article 47)", owed=("conformity",)),
    AnnexPoint("9", "Post-market monitoring plan (Article 72)", owed=("monitoring",)),
)


def annex(known: "Dossier") -> Section:
    """Every point, with the evidence for it and the texts that are there or missing."""
    declared = known.spec.card
    points = [
        CardPoint(
            number=point.number,
            asks=point.asks,
            evidence=point.evidence,
            sections=list(point.sections),
            written=[f"card.{key}" for key in point.owed if getattr(declared, key).strip()],
            missing=[f"card.{key}" for key in point.owed if not getattr(declared, key).strip()],
        )
        for point in POINTS
    ]
    blocks: list[Block] = [CardText(text=DISCLAIMER), CardPoints(points=points)]
    return Section(title=TITLE, blocks=blocks)
