"""The features table: each version is one atomic overwrite, and every earlier version stays readable."""

import json
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd
import polars as pl

from mlops_assets.dataset.commit import Overtaken, until_committed
from mlops_assets.errors import StorageError
from mlops_assets.features.content import content_of, contents, in_order, rows_of, split_up
from mlops_assets.features.version import FeaturesVersion, Part
from mlops_assets.storage.storage import Storage

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

NAME = "features"
DIGEST = "mlops.digest"
"""Key of the commit's metadata that says which version the commit is."""
ROW_COLUMNS = ("_identity", "_part", "_batch", "_row")
REMEDY = "Remedy: materialise the features again."
TAMPERED = "Remedy: materialise the features again or restore the files, and find out who may write to the tables."
PROPERTIES = {"delta.enableExpiredLogCleanup": "false"}


def write_features(
    storage: Storage, system: str, table: pl.DataFrame, digest: str, content: dict[Part, str] | None = None
) -> int:
    """Commit ``table`` as the version ``digest`` and return its Delta version.

    A commit that a killed run left behind under the same digest, or that another run made meanwhile, is taken
    over instead of written again, if it holds this ``content``.

    Raises:
        StorageError: if other runs always committed first.
    """
    return until_committed(lambda: _write(storage, storage.table(system, NAME), table, digest, content))


def read_features(storage: Storage, version: FeaturesVersion, part: Part | None = None) -> pd.DataFrame:
    """Rows of exactly this version, of one part or of all, ordered by ``_batch`` and ``_row``.

    Columns: the features (float64, or ``object`` of ``str``); the target; context columns as ``@name``;
    ``_identity`` (int64, equal for rows that stay together), ``_part``, ``_batch``, ``_row``.
    The target of every row outside ``excluded`` is present: float64 for regression, else the declared type.

    Raises:
        StorageError: if the table no longer holds this version, or any cell of what is read is not as written.
    """
    rows = _read(storage, version)
    if part is not None:
        return _unchanged(storage, version, part, rows_of(rows, part)).to_pandas()
    if version.content is not None:
        for each, chosen in split_up(rows).items():
            _unchanged(storage, version, each, chosen)
    return rows.to_pandas()


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
    """Every part that a model is made from or judged on, as ``read_features`` gives it; the table is read once."""
    rows = split_up(_read(storage, version))
    held = (_unchanged(storage, version, part, rows[part]) for part in ("train", "validation", "test"))
    return Parts(*(chosen.to_pandas() for chosen in held))


def is_readable(storage: Storage, version: FeaturesVersion) -> bool:
    """Whether the table still holds this version with every file and, where that was recorded, every cell."""
    try:
        if version.content is None:
            return _is_whole(storage, _open(storage, version))
        return contents(_read(storage, version)) == version.content
    except StorageError:
        return False


def _read(storage: Storage, version: FeaturesVersion) -> "pa.Table":
    """Every row and column of the version, in order; not yet found unchanged."""
    table = _open(storage, version)
    names = [*version.names, version.target, *(name for name in _columns(table) if name.startswith("@"))]
    try:
        return _ordered(table, [*names, *ROW_COLUMNS])
    except FileNotFoundError as error:
        raise StorageError(f"A file of features {version.digest!r} is gone: {error}. {REMEDY}") from error
    except (OSError, ValueError, KeyError) as error:
        raise StorageError(
            f"Version {version.table_version} of {storage.table(version.system, NAME)!r} cannot be read as features "
            f"{version.digest!r}: {error}. {TAMPERED}"
        ) from error


def _ordered(table: "DeltaTable", names: list[str]) -> "pa.Table":
    return in_order(table.to_pyarrow_dataset(as_large_types=True).to_table(columns=names))


def _columns(table: "DeltaTable") -> list[str]:
    return [field.name for field in table.schema().fields]


def _unchanged(storage: Storage, version: FeaturesVersion, part: Part, rows: "pa.Table") -> "pa.Table":
    """The ``rows`` of ``part``, found to be what was written."""
    recorded = None if version.content is None else version.content.get(part, "")
    held = None if recorded is None else content_of(rows)
    if held != recorded:
        raise StorageError(
            f"The {part} rows in version {version.table_version} of {storage.table(version.system, NAME)!r} were "
            f"changed: their content has digest {str(held)[:12]}, features {version.digest[:12]} were recorded with "
            f"{recorded[:12] if recorded else 'none'}. {TAMPERED}"
        )
    return rows


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


def _write(storage: Storage, url: str, table: pl.DataFrame, digest: str, content: dict[Part, str] | None) -> int:
    from deltalake import CommitProperties, write_deltalake
    from deltalake.exceptions import DeltaError

    latest = _latest(storage, url)
    left = latest is not None and _digest_at(storage, url, latest.version()) == digest and _is_whole(storage, latest)
    if latest is not None and left and content in (None, contents(_ordered(latest, table.columns))):
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
