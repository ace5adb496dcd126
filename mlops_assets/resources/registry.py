"""The model registry: MLflow's registered models, versions and the alias of the champion."""

from typing import TYPE_CHECKING

from mlops_assets.errors import TrackingError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion

CHAMPION = "champion"
REPORT_TAG = "mlops.report_digest"


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
            self.system, model_uri, run_id=mlflow_run_id, tags=tags, description=description
        )
        first = self.version_of_report(tags[REPORT_TAG])
        if first is None or first.version == made.version:
            return int(made.version)
        self._client.delete_model_version(self.system, made.version)  # another run was registering it meanwhile
        return int(first.version)

    def version_of_report(self, digest: str) -> "MlflowVersion | None":
        """The first version whose report has this digest, or None."""
        query = f"name = '{self.system}' and tags.`{REPORT_TAG}` = '{digest}'"
        found = self._client.search_model_versions(query)
        return min(found, key=lambda version: int(version.version), default=None)

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

    def champion(self) -> int | None:
        """The version that carries the alias ``champion``, or None."""
        from mlflow.exceptions import MlflowException

        try:
            return int(self._client.get_model_version_by_alias(self.system, CHAMPION).version)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def set_champion(self, version: int) -> None:
        """Move the alias ``champion``."""
        from mlflow.exceptions import MlflowException

        try:
            self._client.set_registered_model_alias(self.system, CHAMPION, str(version))
        except MlflowException:
            if self.champion() is None:
                raise
            # Of two that give the alias for the first time at once, MLflow refuses one; now it is there to be moved.
            self._client.set_registered_model_alias(self.system, CHAMPION, str(version))

    def _ensure_model(self) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(self.system)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
