"""What the command line tells after landing or retracting."""

from collections.abc import Callable
from typing import TypedDict

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.storage.storage import Storage


class LandedFile(TypedDict):
    """One landed file, as JSON."""

    batch: str
    original: str
    bytes: int
    new: bool
    outcome: str
    note: str


def landed_story(
    storage: Storage, spec: SystemSpec, files: list[str], on_progress: Callable[[int, int | None], None]
) -> dict[str, object]:
    """Land ``files``, or the sample when there are none; ``on_progress`` is given bytes read and bytes in all."""
    from mlops_assets.dataset.landing import land, land_sample

    landed = [land(storage, spec.name, file, on_progress) for file in files] or [land_sample(storage, spec)]
    fates = {batch.batch: _fate(storage, spec, batch.batch) for batch in landed}
    batches: list[LandedFile] = [
        {
            "batch": file.batch,
            "original": file.original,
            "bytes": file.bytes,
            "new": file.new,
            "outcome": fates[file.batch],
            "note": file.note,
        }
        for file in landed
    ]
    message = "\n".join(_sentence(batch) for batch in batches)
    if not any(batch["new"] for batch in batches):
        message += "\nNothing new to land."
    return {"system": spec.name, "batches": batches, "message": message}


def retracted_story(storage: Storage, spec: SystemSpec, batch: str, reason: str) -> dict[str, object]:
    """Take one batch out of the dataset."""
    from mlops_assets.dataset.ingestion import retract

    version = retract(storage, spec, batch, reason)
    message = f"Retracted {batch}: {spec.name} has {version.rows} rows in {version.batches} batches now."
    return {"system": spec.name, "dataset": version.model_dump(mode="json"), "message": message}


def _fate(storage: Storage, spec: SystemSpec, batch: str) -> str:
    from mlops_assets.dataset.version import BatchOutcome

    outcome = storage.records.find(BatchOutcome, spec.name, batch)
    return outcome.outcome if outcome else "waiting for ingestion"


def _sentence(batch: LandedFile) -> str:
    if not batch["new"]:
        return f"{batch['original']}: batch {batch['batch'][:12]}, {batch['note']}."
    return f"{batch['original']}: landed as batch {batch['batch'][:12]} ({batch['bytes']} bytes), {batch['outcome']}."
