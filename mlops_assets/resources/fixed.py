"""Resources and executors that a run's configuration cannot turn into others: what they are is settled at load."""

from typing import Any

import dagster as dg

TUNABLE = {"retries", "max_concurrent", "tag_concurrency_limits"}
"""What a run may say to its executor; images, environments, volumes and modules to load are not for it to say."""


def fixed(resource: "dg.ConfigurableResource[Any]") -> dg.ResourceDefinition:
    """``resource`` without a configuration of its own: a run that hands it another database or path is refused.

    References to environment variables are looked up where the run is.

    Example:
        >>> from mlops_assets.resources.storage import StorageResource
        >>> storage = fixed(StorageResource(root="lake", database_url=dg.EnvVar("MLOPS_DATABASE_URL")))
        >>> storage.config_schema.as_field().config_type.fields
        {}
    """

    return dg.ResourceDefinition(
        lambda _: resource.process_config_and_initialize(), config_schema={}, description=type(resource).__doc__
    )


def fixed_files() -> dg.IOManagerDefinition:
    """Dagster's own keeper of what assets return, below the storage of the instance and nowhere else.

    The platform's assets return nothing that it would keep; systems beside them may.
    """
    return dg.IOManagerDefinition(
        resource_fn=dg.FilesystemIOManager.from_resource_context,
        config_schema={},
        description="What assets return, kept below the storage of the Dagster instance.",
    )


def tunable(executor: dg.ExecutorDefinition) -> dg.ExecutorDefinition:
    """``executor``, of which a run may set how often and how much at once, and nothing else."""
    fields: Any = executor.config_schema.as_field().config_type
    kept = {name: field for name, field in fields.fields.items() if name in TUNABLE}
    return executor.configured(lambda given: given, config_schema=kept)
