"""The model card of a registered version: filled from its evidence, with a mark where a person must write."""

from typing import TYPE_CHECKING

from mlops_assets.card import basis, findings
from mlops_assets.card.annex import annex
from mlops_assets.card.document import Block, CardPart, CardTable, CardText, Cell, Facts, Missing, Section, listed
from mlops_assets.card.dossier import Dossier, dossier
from mlops_assets.card.spec import CardSpec
from mlops_assets.metrics.formatting import figure
from mlops_assets.registry.grounds import GROUNDS

if TYPE_CHECKING:
    from mlops_assets.registry.session import RegistrySession
    from mlops_assets.storage.ledger_entry import Entry

LABELS = {
    "intended_use": "Intended use",
    "out_of_scope": "Out of scope",
    "human_oversight": "Human oversight",
    "limitations": "Known limits",
    "provider": "Provider",
    "contact": "Contact",
    "deployment": "Where it runs",
    "instructions": "Instructions for use",
    "design": "Design",
    "data_origin": "Origin of the data",
    "metric_choice": "Choice of metrics",
    "risks": "Risks",
    "cybersecurity": "Cybersecurity",
    "standards": "Standards",
    "conformity": "Conformity",
    "monitoring": "Monitoring",
}

PURPOSE = ("intended_use", "out_of_scope", "human_oversight", "risks", "provider", "contact")
USE = ("deployment", "instructions", "monitoring", "cybersecurity", "standards", "conformity")


class Card(CardPart):
    """One version's card; equal evidence gives equal cards."""

    system: str
    version: int
    description: str
    standing: str
    """Whether it is, was, or never was champion."""
    champion: bool
    headline: tuple[str, str] | None
    """Primary metric: its value, and what it is."""
    facts: list[tuple[str, Cell]]
    missing: int
    """Texts that a person must still write."""
    sections: list[Section]

    @property
    def title(self) -> str:
        return f"{self.system.replace('_', ' ').capitalize()}, version {self.version}"


def model_card(session: "RegistrySession", number: int) -> Card:
    """The card of version ``number``.

    Raises:
        StorageError: if a record is missing, or the stored report is not the one that was recorded.
        GateRefused: if the report is about another model, or did not pass.
    """
    return filled(dossier(session, number))


def filled(known: Dossier) -> Card:
    """The card of what is known."""
    sections = _sections(known)
    return Card(
        system=known.spec.name,
        version=known.version.version,
        description=known.spec.description,
        standing=_standing(known),
        champion=any(end is None for _, end in known.terms),
        headline=_headline(known),
        facts=_glance(known),
        missing=sum(isinstance(block, Missing) for section in sections for block in section.blocks),
        sections=sections,
    )


def _sections(known: Dossier) -> list[Section]:
    declared = known.spec.card
    return [
        _purpose(known),
        _with(basis.data(known), _text(declared, "data_origin")),
        basis.contract(known),
        basis.features(known),
        _with(basis.training(known), _text(declared, "design")),
        _with(findings.evaluation(known), _text(declared, "metric_choice")),
        findings.fairness(known),
        findings.intervals(known),
        Section(title="Limits", blocks=[_text(declared, "limitations"), *findings.limits(known)]),
        _decisions(known),
        _operation(known),
        annex(known),
        _digests(known),
    ]


def _purpose(known: Dossier) -> Section:
    declared = known.spec.card
    what: Block = (
        CardText(label="What it decides", text=known.spec.description)
        if known.spec.description.strip()
        else Missing(label="What it decides", key="description", what="What the system decides, for whom.")
    )
    owners: Block = (
        CardText(label="Owners", text=listed(known.spec.owners))
        if known.spec.owners
        else Missing(label="Owners", key="owners", what="Who answers for the system.")
    )
    return Section(title="Purpose and use", blocks=[what, *(_text(declared, key) for key in PURPOSE), owners])


def _text(declared: CardSpec, key: str) -> Block:
    written = getattr(declared, key).strip()
    if written:
        return CardText(label=LABELS[key], text=written)
    return Missing(label=LABELS[key], key=f"card.{key}", what=CardSpec.model_fields[key].description or "")


def _with(section: Section, *blocks: Block) -> Section:
    return section.model_copy(update={"blocks": [*blocks, *section.blocks]})


def _standing(known: Dossier) -> str:
    if known.terms:
        begin, end = known.terms[-1]
        until = f"Champion until {_day(end.at)}" if end else f"Champion since {_day(begin.at)}"
        return f"{until}: {begin.reason}"
    last = next(
        (entry for entry in reversed(known.own_entries) if entry.event in ("archived", "declined", "requested")), None
    )
    states = {"archived": "archived", "declined": "declined by a person", "requested": "waiting for approval"}
    return f"Registered, never champion{f'; {states[last.event]} on {_day(last.at)}' if last else ''}"


