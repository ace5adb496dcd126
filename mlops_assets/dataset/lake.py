"""The lake compared with the records: a lost, older or damaged table is never taken for a new one."""

from typing import TYPE_CHECKING

from mlops_assets.dataset.files import root_of
from mlops_assets.dataset.table import DatasetTable
from mlops_assets.dataset.version import BatchOutcome, DatasetVersion, LakeLoss
from mlops_assets.errors import StorageError

if TYPE_CHECKING:
    from mlops_assets.storage.storage import Storage


def require_lake(storage: "Storage", system: str) -> None:
    """Raise StorageError where the table holds less than the records say, unless that loss has been accepted."""
    if problem := lake_problem(storage, system):
        raise StorageError(
            f"The dataset table of {system!r} is not what the records say: {problem}. Remedy: restore "
            f"{storage.table(system, 'dataset')!r} from a backup; if there is none, land what was in it again, "
            f"which is recorded as a loss: mlops land {system} --reingest FILE…"
        )


def lake_problem(storage: "Storage", system: str) -> str:
    """How the table differs from what the newest record says of it; empty where it does not."""
    records = storage.records
    recorded = records.latest(DatasetVersion, system)
    table = DatasetTable.latest(storage, system)
    if recorded is None or records.position(LakeLoss, system) > records.position(DatasetVersion, system):
        return lost_files(table) if table else ""
    if table is None:
        return f"there is no table, recorded are {_described(recorded)}"
    if table.version < recorded.table_version:
        return f"it ends with commit {table.version}, recorded are {_described(recorded)}"
    return _other_content(table, recorded) or lost_files(table)


def lost_batches(storage: "Storage", system: str) -> dict[str, BatchOutcome]:
    """Batches that the records call accepted and the table does not hold, by id."""
    newest = {outcome.digest: outcome for outcome in storage.records.history(BatchOutcome, system)}
    table = DatasetTable.latest(storage, system)
    held = table.members() if table else {}
    return {batch: outcome for batch, outcome in newest.items() if outcome.outcome == "accepted" and batch not in held}


def _other_content(table: DatasetTable, recorded: DatasetVersion) -> str:
    held = table.state_at(recorded.table_version).version(recorded.system, recorded.table_version, [])
    if held is None:
        return f"commit {recorded.table_version} holds nothing, recorded are {_described(recorded)}"
    seen, said = ((each.digest, each.rows, each.batches) for each in (held, recorded))
    return "" if seen == said else f"it holds {_described(held)}, recorded are {_described(recorded)}"


def lost_files(table: DatasetTable) -> str:
    """Files that the newest commit names and the table's folder does not hold whole."""
    fs, folder = table.storage.filesystem, root_of(table.storage.filesystem, table.uri)
    fs.invalidate_cache(folder)
    sizes = {entry["name"].rpartition("/")[2]: entry["size"] for entry in fs.ls(folder, detail=True)}
    lost = [name for name, size in table.files().items() if sizes.get(name) != size]
    listed = ", ".join(lost[:3])
    return f"{len(lost)} of its files are missing or cut off: {listed}{'…' if len(lost) > 3 else ''}" if lost else ""


def _described(version: DatasetVersion) -> str:
    return (
        f"{version.rows:,} rows of {version.batches:,} batches in commit {version.table_version} "
        f"(digest {version.digest[:12]})"
    )
