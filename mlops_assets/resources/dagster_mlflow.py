"""dagster-mlflow's own resource under the key ``mlflow``, so that assets written for it run here."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from mlops_assets.resources.tracking import signed_in


def mlflow_resource(tracking_uri: Any) -> dg.ResourceDefinition:
    """The resource of dagster-mlflow, imported only by a run that asks for it."""

    @dg.resource(
        description="The fluent MLflow API as dagster-mlflow offers it. The platform's assets use 'tracking' instead.",
        config_schema={
            "experiment_name": dg.Field(str, default_value="ad_hoc", is_required=False),
            "mlflow_tracking_uri": dg.Field(
                dg.Noneable(dg.StringSource), default_value=_as_config(tracking_uri), is_required=False
            ),
            "parent_run_id": dg.Field(dg.Noneable(str), default_value=None, is_required=False),
            "mlflow_run_id": dg.Field(dg.Noneable(str), default_value=None, is_required=False),
            "env": dg.Field(dg.Permissive(), default_value={}, is_required=False),
            "env_to_tag": dg.Field(dg.Noneable([str]), default_value=None, is_required=False),
            "extra_tags": dg.Field(dg.Permissive(), default_value={}, is_required=False),
        },
    )
    def mlflow(context: dg.InitResourceContext) -> Iterator[Any]:
        from dagster_mlflow.resources import mlflow_tracking

        make: Any = mlflow_tracking.resource_fn
        uri = context.resource_config["mlflow_tracking_uri"]
        clean = {"mlflow_tracking_uri": uri and signed_in(uri)}
        yield from make(context.replace_config({**context.resource_config, **clean}))

    return mlflow


def _as_config(uri: Any) -> Any:
    return {"env": uri.env_var_name} if isinstance(uri, dg.EnvVar) else uri