def _headline(known: Dossier) -> tuple[str, str] | None:
    metric = known.report.metric(known.report.primary)
    if metric is None or metric.value is None:
        return None
    text = metric.title
    if metric.interval:
        text += f", {known.report.confidence:.0%} interval {figure(metric.interval[0])} to {figure(metric.interval[1])}"
    simple = metric.baselines.get("simple")
    return figure(metric.value), text + (f"; simple baseline {figure(simple.value)}" if simple else "")


def _glance(known: Dossier) -> list[tuple[str, Cell]]:
    gates = known.report.gates
    return [
        ("Task", f"{known.report.task} of {known.report.target}"),
        ("Gates passed", f"{sum(gate.passed for gate in gates)} of {len(gates)}"),
        ("Rows of data", known.dataset.rows),
        ("Test rows", known.report.test_rows),
        ("Registered", _day(known.registered.at) if known.registered else "not in the ledger"),
        ("Estimator", known.model.estimator.replace(":", ".").rpartition(".")[2]),
        ("Owners", listed(known.spec.owners) or "not declared"),
    ]


def _decisions(known: Dossier) -> Section:
    rows: list[list[Cell]] = [
        [entry.sequence, _moment(entry.at), entry.event, entry.version, entry.by, _why(entry), entry.hash[:12]]
        for entry in known.own_entries
    ]
    columns = ["Entry", "When (UTC)", "What", "Version", "Who", "Why", "Hash"]
    terms: list[list[Cell]] = [
        [begin.generation, _moment(begin.at), _moment(end.at) if end else "today", end.event if end else None]
        for begin, end in known.terms
    ]
    blocks: list[Block] = [CardTable(caption="Entries of the ledger about this version", columns=columns, rows=rows)]
    if terms:
        named = ["Generation", "From (UTC)", "Until", "Ended by"]
        blocks.insert(0, CardTable(caption="When it was champion", columns=named, rows=terms))
    if known.ledger_fault:
        warning = f"{known.ledger_fault}. What it says is not proven: mlops ledger verify {known.spec.name}"
        blocks.insert(0, CardText(label="The ledger is not the one that was noted", text=warning))
    return Section(title="Decisions", blocks=blocks)


def _why(entry: "Entry") -> str:
    return "; ".join(filter(None, [entry.reason, entry.asked_less]))


def _operation(known: Dossier) -> Section:
    spec, registry, automation = known.spec, known.spec.registry, known.spec.automation
    policy = registry.promotion
    by_environment = (
        ", ".join(f"{where}: {how}" for where, how in policy.items()) if isinstance(policy, dict) else policy
    )
    compared = "declared cost" if registry.cost else registry.metric or known.report.primary
    looks = "each look" if spec.looks == 1 else f"{spec.looks} looks together"
    facts: list[tuple[str, Cell]] = [
        ("Who promotes", by_environment),
        ("Compared by", f"{compared}, margin {registry.margin:g}, {registry.confidence:.0%} confidence of {looks}"),
        ("Grounds for promotion", listed(GROUNDS[ground].title for ground in registry.promote_on)),
        ("Guards", listed(guard.name for guard in registry.guards) or "none"),
        ("Trained on a schedule", automation.train or "no"),
        ("Trained on new data", "yes" if automation.on_new_data else "no"),
        ("Put the champion before it back", f"mlops rollback {spec.name} --reason …"),
        ("Check every digest", f"mlops verify {spec.name} {known.version.version}"),
    ]
    return Section(title="Operation", blocks=[Facts(items=facts), *(_text(spec.card, key) for key in USE)])


def _digests(known: Dossier) -> Section:
    model, version = known.model, known.version
    last = known.entries[-1] if known.entries else None
    named = {
        "Report": version.digest,
        "Model": model.digest,
        "ONNX copy": model.onnx_digest,
        "Prediction intervals": model.intervals_digest,
        **{f"Baseline {name}": digest for name, digest in sorted(model.baselines.items())},
        "Test predictions": version.predictions_digest,
        "Features": known.features.digest,
        "Split": known.features.plan.digest,
        "Dataset": known.dataset.digest,
        "Code version": model.code_version,
        "Ledger, last entry": last.hash if last else None,
    }
    facts: list[tuple[str, Cell]] = [(name, digest) for name, digest in named.items() if digest]
    text = (
        "The report was read again and has its recorded digest; otherwise there would be no card. The other digests "
        f"are those on record: mlops verify {known.spec.name} {version.version} checks what is stored against them."
    )
    return Section(title="Digests", blocks=[CardText(text=text), Facts(items=facts)])


def _day(at: str) -> str:
    return at[:10]


def _moment(at: str) -> str:
    return at[:19].replace("T", " ")
