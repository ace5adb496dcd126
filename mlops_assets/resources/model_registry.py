"""The model registry: MLflow's registered models, their versions, aliases and tags."""

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


class Registry:
    """Registered versions of one system; the registered model carries the system's name."""

    def __init__(self, client: "MlflowClient", system: str) -> None:
        self._client = client
        self.system = system

    def register(self, model_uri: str, mlflow_run_id: str, tags: dict[str, str], description: str) -> int:
        """The version that carries this report; made if there is none yet, so registering twice is registering once."""
        existing = self.version_of_report(tags[REPORT_TAG])
        if existing is not None:
            return int(existing.version)
        self._ensure_model()
        made = self._client.create_model_version(
            self.system,
            model_uri,
            run_id=mlflow_run_id,
            tags=tags,
            description=description,
            model_id=model_uri.rpartition("/")[2],  # a tracking server takes a logged model only with its id
        )
        first = self.version_of_report(tags[REPORT_TAG])
        if first is None or first.version == made.version:
            return int(made.version)
        self._client.delete_model_version(self.system, made.version)  # another run was registering it meanwhile
        return int(first.version)

    def version_of_report(self, digest: str) -> "MlflowVersion | None":
        """The first version whose report has this digest, or None."""
        query = f"name = '{self.system}' and tags.`{REPORT_TAG}` = '{digest}'"
        carriers = self._client.search_model_versions(query)
        return min(carriers, key=lambda version: int(version.version), default=None)

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

        try:
            self._client.create_registered_model(self.system)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
