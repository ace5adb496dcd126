"""Listing: every registered version with its state, its evidence in short, and who registered it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from mlops_assets.dataset.version import DatasetVersion
from mlops_assets.evaluation.version import EvaluationReport, MetricSummary

if TYPE_CHECKING:
    from mlops_assets.metrics.intervals import Interval
    from mlops_assets.registry.session import RegistrySession
    from mlops_assets.registry.version import RegisteredVersion

State = Literal["registered", "staging", "champion", "previous", "archived", "foreign", "deleted"]
"""``foreign``: in MLflow without the platform's evidence; ``deleted``: no longer in MLflow."""


@dataclass(frozen=True)
class Listed:
    """One registered version in one line."""

    version: int
    state: State
    aliases: list[str]
    """As MLflow has them now."""
    registered_at: str = ""
    """UTC."""
    registered_by: str = ""
    metric: str = ""
    value: float | None = None
    """Of the primary metric, on the test rows of its own report."""
    interval: "Interval | None" = None
    gates: dict[str, int] = field(default_factory=dict)
    """Number of gates by outcome."""
    model_digest: str = ""
    report_digest: str = ""
    dataset_version: int | None = None
    """Delta version of the dataset."""


def listing(session: "RegistrySession") -> list[Listed]:
    """Every version that the records or MLflow know, oldest first."""
    known = {version.version: version for version in session.versions()}
    present = {int(version.version) for version in session.registry.versions()}
    aliases: dict[int, list[str]] = {}
    for alias, number in sorted(session.registry.aliases().items()):
        aliases.setdefault(number, []).append(alias)
    archived = {entry.version for entry in session.ledger.entries(session.system, "archived")}
    lines = []
    for number in sorted(known.keys() | present):
        carried = aliases.get(number, [])
        state = _state(number, carried, number in known, number in present, number in archived)
        lines.append(
            _listed(session, known[number], state, carried) if number in known else Listed(number, state, carried)
        )
    return lines


def _state(number: int, aliases: list[str], known: bool, present: bool, archived: bool) -> State:
    if not present:
        return "deleted"
    if not known:
        return "foreign"
    for state in ("champion", "staging", "previous"):
        if state in aliases:
            return state
    return "archived" if archived else "registered"


def _listed(session: "RegistrySession", version: "RegisteredVersion", state: State, aliases: list[str]) -> Listed:
    storage, system = session.storage, session.system
    entry = session.ledger.latest(system, "registered", version=version.version)
    report = storage.records.find(EvaluationReport, system, version.digest)
    dataset = storage.records.find(DatasetVersion, system, version.dataset_digest)
    metric = _primary(session, report)
    outcomes = [verdict.outcome for verdict in report.verdicts] if report else []
    return Listed(
        version=version.version,
        state=state,
        aliases=aliases,
        registered_at=entry.at if entry else "",
        registered_by=entry.by if entry else "",
        metric=metric.name if metric else "",
        value=metric.value if metric else None,
        interval=metric.interval if metric else None,
        gates={outcome: outcomes.count(outcome) for outcome in dict.fromkeys(outcomes)},
        model_digest=version.model_digest,
        report_digest=version.digest,
        dataset_version=dataset.table_version if dataset else None,
    )


def _primary(session: "RegistrySession", report: EvaluationReport | None) -> MetricSummary | None:
    """The metric of the comparison; where a declared cost decides, the usual one of the task."""
    primary = session.spec.primary_metric
    return next((metric for metric in report.metrics if metric.name == primary), None) if report else None
