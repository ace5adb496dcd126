"""The features table: each version is one atomic overwrite, and every earlier version stays readable."""

import json
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd
import polars as pl

from mlops_assets.dataset.commit import Overtaken, until_committed
from mlops_assets.errors import StorageError
from mlops_assets.features.version import FeaturesVersion, Part
from mlops_assets.storage.storage import Storage

if TYPE_CHECKING:
    from deltalake import DeltaTable

NAME = "features"
DIGEST = "mlops.digest"
"""Key of the commit's metadata that says which version the commit is."""
ROW_COLUMNS = ("_identity", "_part", "_batch", "_row")
REMEDY = "Remedy: materialise the features again."
PROPERTIES = {"delta.enableExpiredLogCleanup": "false"}


def write_features(storage: Storage, system: str, table: pl.DataFrame, digest: str) -> int:
    """Commit ``table`` as the version ``digest`` and return its Delta version.

    A commit that a killed run left behind under the same digest, or that another run made meanwhile, is taken
    over instead of written again.

    Raises:
        StorageError: if other runs always committed first.
    """
    return until_committed(lambda: _write(storage, storage.table(system, NAME), table, digest))


def read_features(storage: Storage, version: FeaturesVersion, part: Part | None = None) -> pd.DataFrame:
    """Rows of exactly this version, of one part or of all, ordered by ``_batch`` and ``_row``.

    Columns: the features (float64, or ``object`` of ``str``); the target; context columns as ``@name``;
    ``_identity`` (int64, equal for rows that stay together), ``_part``, ``_batch``, ``_row``.
    The target of every row outside ``excluded`` is present: float64 for regression, else the declared type.

    Raises:
        StorageError: if the table no longer holds this version.
    """
    import pyarrow.compute as pc

    data = _open(storage, version).to_pyarrow_dataset(as_large_types=True)
    names = [*version.names, version.target, *(name for name in data.schema.names if name.startswith("@"))]
    try:
        rows = data.to_table(columns=[*names, *ROW_COLUMNS])
    except FileNotFoundError as error:
        raise StorageError(f"A file of features {version.digest!r} is gone: {error}. {REMEDY}") from error
    if part is not None:  # not while scanning: statistics of string_view have no kernel for the comparison
        rows = rows.filter(pc.field("_part") == part)
    return rows.sort_by([("_batch", "ascending"), ("_row", "ascending")]).to_pandas()


class Parts(NamedTuple):
    """The rows of one version, part by part."""

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame

    @property
    def held_out(self) -> tuple[pd.DataFrame, Part]:
        """The validation rows, and the train rows where there are none; with the name of their part."""
        return (self.train, "train") if self.validation.empty else (self.validation, "validation")


def read_parts(storage: Storage, version: FeaturesVersion) -> Parts:
    """Every part that a model is made from or judged on, as ``read_features`` gives it."""
    return Parts(*(read_features(storage, version, part) for part in ("train", "validation", "test")))


def is_readable(storage: Storage, version: FeaturesVersion) -> bool:
    """Whether the table still holds this version with every file."""
    try:
        return _is_whole(storage, _open(storage, version))
    except StorageError:
        return False


def _is_whole(storage: Storage, table: "DeltaTable") -> bool:
    return all(storage.filesystem.exists(file) for file in table.file_uris())


def _open(storage: Storage, version: FeaturesVersion) -> "DeltaTable":
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError, TableNotFoundError

    url = storage.table(version.system, NAME)
    try:
        table = DeltaTable(url, version=version.table_version, storage_options=storage.options or None)
        held = _digest_at(storage, url, version.table_version)
    except (DeltaError, TableNotFoundError, FileNotFoundError) as error:
        raise StorageError(f"Version {version.table_version} of {url!r} cannot be read: {error}. {REMEDY}") from error
    if held != version.digest:
        raise StorageError(
            f"Version {version.table_version} of {url!r} holds {held!r}, not features {version.digest!r}. {REMEDY}"
        )
    return table


def _latest(storage: Storage, url: str) -> "DeltaTable | None":
    from deltalake import DeltaTable

    options = storage.options or None
    if not DeltaTable.is_deltatable(url, storage_options=options):
        return None
    return DeltaTable(url, storage_options=options)


def _write(storage: Storage, url: str, table: pl.DataFrame, digest: str) -> int:
    from deltalake import CommitProperties, write_deltalake
    from deltalake.exceptions import DeltaError

    latest = _latest(storage, url)
    if latest is not None and _digest_at(storage, url, latest.version()) == digest and _is_whole(storage, latest):
        return latest.version()
    version = 0 if latest is None else latest.version() + 1
    try:
        write_deltalake(
            url if latest is None else latest,
            table,
            mode="error" if latest is None else "overwrite",
            schema_mode=None if latest is None else "overwrite",
            configuration=PROPERTIES,
            storage_options=storage.options or None,
            # A retried commit would not remove the rows that came in between: both would be in this version.
            commit_properties=CommitProperties(custom_metadata={DIGEST: digest}, max_commit_retries=0),
        )
    except DeltaError as error:
        newest = _latest(storage, url)
        if newest is None or newest.version() < version:
            raise
        raise Overtaken(str(error)) from error
    return version


def _digest_at(storage: Storage, url: str, version: int) -> str | None:
    """The digest that a commit carries; its own log entry is read, ``history()`` misnumbers older versions."""
    entry = f"{url}/_delta_log/{version:020d}.json"
    actions = (json.loads(line) for line in storage.filesystem.cat_file(entry).splitlines() if line)
    return next((action["commitInfo"].get(DIGEST) for action in actions if "commitInfo" in action), None)
