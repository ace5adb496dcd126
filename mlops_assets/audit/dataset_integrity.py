"""Dataset integrity: every row of a dataset version hashed again, and the files that it was landed from."""

from mlops_assets.dataset.digest import require_digest
from mlops_assets.dataset.files import content_digest
from mlops_assets.dataset.landing import landed_path
from mlops_assets.dataset.row_hash import row_hash
from mlops_assets.dataset.table import DatasetTable, read_dataset
from mlops_assets.dataset.version import BatchOutcome, DatasetVersion
from mlops_assets.errors import StorageError
from mlops_assets.storage.storage import Storage


def require_content(storage: Storage, version: DatasetVersion, batches: dict[str, BatchOutcome]) -> str:
    """Read every row of ``version``, recompute its hashes and digest, and say what was found equal.

    ``batches`` are the :func:`members` of the version.

    Raises:
        StorageError: if rows are missing, were added or were changed; names the batch where one can be known.
    """
    rows = read_dataset(storage, version)
    hashes = row_hash(rows, [name for name in rows.columns if not name.startswith("_")])
    require_digest(rows, hashes, version, batches)
    return f"{rows.height:,} rows of {version.batches:,} batches, hashed again, have digest {version.digest[:12]}"


def require_landed_files(storage: Storage, version: DatasetVersion, batches: dict[str, BatchOutcome]) -> str:
    """Hash the file of each of ``batches`` that still lies in the landing zone, and say how many there are.

    Raises:
        StorageError: naming the files that no longer hold the bytes that were landed.
    """
    changed, gone = [], 0
    for batch, outcome in batches.items():
        path = landed_path(storage, version.system, outcome.file)
        if not storage.filesystem.exists(path):
            gone += 1
        elif content_digest(storage.filesystem, path) != batch:
            changed.append(f"{outcome.file} ({outcome.original!r})")
    if changed:
        raise StorageError(
            f"no longer the bytes that were landed: {', '.join(changed)}. "
            "Remedy: put the original files back under these names; the dataset itself is checked apart"
        )
    kept = f"{len(batches) - gone:,} of {len(batches):,} batch files lie in the landing zone and hash to their names"
    return f"{kept}; {gone:,} were cleared away" if gone else kept


def members(storage: Storage, version: DatasetVersion) -> dict[str, BatchOutcome]:
    """The accepted batches of exactly ``version``, by id, from the log of its table."""
    return DatasetTable.at(storage, version.system, version.table_version).members()
