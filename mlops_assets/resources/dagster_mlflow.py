"""dagster-mlflow's own resource under the key ``mlflow``, so that assets written for it run here."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from mlops_assets.resources.tracking import signed_in


def mlflow_resource(tracking_uri: "str | dg.EnvVar") -> dg.ResourceDefinition:
    """The resource of dagster-mlflow, imported only by a run that asks for it.

    A run may name experiment and tags; it chooses neither the server nor variables of its environment.
    """

    @dg.resource(
        description="The fluent MLflow API as dagster-mlflow offers it. The platform's assets use 'tracking' instead.",
        config_schema={
            "experiment_name": dg.Field(str, default_value="ad_hoc", is_required=False),
            "parent_run_id": dg.Field(dg.Noneable(str), default_value=None, is_required=False),
            "mlflow_run_id": dg.Field(dg.Noneable(str), default_value=None, is_required=False),
            "extra_tags": dg.Field(dg.Permissive(), default_value={}, is_required=False),
        },
    )
    def mlflow(context: dg.InitResourceContext) -> Iterator[Any]:
        from dagster_mlflow.resources import mlflow_tracking

        make: Any = mlflow_tracking.resource_fn
        uri = tracking_uri.get_value() if isinstance(tracking_uri, dg.EnvVar) else tracking_uri
        settled = {"mlflow_tracking_uri": uri and signed_in(uri), "env": {}, "env_to_tag": None}
        yield from make(context.replace_config({**context.resource_config, **settled}))

    return mlflow
