"""The registry session: one system's registry and ledger, in the hands of somebody."""

import shutil
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from mlops_assets.declaration.base import one_of
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import GateRefused, StorageError
from mlops_assets.registry.aliases import settle
from mlops_assets.registry.ledger import Ledger
from mlops_assets.registry.ledger_entry import Entry, Event
from mlops_assets.registry.version import RegisteredVersion
from mlops_assets.resources.redaction import redacted
from mlops_assets.storage.storage import Storage

if TYPE_CHECKING:
    from mlops_assets.resources.model_registry import Registry
    from mlops_assets.resources.tracking import MlflowTracking


@dataclass(frozen=True, eq=False)
class RegistrySession:
    """Everything that happens to versions happens through one of these, and says who did it."""

    spec: SystemSpec
    storage: Storage
    tracking: "MlflowTracking"
    actor: str
    run_id: str = ""
    """Dagster run, where there is one."""

    @cached_property
    def registry(self) -> "Registry":
        from mlops_assets.resources.model_registry import Registry

        return Registry(self.tracking.client, self.spec.name)

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.storage.records)

    @cached_property
    def folder(self) -> Path:
        """Scratch, made when first asked for; it ends with the session."""
        folder = Path(mkdtemp(prefix="mlops-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return folder

    def new_folder(self) -> Path:
        """A fresh, empty folder below ``folder``."""
        return Path(mkdtemp(dir=self.folder))

    def fetch(self, uri: str) -> Path:
        """The artefact at ``uri`` as MLflow has it now, below ``folder``; asked for again, it is fetched again.

        Raises:
            TrackingError: if MLflow has none.
        """
        return self.tracking.fetch(uri, self.new_folder())

    def fetch_version(self, number: int) -> Path:
        """The files of a registered version, as the registry has them now.

        Raises:
            TrackingError: if the registry does not have it.
        """
        return self.fetch(f"models:/{self.system}/{number}")

    def settle(self) -> Entry | None:
        """Complete what was cut off between ledger and registry; return the promotion in force."""
        return settle(self.registry, self.ledger)

    def versions(self) -> list[RegisteredVersion]:
        """The newest record of every registered version, oldest version first."""
        records = {version.version: version for version in self.storage.records.history(RegisteredVersion, self.system)}
        return [records[number] for number in sorted(records)]

    def version(self, number: int) -> RegisteredVersion:
        """The record of one registered version.

        Raises:
            StorageError: if there is none.
        """
        known = {version.version: version for version in self.versions()}
        if number not in known:
            there = f"Versions: {one_of(known)}" if known else f"There are none. Remedy: mlops run {self.system}"
            raise StorageError(f"{self.system} has no record of version {number}. {there}")
        return known[number]

    def entry(self, event: Event, reason: str, version: RegisteredVersion | None = None, **rest: Any) -> Entry:
        """A draft of a ledger entry in the name of whoever acts."""
        about = {
            "version": version.version if version else None,
            "model_digest": version.model_digest if version else "",
            "report_digest": version.digest if version else "",
        }
        return Entry(
            system=self.system, event=event, reason=reason, actor=self.actor, run_id=self.run_id, **{**about, **rest}
        )

    @contextmanager
    def recording_refusals(self, version: RegisteredVersion | None = None, **about: Any) -> Iterator[None]:
        """A refusal, and evidence that is not what was stored, is written down before it is raised on."""
        try:
            yield
        except (GateRefused, StorageError) as error:
            self.ledger.append(self.entry("refused", redacted(str(error)), version, **about))
            raise

    @property
    def system(self) -> str:
        return self.spec.name
