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


def reopened_story(storage: Storage, spec: SystemSpec, files: list[str], actor: str) -> dict[str, object]:
    """Land ``files`` and have them read again; without any, all that the lake lost and the landing zone holds."""
    from mlops_assets.dataset.landing import land
    from mlops_assets.dataset.reingestion import reopen

    landed = [land(storage, spec.name, file, anew=True) for file in files]
    done = reopen(storage, spec.name, actor, [each.batch for each in landed])
    lines = [
        f"{each.original}: batch {each.digest[:12]} is read again by the next ingestion." for each in done.reopened
    ]
    lines += [f"{each.original}: batch {each.batch[:12]}, new, waits for ingestion." for each in landed if each.new]
    reopened = {each.digest for each in done.reopened}
    lines += [
        f"{each.original}: batch {each.batch[:12]}, {each.note}; it stays as it is."
        for each in landed
        if not each.new and each.batch not in reopened
    ]
    lines += [f"{each.original}: batch {each.digest[:12]} is lost; land its file again." for each in done.still_lost]
    return {
        "system": spec.name,
        "reopened": [each.digest for each in done.reopened],
        "still_lost": [each.digest for each in done.still_lost],
        "message": "\n".join(lines) or "Nothing is lost, and nothing was rejected.",
    }


def retracted_story(storage: Storage, spec: SystemSpec, batch: str, reason: str) -> dict[str, object]:
    """Take one batch out of the dataset."""
    from mlops_assets.dataset.ingestion import retract

    version = retract(storage, spec, batch, reason)
    rows, batches = (version.rows, version.batches) if version else (0, 0)
    message = f"Retracted {batch}: {spec.name} has {rows} rows in {batches} batches now."
    return {"system": spec.name, "dataset": version and version.model_dump(mode="json"), "message": message}


def _fate(storage: Storage, spec: SystemSpec, batch: str) -> str:
    from mlops_assets.dataset.version import BatchOutcome

    outcome = storage.records.find(BatchOutcome, spec.name, batch)
    return outcome.outcome if outcome else "waiting for ingestion"


def _sentence(batch: LandedFile) -> str:
    if not batch["new"]:
        return f"{batch['original']}: batch {batch['batch'][:12]}, {batch['note']}."
    return f"{batch['original']}: landed as batch {batch['batch'][:12]} ({batch['bytes']} bytes), {batch['outcome']}."
