"""The model registry: MLflow's registered models, their versions, aliases and tags."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_assets.errors import TrackingError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion

CHAMPION, PREVIOUS, CHALLENGER, STAGING = "champion", "previous", "challenger", "staging"
ALIASES = (CHAMPION, PREVIOUS, CHALLENGER, STAGING)
"""The aliases that follow the ledger; others are the users' own."""
REPORT_TAG = "mlops.report_digest"
APPROVED_TAG, APPROVAL_REASON_TAG = "mlops.approved_by", "mlops.approval_reason"
"""Set on a version by the person who approves it in the MLflow UI."""
REFUSED_TAG = "mlops.approval_refused"
"""Why an approval was not carried out."""
ARCHIVED_TAG = "mlops.archived"
LEDGER_TAG = "mlops.ledger"
"""On the registered model: number and hash of the last ledger entry that its aliases follow."""


@dataclass(frozen=True)
class LoggedModel:
    """What becomes a version."""

    uri: str
    """``models:/m-…``."""
    run_id: str
    """MLflow run that logged it."""
    tags: dict[str, str]
    description: str = ""


class Registry:
    """Registered versions of one system; the registered model carries the system's name."""

    def __init__(self, client: "MlflowClient", system: str) -> None:
        self._client = client
        self.system = system

    def register(self, model: LoggedModel, taken: Collection[int] = ()) -> int:
        """The version that carries this report; made if there is none yet, so registering twice is registering once.

        It has none of the numbers ``taken``, which once named other versions: MLflow gives the number of the newest
        version again when that was deleted.
        """
        digest = model.tags[REPORT_TAG]
        existing = self.version_of_report(digest, taken)
        if existing is not None:
            return int(existing.version)
        self._ensure_model()
        made = self._make(model, taken)
        first = self.version_of_report(digest, taken)
        if first is None or first.version == made.version:
            return int(made.version)
        self._client.delete_model_version(self.system, made.version)  # another run was registering it meanwhile
        return int(first.version)

    def version_of_report(self, digest: str, taken: Collection[int] = ()) -> "MlflowVersion | None":
        """The first version whose report has this digest, or None; numbers ``taken`` by other reports do not count."""
        query = f"name = '{self.system}' and tags.`{REPORT_TAG}` = '{digest}'"
        carriers = {int(version.version): version for version in self._client.search_model_versions(query)}
        number = min(carriers.keys() - set(taken), default=None)
        return None if number is None else carriers[number]

    def version(self, number: int) -> "MlflowVersion":
        """One version.

        Raises:
            TrackingError: if the registry does not have it.
        """
        from mlflow.exceptions import MlflowException

        try:
            return self._client.get_model_version(self.system, str(number))
        except MlflowException as error:
            raise TrackingError(f"The registry has no version {number} of {self.system!r}: {error}") from error

    def versions(self) -> "list[MlflowVersion]":
        """Every version, oldest first."""
        registered = self._client.search_model_versions(f"name = '{self.system}'", max_results=10_000)
        return sorted(registered, key=lambda version: int(version.version))

    def champion(self) -> int | None:
        """The version that carries the alias ``champion``, or None."""
        return self.aliases().get(CHAMPION)

    def aliases(self) -> dict[str, int]:
        """Version by alias; empty where nothing is registered."""
        return {alias: int(version) for alias, version in self._described()[0].items()}

    def point(self, alias: str, version: int | None) -> None:
        """Put ``alias`` on ``version``; None takes it away.

        Raises:
            TrackingError: if the registry does not have the version.
        """
        from mlflow.exceptions import MlflowException

        if version is None:
            self._client.delete_registered_model_alias(self.system, alias)
            return
        try:
            self._client.set_registered_model_alias(self.system, alias, str(version))
        except MlflowException:
            self.version(version)
            # Of two that give an alias for the first time at once, MLflow refuses one; now it is there to be moved.
            self._client.set_registered_model_alias(self.system, alias, str(version))

    def note(self, sequence: int, digest: str) -> None:
        """Write down outside the ledger how far it reached, and its hash there."""
        self._ensure_model()
        self._client.set_registered_model_tag(self.system, LEDGER_TAG, f"{sequence}:{digest}")

    def noted(self) -> tuple[int, str] | None:
        """What ``note`` wrote last."""
        sequence, _, digest = self._described()[1].get(LEDGER_TAG, "").partition(":")
        return (int(sequence), digest) if digest and sequence.isdecimal() else None

    def tag(self, version: int, key: str, value: str) -> None:
        """Set a tag of one version."""
        self._client.set_model_version_tag(self.system, str(version), key, value)

    def untag(self, version: int, key: str) -> None:
        """Take a tag off one version, where it is there."""
        if key in self.version(version).tags:
            self._client.delete_model_version_tag(self.system, str(version), key)

    def _make(self, model: LoggedModel, taken: Collection[int]) -> "MlflowVersion":
        passed_over = []
        while True:
            made = self._client.create_model_version(
                self.system,
                model.uri,
                run_id=model.run_id,
                tags=model.tags,
                description=model.description,
                model_id=model.uri.rpartition("/")[2],  # a tracking server takes a logged model only with its id
            )
            if int(made.version) not in taken:
                break
            passed_over.append(made)  # kept until the next has its number
        for version in passed_over:
            self._client.delete_model_version(self.system, version.version)
        return made

    def _described(self) -> tuple[dict[str, str], dict[str, str]]:
        from mlflow.exceptions import MlflowException

        try:
            model = self._client.get_registered_model(self.system)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return {}, {}
            raise
        return dict(model.aliases), dict(model.tags)

    def _ensure_model(self) -> None:
        from mlflow.exceptions import MlflowException

        if self._described() != ({}, {}):
            return
        try:
            self._client.create_registered_model(self.system)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
