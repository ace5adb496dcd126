"""One commit of a Delta table: files first, then a single transaction that names them or never happened."""

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from mlops_assets.dataset.files import read_bytes, root_of
from mlops_assets.errors import StorageError

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable, Field
    from deltalake.transaction import AddAction, RemoveAction

    from mlops_assets.storage.storage import Storage

CONFIGURATION = {"delta.enableExpiredLogCleanup": "false"}
"""Old versions stay readable: nothing ever deletes the log."""

_METADATA = "mlops_assets"
_ATTEMPTS = 100


T = TypeVar("T")


class Overtaken(Exception):
    """Another process committed first; nothing of this commit is visible."""


@dataclass(frozen=True)
class Change:
    """What one commit does: files added and removed, whose transaction it is, and what it says about itself."""

    schema: "pa.Schema"
    transaction: str
    transaction_version: int
    metadata: str = ""
    added: "tuple[AddAction, ...]" = ()
    removed: "tuple[RemoveAction, ...]" = ()


def until_committed(attempt: Callable[[], T]) -> T:
    """The result of ``attempt``, made again each time another process was faster.

    Raises:
        StorageError: if it never came first.
    """
    reason = ""
    for tried in range(_ATTEMPTS):
        try:
            return attempt()
        except Overtaken as overtaken:
            reason = str(overtaken)
            time.sleep(random.uniform(0, min(1.0, 0.01 * 2**tried)))
    raise StorageError(f"{_ATTEMPTS} commits in a row failed, lastly: {reason}. Remedy: see who else writes the table")


def open_table(storage: "Storage", uri: str, version: int | None = None) -> "DeltaTable | None":
    """The Delta table at ``uri``, or None where there is none yet.

    Raises:
        StorageError: if there is a table, but not this version of it.
    """
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError, TableNotFoundError

    try:
        return DeltaTable(uri, version=version, storage_options=dict(storage.options) or None)
    except TableNotFoundError:
        if version is None:
            return None
        raise StorageError(f"There is no table at {uri!r}. Remedy: restore it, or land the batches again") from None
    except DeltaError as error:
        raise StorageError(f"The table at {uri!r} cannot be read at version {version}: {error}") from error


def create_table(storage: "Storage", uri: str, schema: "pa.Schema", metadata: str = "") -> "DeltaTable":
    """An empty table; where another process has just made it, that one."""
    from deltalake import CommitProperties, DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        return DeltaTable.create(
            uri,
            schema,
            configuration=CONFIGURATION,
            storage_options=dict(storage.options) or None,
            commit_properties=CommitProperties(custom_metadata={_METADATA: metadata}, max_commit_retries=0),
        )
    except DeltaError as error:
        if table := open_table(storage, uri):
            return table
        raise StorageError(f"The table at {uri!r} cannot be made: {error}. Remedy: check the permissions") from error


def commit(table: "DeltaTable", change: Change) -> int:
    """Make ``change`` the next version of ``table``, and return that version.

    Raises:
        Overtaken: if that version exists already.
    """
    from deltalake import CommitProperties, PostCommitHookProperties, Transaction
    from deltalake.exceptions import CommitFailedError

    try:
        table.create_write_transaction(
            [*change.added, *change.removed],
            "append",
            change.schema,
            commit_properties=CommitProperties(
                app_transactions=[Transaction(change.transaction, change.transaction_version)],
                custom_metadata={_METADATA: change.metadata},
                max_commit_retries=0,
            ),
            post_commithook_properties=PostCommitHookProperties(cleanup_expired_logs=False),
        )
    except CommitFailedError as error:
        raise Overtaken(str(error)) from error
    return table.version() + 1


def add_columns(table: "DeltaTable", fields: "list[Field]", metadata: str) -> None:
    """Widen the table by ``fields``, in a commit that says ``metadata``."""
    from deltalake import CommitProperties
    from deltalake.exceptions import CommitFailedError

    properties = CommitProperties(custom_metadata={_METADATA: metadata}, max_commit_retries=0)
    try:
        table.alter.add_columns(fields, commit_properties=properties)
    except CommitFailedError as error:
        raise Overtaken(str(error)) from error


def metadata_of(storage: "Storage", uri: str, version: int) -> str:
    """What the commit of ``version`` says about itself.

    Raises:
        StorageError: if that commit was not made by this platform.
    """
    path = f"{root_of(storage.filesystem, uri)}/_delta_log/{version:020d}.json"
    try:
        lines = read_bytes(storage.filesystem, path).splitlines()
    except FileNotFoundError:
        raise StorageError(f"Commit {version} of {uri!r} is missing. Remedy: restore {path!r}") from None
    info = next((entry["commitInfo"] for entry in map(json.loads, lines) if "commitInfo" in entry), {})
    if _METADATA not in info:
        raise StorageError(
            f"Commit {version} of {uri!r} ({info.get('operation', 'unknown operation')}) was not made by "
            f"this platform. Remedy: restore version {version - 1} with deltalake, or remove the table and land again"
        )
    return info[_METADATA]


def removals(table: "DeltaTable", batch: str) -> "tuple[RemoveAction, ...]":
    """Actions that take every file of ``batch`` out of the table."""
    import pyarrow as pa
    from deltalake.transaction import RemoveAction

    files = pa.table(table.get_add_actions(flatten=True))
    now = int(time.time() * 1000)
    paths = (path for path in files["path"].to_pylist() if path.startswith(f"part-{batch}-"))
    return tuple(RemoveAction(path, True, now) for path in paths)
