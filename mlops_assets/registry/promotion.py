"""The decision about a challenger: judged, written into the ledger, and carried out."""

from dataclasses import replace

from mlops_assets.errors import GateRefused, StorageError
from mlops_assets.preflight import declaration_digest
from mlops_assets.registry.challenge import Challenge, challenge
from mlops_assets.registry.promotion_policy import Judgement, judge
from mlops_assets.registry.provenance import loosened, model_of, passed_report, report_of, require_sealed
from mlops_assets.registry.reconciliation import reconcile
from mlops_assets.registry.reference import MarginBudget, find_reference
from mlops_assets.registry.session import RegistrySession
from mlops_assets.registry.version import ChampionDecision, RegisteredVersion
from mlops_assets.storage.ledger_entry import Entry
from mlops_assets.verdict import require_passed


def decide(session: RegistrySession, challenger: RegisteredVersion, environment: str) -> ChampionDecision:
    """Judge ``challenger`` against the champion and act on it: promote, keep, or wait for a person.

    Raises:
        GateRefused: if its stored report is missing, foreign, not passed, or judged by other terms than declared.
        StorageError: if its evidence was changed, or another run decided this generation meanwhile.
    """
    with session.recording_refusals(challenger):
        require_admissible(session, challenger)
        reconcile(session)
        in_force = session.ledger.champion(session.system)
        judgement = _judgement(session, challenger, in_force, environment)
    if in_force is None or in_force.version != challenger.version:
        session.ledger.append(*_entries(session, challenger, in_force, judgement))
    session.settle()
    return _record(session, challenger, in_force, judgement)


def require_admissible(session: RegistrySession, version: RegisteredVersion) -> None:
    """Re-read the evidence of ``version`` as it is stored now, against the terms that are declared now.

    Raises:
        GateRefused: if its checks or a blocking gate did not pass, or its report is not its model's newest.
        StorageError: if the stored report was changed.
    """
    require_passed(version.name, version.verdicts, "materialise registered_version again")
    require_sealed(session, version)
    report = passed_report(session, model_of(session.storage, version))
    if report.digest != version.digest:
        raise GateRefused(
            f"{version.name} carries report {version.digest[:12]}, the model's newest report is "
            f"{report.digest[:12]}. Remedy: materialise registered_version, then champion"
        )


def succession(
    session: RegistrySession, version: RegisteredVersion, in_force: Entry | None, reason: str, **rest
) -> Entry:
    """The next generation after ``in_force``, and no later one; it names what asked for less than before."""
    return session.entry(
        rest.pop("event", "promoted"),
        reason,
        version,
        previous=in_force.version if in_force else None,
        generation=1 + ((in_force.generation or 0) if in_force else 0),
        details=loosened(session.spec, report_of(session.storage, version)),
        **rest,
    )


def _judgement(
    session: RegistrySession, challenger: RegisteredVersion, in_force: Entry | None, environment: str
) -> Judgement:
    declared = session.spec.registry
    by_person = declared.promotion_in(environment) == "approval"
    if in_force is None:
        decision = "requested" if by_person else "promoted"
        return Judgement(decision, "the first registered version", "first")
    if in_force.version == challenger.version:
        return Judgement("promoted", "this version is the champion already", "not compared")
    if left := _rolled_back(session, challenger):
        return Judgement("kept", f"{left}. Remedy to promote it after all: mlops approve", "not compared")
    return judge(_challenged(session, challenger, in_force), session.spec.registry, by_person)


def _challenged(session: RegistrySession, challenger: RegisteredVersion, in_force: Entry) -> Challenge:
    """Compared with the champion; and with the reference, where that is another version and a margin may be spent."""
    assert in_force.version is not None
    reference = find_reference(session.ledger, in_force)
    compared = challenge(session, challenger, session.version(in_force.version), session.spec.confidence_of_look)
    budget = MarginBudget(reference, session.spec.registry.margin, in_force.version)
    if compared.comparison is not None and budget.apart:
        before = _against(session, challenger, reference.version)
        budget = replace(budget, against=before.comparison, obstacle=before.obstacle)
    look = reference.look(challenger.version, compared.rows_digest)
    return replace(compared, look=look, looks=session.spec.looks, budget=budget)


def _against(session: RegistrySession, challenger: RegisteredVersion, reference: int) -> Challenge:
    try:
        version = session.version(reference)
        return challenge(session, challenger, version, session.spec.confidence_of_look, guarded=False)
    except StorageError as error:
        # The ledger has added up what was spent; a reference that is gone must not stop every decision to come.
        return Challenge(obstacle=str(error))


def _rolled_back(session: RegistrySession, challenger: RegisteredVersion) -> str:
    """Who rolled this version back, and why; empty if nobody did."""
    entries = session.ledger.entries(session.system, "rolled back")
    left = next((entry for entry in reversed(entries) if entry.previous == challenger.version), None)
    return f"version {challenger.version} was rolled back by {left.actor}: {left.reason}" if left else ""


def _entries(
    session: RegistrySession, challenger: RegisteredVersion, in_force: Entry | None, judgement: Judgement
) -> list[Entry]:
    previous = in_force.version if in_force else None
    details = judgement.details(session.spec.registry.margin, challenger.version)
    verdict = session.entry("verdict", judgement.reason, challenger, previous=previous, details=details)
    if judgement.decision == "promoted":
        return [verdict, succession(session, challenger, in_force, judgement.reason)]
    if judgement.decision == "requested":
        return [verdict, session.entry("requested", judgement.reason, challenger, previous=previous)]
    return [verdict]


def _record(
    session: RegistrySession, challenger: RegisteredVersion, in_force: Entry | None, judgement: Judgement
) -> ChampionDecision:
    comparison = judgement.comparison
    previous = in_force.version if in_force else None
    return ChampionDecision(
        system=challenger.system,
        digest=challenger.digest,
        declaration=declaration_digest(session.spec),
        version=challenger.version,
        decision=judgement.decision,
        standing=judgement.standing,
        champion=challenger.version if judgement.decision == "promoted" else previous,
        previous=previous,
        reason=judgement.reason,
        metric=comparison.metric if comparison else None,
        difference=comparison.difference if comparison else None,
        interval=comparison.interval if comparison else None,
        rows=comparison.rows if comparison else None,
    )
