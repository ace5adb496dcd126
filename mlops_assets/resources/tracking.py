"""The MLflow resource: runs that mirror Dagster runs, and the artefacts and models logged with them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from mlops_assets.errors import TrackingError
from mlops_assets.resources.mlflow_schema import make_schema
from mlops_assets.resources.redaction import redacted, without_login

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

RUN_TAG = "dagster.run_id"
ROLE_TAG = "dagster.role"
DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # A server that is gone is given up after six seconds a request, one that hangs after a minute and a half; by
    # MLflow's own defaults that is four minutes and a quarter of an hour.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    # No model is loaded by MLflow, which would trust what the model's own files say of themselves.
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_ALLOW_MODEL_CODE_EXECUTION": "false",
}
"""What MLflow does by its environment variables, where nobody has set them."""


class MlflowTracking(dg.ConfigurableResource):
    """Opens MLflow runs for assets: one parent per Dagster run and system, one child per asset."""

    tracking_uri: str = Field(repr=False)
    """Tracking server or database; also the model registry."""
    artifact_root: str | None = None
    """Where new experiments keep artefacts; None leaves it to the tracking server."""
    webserver_url: str = "http://localhost:3000"
    """Where people open the Dagster UI."""

    @property
    def client(self) -> "MlflowClient":
        """A client of this tracking URI; makes the schema of a fresh sqlite file once."""
        for variable, value in DEFAULTS.items():
            os.environ.setdefault(variable, value)
        import mlflow

        make_schema(self.tracking_uri)
        uri = signed_in(self.tracking_uri)
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        return mlflow.MlflowClient(uri)

    def ping(self) -> None:
        """Ask MLflow for one experiment, before any work is spent.

        Raises:
            TrackingError: if it does not answer.
        """
        try:
            if _is_server(self.tracking_uri):
                _ask_health(signed_in(self.tracking_uri))
            else:
                self.client.search_experiments(max_results=1)
        except Exception as error:
            raise TrackingError(
                f"MLflow at {redacted(self.tracking_uri)!r} is out of reach: {redacted(str(error))}. "
                "Remedy: start it, or set MLFLOW_TRACKING_URI; 'mlops doctor' checks it."
            ) from error

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Tell of an MLflow that went away during the block by its address and remedy, as ``ping`` does.

        Raises:
            TrackingError: if MLflow failed and does not answer any more.
        """
        from mlflow.exceptions import MlflowException

        try:
            yield
        except MlflowException:
            self.ping()
            raise

    @contextmanager
    def asset_run(self, context: dg.AssetExecutionContext, experiment: str) -> Iterator["Run"]:
        """Run the block inside a child of this Dagster run's MLflow run.

        The child is FAILED when the block raises. The parent is FAILED when any child is, else FINISHED.
        """
        import mlflow

        self.ping()
        client = self.client
        experiment_id = self._experiment(client, experiment)
        parent = self._parent(client, context, experiment_id)
        try:
            with (
                self.answering(),
                mlflow.start_run(
                    experiment_id=experiment_id,
                    run_name=context.asset_key.to_user_string(),
                    parent_run_id=parent,
                    nested=True,
                    tags=self._tags(context, role="asset") | {"dagster.asset": context.asset_key.to_user_string()},
                ) as run,
            ):
                yield run
        except BaseException:
            # The error is raised on; an MLflow that is gone cannot hear of it.
            with suppress(TrackingError), self.answering():
                self.ping()
                self._settle(client, parent)
            raise
        with self.answering():
            self._settle(client, parent)

    def fetch(self, uri: str, folder: Path) -> Path:
        """Download the artefact at ``uri`` (``runs:/…`` or ``models:/…``) below ``folder``."""
        import mlflow

        _ = self.client
        try:
            return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(folder)))
        except (OSError, mlflow.MlflowException) as error:
            raise TrackingError(f"MLflow has no artefact at {uri!r}: {redacted(str(error))}") from error

    def run_url(self, run_id: str) -> str:
        """Where the run can be looked at."""
        experiment = self.client.get_run(run_id).info.experiment_id
        base = without_login(self.tracking_uri)[0] if _is_server(self.tracking_uri) else "http://localhost:5000"
        return f"{base.rstrip('/')}/#/experiments/{experiment}/runs/{run_id}"

    def fail_run(self, dagster_run_id: str) -> int:
        """Mark the MLflow runs of a crashed Dagster run FAILED; return how many."""
        client = self.client
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        runs = client.search_runs(experiments, f"tags.`{RUN_TAG}` = '{dagster_run_id}'") if experiments else []
        unfinished = [run for run in runs if run.info.status == "RUNNING" or run.data.tags.get(ROLE_TAG) == "run"]
        for run in unfinished:
            client.set_terminated(run.info.run_id, "FAILED")
        return len(unfinished)

    def running(self) -> set[str]:
        """Dagster runs of which an MLflow run is still running."""
        client = self.client
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        runs = client.search_runs(experiments, "attributes.status = 'RUNNING'") if experiments else []
        return {run.data.tags[RUN_TAG] for run in runs if RUN_TAG in run.data.tags}

    def _experiment(self, client: "MlflowClient", name: str) -> str:
        from mlflow.exceptions import MlflowException

        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            location = f"{self.artifact_root.rstrip('/')}/{name}" if self.artifact_root else None
            try:
                return client.create_experiment(name, artifact_location=location)
            except MlflowException:
                experiment = client.get_experiment_by_name(name)  # another run made it in between
                if experiment is None:
                    raise
        if experiment.lifecycle_stage != "active":
            raise TrackingError(
                f"The MLflow experiment {name!r} is deleted. "
                f"Remedy: mlflow experiments restore -x {experiment.experiment_id}"
            )
        return experiment.experiment_id

    def _parent(self, client: "MlflowClient", context: dg.AssetExecutionContext, experiment_id: str) -> str:
        parents = client.search_runs(
            [experiment_id],
            f"tags.`{RUN_TAG}` = '{context.run.run_id}' AND tags.`{ROLE_TAG}` = 'run'",
            order_by=["attributes.start_time ASC"],
            max_results=1,
        )
        if parents:
            return parents[0].info.run_id
        run = client.create_run(experiment_id, run_name=context.run.job_name, tags=self._tags(context, role="run"))
        context.instance.add_run_tags(context.run.run_id, {"mlflow/run_id": run.info.run_id})
        return run.info.run_id

    def _tags(self, context: dg.AssetExecutionContext, role: str) -> dict[str, str]:
        run_id = context.run.run_id
        return {RUN_TAG: run_id, ROLE_TAG: role, "dagster.url": f"{self.webserver_url}/runs/{run_id}"}

    def _settle(self, client: "MlflowClient", parent: str) -> None:
        experiment = client.get_run(parent).info.experiment_id
        children = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{parent}'")
        failed = any(child.info.status == "FAILED" for child in children)
        client.set_terminated(parent, "FAILED" if failed else "FINISHED")


def signed_in(uri: str) -> str:
    """``uri`` as MLflow may know, print and store it: user and password go into the variables that it has for them."""
    clean, user, password = without_login(uri) if _is_server(uri) else (uri, None, None)
    if user is not None:
        os.environ.update(MLFLOW_TRACKING_USERNAME=user, MLFLOW_TRACKING_PASSWORD=password or "")
    return clean


def _ask_health(uri: str) -> None:
    """With the login, token and certificates that MLflow itself would use."""
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    answer: Any = http_request(get_default_host_creds(uri), "/health", "GET", timeout=10, max_retries=0)
    answer.raise_for_status()


def _is_server(uri: str) -> bool:
    return uri.startswith(("http://", "https://"))
