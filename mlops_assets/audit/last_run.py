"""The last run: the newest record of every stage of a system, and what the ledger says of its version."""

from dataclasses import dataclass
from functools import cached_property

from mlops_assets.dataset.version import BatchOutcome, DatasetVersion
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.model.version import ModelVersion
from mlops_assets.registry.anchor import fault_without_registry
from mlops_assets.registry.version import RegisteredVersion
from mlops_assets.storage.ledger import SUCCESSIONS, Ledger
from mlops_assets.storage.ledger_entry import Entry, Event, moment
from mlops_assets.storage.records import Published, R
from mlops_assets.storage.storage import Storage
from mlops_assets.verdict import Verdict


@dataclass(frozen=True, eq=False)
class LastRun:
    """How far the last run came; nothing is read before it is asked for."""

    storage: Storage
    system: str

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.storage.records)

    @cached_property
    def champion(self) -> Entry | None:
        return self.ledger.champion(self.system)

    @cached_property
    def dataset(self) -> Published[DatasetVersion] | None:
        return self._newest(DatasetVersion)

    @cached_property
    def features(self) -> Published[FeaturesVersion] | None:
        return self._newest(FeaturesVersion)

    @cached_property
    def model(self) -> Published[ModelVersion] | None:
        return self._newest(ModelVersion)

    @cached_property
    def report(self) -> Published[EvaluationReport] | None:
        reports = self.storage.records.published(EvaluationReport, self.system)
        own = [report for report in reports if self.model and report.record.is_about(self.model.record)]
        return own[-1] if own else None

    @property
    def gates(self) -> list[Verdict]:
        """What the report of the model says."""
        return self.report.record.verdicts if self.report else []

    @cached_property
    def version(self) -> RegisteredVersion | None:
        digest = self.report.record.digest if self.report else ""
        return self.storage.records.find(RegisteredVersion, self.system, digest)

    @cached_property
    def refused(self) -> Entry | None:
        """The newest refusal of this model, if nothing was decided after it."""
        entries = self.ledger.entries(self.system, "refused")
        digest = self.model.record.digest if self.model else None
        refused = next((entry for entry in reversed(entries) if entry.model_digest == digest), None)
        decided = [self.latest("verdict"), self.begun]
        return None if refused and any(entry and entry.sequence > refused.sequence for entry in decided) else refused

    @cached_property
    def moved(self) -> list[Entry]:
        """Aliases that a hand has moved since the last promotion, and that were not put back."""
        entries = self.ledger.entries(self.system, "ungated", "restored", *SUCCESSIONS)
        last = max((at for at, entry in enumerate(entries) if entry.event != "ungated"), default=-1)
        return entries[last + 1 :]

    @cached_property
    def accepted(self) -> list[Entry]:
        """How persons accepted a ledger that was not as noted, since the last training; ever, where there was none."""
        since = moment(self.model.at) if self.model else ""
        return [entry for entry in self.ledger.entries(self.system, "accepted") if entry.at >= since]

    @cached_property
    def fault(self) -> str:
        """What is wrong with the ledger or a record that it seals; empty if nothing is."""
        return fault_without_registry(self.ledger, self.storage, self.system)

    @cached_property
    def begun(self) -> Entry | None:
        """The newest promotion of this version, or rollback to it."""
        successions = filter(None, map(self.latest, SUCCESSIONS))
        return max(successions, key=lambda entry: entry.sequence, default=None)

    @cached_property
    def successor(self) -> Entry | None:
        """What put another version in the place that this one had, where it is in force."""
        replaced = self.begun and self.champion and self.champion.version != self.begun.version
        return self.champion if replaced else None

    def latest(self, event: Event) -> Entry | None:
        """The newest such entry of this version."""
        return self.ledger.latest(self.system, event, version=self.version.version) if self.version else None

    def _newest(self, kind: type[R]) -> Published[R] | None:
        return next(iter(self.storage.records.published(kind, self.system, newest=1)), None)

    @cached_property
    def rejected(self) -> list[Published[BatchOutcome]]:
        """Batches that the contract turned away after the last training."""
        newest = {batch.record.digest: batch for batch in self.storage.records.published(BatchOutcome, self.system)}
        late = [batch for batch in newest.values() if self.model is None or batch.at >= self.model.at]
        return [batch for batch in late if batch.record.outcome == "rejected"]

    @cached_property
    def is_behind(self) -> bool:
        """Whether the newest dataset version was not trained on."""
        return bool(self.model and self.dataset and self.model.record.dataset_digest != self.dataset.record.digest)
