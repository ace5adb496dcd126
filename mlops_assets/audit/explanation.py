"""Why: what the last training came to, explained along the line from landed files to champion."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from mlops_assets.audit.last_run import LastRun
from mlops_assets.dataset.landing import pending_names
from mlops_assets.registry.aliases import due
from mlops_assets.storage.ledger import SUCCESSIONS
from mlops_assets.storage.ledger_entry import Entry, Event, moment
from mlops_assets.storage.records import Published
from mlops_assets.storage.storage import Storage
from mlops_assets.verdict import Verdict

StepOutcome = Literal["passed", "failed", "not evaluated", "noted"]
OF_A_VERSION: tuple[Event, ...] = (
    "registered",
    "verdict",
    "requested",
    "approved",
    "override",
    "declined",
    *SUCCESSIONS,
)
BEFORE_TRAINING = ("batch", "dataset", "features")
"""Steps that stop a run before it trains."""


@dataclass(frozen=True)
class AccountStep:
    """One thing that happened, or did not, on the way to a champion."""

    what: str
    outcome: StepOutcome
    """``noted``: it neither helps nor hinders."""
    message: str
    at: str = ""
    """UTC."""


@dataclass(frozen=True)
class Account:
    """Why the champion is who it is after the last training."""

    system: str
    answer: str
    """One sentence."""
    changed: bool
    """Whether the model of the last training is champion."""
    champion: int | None
    version: int | None
    """What the last training was registered as."""
    steps: list[AccountStep]


def account(storage: Storage, system: str) -> Account:
    """Why the last training did or did not change the champion, from the records and the ledger."""
    last = LastRun(storage, system)
    steps = [*_data_steps(last), *_model_steps(last), *_ledger_steps(last)]
    champion = last.champion.version if last.champion else None
    version = last.version.version if last.version else None
    changed = version is not None and version == champion
    return Account(system, _answer(last, steps), changed, champion, version, steps)


def _data_steps(last: LastRun) -> Iterator[AccountStep]:
    if waiting := len(pending_names(last.storage, last.system)):
        yield AccountStep("landing zone", "noted", f"{waiting} landed files wait for ingestion")
    for batch in last.rejected:
        message = f"{batch.record.original!r} was rejected: {batch.record.reason}"
        yield AccountStep("batch", "failed", message, moment(batch.at))
    if last.dataset is None:
        yield AccountStep("dataset", "failed", f"no batch is in it. Remedy: mlops land {last.system} [FILE…]")
        return
    version = last.dataset.record
    contents = f"version {version.table_version}, {version.rows:,} rows of {version.batches} batches"
    yield _judged("dataset", contents, version.verdicts, last.dataset)
    if last.features is None:
        return
    features = last.features.record
    of = "" if features.dataset_digest == version.digest else ", from an older dataset version"
    contents = f"version {features.table_version}, {sum(features.rows.values()):,} rows{of}"
    yield _judged("features", contents, features.verdicts, last.features)


def _model_steps(last: LastRun) -> Iterator[AccountStep]:
    if last.model is None:
        yield AccountStep("training", "not evaluated", "no model was trained yet")
        return
    model = last.model.record
    trained = f"model {model.digest[:12]} on {model.train_rows:,} rows, Dagster run {last.model.run_id or 'unknown'}"
    behind = "; the newest dataset version was not trained on" if last.is_behind else ""
    yield _judged("training", trained + behind, model.verdicts, last.model)
    if last.report is None:
        yield AccountStep("evaluation", "not evaluated", "this model has no report. Remedy: materialise evaluation")
        return
    yield _judged("evaluation", f"report {last.report.record.digest[:12]}", last.gates, last.report)
    if last.version is not None and any(verdict.blocks for verdict in last.version.verdicts):
        yield AccountStep(
            "registration", "failed", f"version {last.version.version}: {_blocking(last.version.verdicts)}"
        )


def _ledger_steps(last: LastRun) -> Iterator[AccountStep]:
    entries = [*map(last.latest, OF_A_VERSION), last.refused, *last.moved, last.successor, *last.accepted]
    reason_before = less_before = ""
    for entry in sorted(filter(None, entries), key=lambda entry: entry.sequence):
        number = f"version {entry.version}, " if entry.version is not None else ""
        reason = "for that reason" if entry.reason == reason_before else entry.reason
        less = f"; {entry.asked_less}" if entry.asked_less not in ("", less_before) else ""
        yield AccountStep(entry.event, _outcome(entry), f"{number}by {entry.by}: {reason}{less}", entry.at)
        reason_before, less_before = entry.reason, entry.asked_less
    if last.fault:
        yield AccountStep("ledger", "failed", f"{last.fault}. Remedy: mlops ledger verify {last.system}")


def _answer(last: LastRun, steps: Sequence[AccountStep]) -> str:
    stays = f"version {last.champion.version} stays champion" if last.champion else "there is no champion yet"
    stopping = (step for step in steps if step.what in BEFORE_TRAINING and step.outcome in ("failed", "not evaluated"))
    stopped = next(stopping, None)
    if last.model is None:
        reason = f"{stopped.what}: {stopped.message}" if stopped else f"Remedy: mlops run {last.system}"
        return f"{last.system} has not been trained yet: {reason}"
    # A dataset version that a check stops is recorded, so a training after it says that it was mended.
    if stopped and stopped.at >= moment(last.model.at):
        return f"The last run did not come to a training, {stays}: {stopped.what}: {stopped.message}"
    by_hand = f"; an alias was found moved by hand: {last.moved[-1].reason}" if last.moved else ""
    fault = f"; the ledger is not the one that was noted: {last.fault}" if last.fault else ""
    return _answer_of_model(last, stays) + by_hand + fault


def _answer_of_model(last: LastRun, stays: str) -> str:
    if last.version is None or last.report is None:
        return f"The last training did not change the champion, {stays}: {_unregistered(last)}"
    if last.begun is not None:
        return _answer_of_champion(last, last.begun)
    name = f"version {last.version.version} of the last training"
    verdict, declined = last.latest("verdict"), last.latest("declined")
    if due(last.ledger, last.system).staging == last.version.version:
        remedy = f"mlops approve {last.system} {last.version.version} --reason …"
        return _sentence(f"{name} waits for a person's approval, {stays} until then. Remedy: {remedy}")
    if declined and (verdict is None or declined.sequence > verdict.sequence):
        return _sentence(f"{name} was declined by {declined.by}, {stays}: {declined.reason}")
    if last.refused:
        return _sentence(f"{name} was refused, {stays}: {last.refused.reason}")
    if any(proof.blocks for proof in last.version.verdicts):
        return _sentence(f"{name} was not let to the champion, {stays}: {_blocking(last.version.verdicts)}")
    if verdict is None:
        return _sentence(f"{name} was not compared with the champion yet, {stays}. Remedy: mlops run {last.system}")
    return _sentence(f"{name} did not change the champion, {stays}: {verdict.reason}")


def _answer_of_champion(last: LastRun, begun: Entry) -> str:
    since = f"{begun.at[:16]}Z"
    if last.successor is not None:
        start = f"version {begun.version} of the last training was champion from {since}; now version"
        return _sentence(f"{start} {last.successor.version} is: {last.successor.event}, {last.successor.reason}")
    if last.model is not None and moment(last.model.at) > begun.at:
        start = f"the last training gave version {begun.version} again, which is champion since {since}"
        return _sentence(f"{start}: the same rows and declaration give the same model")
    return f"The last training changed the champion: it is version {begun.version} since {since}: {begun.reason}"


def _unregistered(last: LastRun) -> str:
    if last.report is None:
        return "its model was not evaluated. Remedy: materialise evaluation"
    if any(verdict.blocks for verdict in last.gates):
        return _blocking(last.gates)
    if last.refused:
        return last.refused.reason
    return "every gate passed, but it was not registered. Remedy: materialise registered_version"


def _judged(what: str, contents: str, verdicts: Sequence[Verdict], published: Published) -> AccountStep:
    at = moment(published.at)
    if any(verdict.blocks for verdict in verdicts):
        failed = any(verdict.blocks and verdict.outcome == "failed" for verdict in verdicts)
        return AccountStep(what, "failed" if failed else "not evaluated", f"{contents}: {_blocking(verdicts)}", at)
    warned = [verdict for verdict in verdicts if not verdict.passed]
    warnings = [f"warning: {verdict.name}: {verdict.reason}" for verdict in warned]
    counted = f"{contents}; {len(verdicts) - len(warned)} of {len(verdicts)} checks passed"
    passed = counted if verdicts else contents
    return AccountStep(what, "passed", "; ".join([passed, *warnings]), at)


def _blocking(verdicts: Sequence[Verdict]) -> str:
    return "; ".join(f"{verdict.name} {verdict.outcome}: {verdict.reason}" for verdict in verdicts if verdict.blocks)


def _outcome(entry: Entry) -> StepOutcome:
    if entry.event == "verdict":
        return "failed" if entry.details.get("decision") == "kept" else "passed"
    if entry.event in ("refused", "declined", "ungated"):
        return "failed"
    return "noted" if entry.event in ("requested", "rolled back", "accepted") else "passed"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
