"""The registry session: one system's registry and ledger, in the hands of somebody."""

import logging
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
from mlops_assets.registry.anchor import fault_of, note, require_continued
from mlops_assets.registry.authority import Actor, Door, require_allowed
from mlops_assets.registry.manifest import manifest_digest
from mlops_assets.registry.version import RegisteredVersion
from mlops_assets.resources.redaction import redacted
from mlops_assets.storage.ledger import Ledger
from mlops_assets.storage.ledger_entry import CLAIMED, DOOR, Entry, Event
from mlops_assets.storage.storage import Storage

if TYPE_CHECKING:
    from mlops_assets.resources.model_registry import Registry
    from mlops_assets.resources.tracking import MlflowTracking

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class RegistrySession:
    """Everything that happens to versions happens through one of these, and says who did it."""

    spec: SystemSpec
    storage: Storage
    tracking: "MlflowTracking"
    actor: str
    run_id: str = ""
    """Dagster run, where there is one."""
    door: Door = "command"
    """How the actor came here."""
    groups: frozenset[str] = frozenset()
    """The actor's groups, where the door knows any."""
    claims: tuple[str, ...] = ()
    """Whom the run's tags name; anybody may write them."""

    @property
    def acting(self) -> Actor:
        return Actor(self.actor, self.door, self.groups)

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
        """Complete what was cut off between ledger and registry; return the promotion in force.

        Raises:
            StorageError: if the ledger is not the one whose head was noted outside it.
        """
        self.require_continued()
        in_force = settle(self.registry, self.ledger)
        note(self.registry, self.ledger, self.storage)
        return in_force

    def require_continued(self) -> None:
        """Raise StorageError if the ledger is not the one whose head was noted outside it."""
        require_continued(self.registry, self.ledger, self.storage)

    def accept_ledger(self, reason: str) -> Entry:
        """Go on from ledger and records as they are, and note the head; the ledger says who did, and what was wrong.

        Raises:
            GateRefused: without a reason, if nothing is wrong with it, or if the actor may not.
        """
        require_allowed(self.acting, "accept", self.spec)
        fault = fault_of(self.registry, self.ledger, self.storage)
        if not fault:
            raise GateRefused(f"The ledger of {self.system} is as it was noted: there is nothing to accept")
        if not reason.strip():
            raise GateRefused(f"The ledger of {self.system} is not accepted: that needs a reason")
        (entry,) = self.ledger.append(self.entry("accepted", f"{reason} ({fault})", details={"fault": fault}))
        if self.storage.records.fault(self.system):
            self.storage.records.accept(self.system, self.actor, reason)
        note(self.registry, self.ledger, self.storage)
        return entry

    def versions(self) -> list[RegisteredVersion]:
        """Every registered version, oldest first: its newest record with the manifest that the ledger keeps."""
        entries = self.ledger.entries(self.system, "registered")
        kept = {entry.version: entry.details.get("manifest") for entry in entries}
        records = dict[int, RegisteredVersion]()
        for version in self.storage.records.history(RegisteredVersion, self.system):
            due = kept.get(version.version)  # two runs that sealed one version at once: the ledger has one of them
            if version.version not in records or due is None or due == manifest_digest(version.manifest):
                records[version.version] = version
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
        """A draft of a ledger entry in the name of whoever acts, with what is only claimed of them."""
        about = {
            "version": version.version if version else None,
            "model_digest": version.model_digest if version else "",
            "report_digest": version.digest if version else "",
        }
        details = {**rest.pop("details", {}), **_of_the_door(self.door, self.claims)}
        drafted = {**about, "details": details, **rest}
        return Entry(system=self.system, event=event, reason=reason, actor=self.actor, run_id=self.run_id, **drafted)

    @contextmanager
    def recording_refusals(self, version: RegisteredVersion | None = None, **about: Any) -> Iterator[None]:
        """A refusal, and evidence that is not what was stored, is written down before it is raised on."""
        try:
            yield
        except (GateRefused, StorageError) as error:
            self.ledger.append(self.entry("refused", redacted(str(error)), version, **about))
            self._note_if_continued()
            raise

    def _note_if_continued(self) -> None:
        """Note the head, so that a refusal cannot be cut off; a ledger that does not match its notes keeps them."""
        try:
            if not fault_of(self.registry, self.ledger, self.storage):
                note(self.registry, self.ledger, self.storage)
        except Exception:  # it must not stand in the place of the refusal
            logger.warning("The head of the ledger of %s could not be noted", self.system, exc_info=True)

    @property
    def system(self) -> str:
        return self.spec.name


def _of_the_door(door: Door, claims: tuple[str, ...]) -> dict[str, Any]:
    """What an entry keeps beside the name: whom tags claim, and a door that does not prove the name."""
    came = {DOOR: door} if door not in ("command", "run") else {}
    return {**came, **({CLAIMED: list(claims)} if claims else {})}
