"""Attribution: a run that somebody launches in the UI is marked with the name that the guard found for them."""

import dagster as dg
from dagster._core.instance import InstanceRef
from dagster._core.run_coordinator import QueuedRunCoordinator, SubmitRunContext
from dagster._serdes import ConfigurableClassData

from mlops_assets.asset import ACTOR_TAG

PERSON_HEADER = "x-mlops-person"
"""The guard before the webserver sets it, and lets through none of a client's."""


class AttributingRunCoordinator(QueuedRunCoordinator):
    """Dagster's queue; a run that comes by a request carries the name of who sent it as a tag.

    A run that goes by another way may carry any tag, so what reads it takes it for a claim.
    """

    def submit_run(self, context: SubmitRunContext) -> dg.DagsterRun:
        if name := context.get_request_header(PERSON_HEADER):
            self._instance.add_run_tags(context.dagster_run.run_id, {ACTOR_TAG: name})
        return super().submit_run(context)


def attributing_instance(home: str) -> dg.DagsterInstance:
    """The instance at ``home`` as the webserver uses it; an own run coordinator stays as it is."""
    ref = InstanceRef.from_dir(home)
    queue = ref.run_coordinator_data
    if queue and queue.class_name == QueuedRunCoordinator.__name__:
        kind = AttributingRunCoordinator
        ref = ref._replace(
            run_coordinator_data=ConfigurableClassData(kind.__module__, kind.__name__, queue.config_yaml)
        )
    return dg.DagsterInstance.from_ref(ref)
