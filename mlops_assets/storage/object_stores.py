"""Object stores: which extra a URL's scheme needs, and which libraries that extra brings."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from mlops_assets.errors import MissingExtra, StorageError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

LIBRARIES = {
    "s3": ("s3fs", "boto3"),
    "gcs": ("gcsfs", "google.cloud.storage"),
    "azure": ("adlfs", "azure.identity", "azure.storage.blob", "azure.storage.filedatalake"),
}
"""By extra: for the landing zone fsspec's, for MLflow's artefacts the vendor's own."""
EXTRA_OF_SCHEME = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
EXTRA_OF_SCHEME |= dict.fromkeys(("az", "abfs", "abfss", "wasbs"), "azure")


def require_libraries(url: str) -> None:
    """Do nothing where everything that ``url`` needs is installed; a local path needs nothing.

    Raises:
        MissingExtra: naming the first missing library and the extra that brings it.

    Example:
        >>> require_libraries("/var/lib/mlops/lake")
    """
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in EXTRA_OF_SCHEME:
        return
    extra = EXTRA_OF_SCHEME[scheme]
    for library in LIBRARIES[extra]:
        if not _installed(library):
            raise MissingExtra(library, extra)


def require_bucket(fs: "AbstractFileSystem", url: str) -> None:
    """Do nothing where ``url`` is not on S3, or its bucket is there: s3fs would make one that is misspelt.

    Raises:
        StorageError: naming the bucket.
    """
    scheme, _, path = url.partition("://")
    bucket, _, prefix = path.rstrip("/").partition("/")
    if EXTRA_OF_SCHEME.get(scheme) != "s3":
        return
    try:  # below the prefix, which a key may be limited to
        fs.call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix and f"{prefix}/", MaxKeys=1)  # pyright: ignore[reportAttributeAccessIssue]
    except FileNotFoundError as error:
        raise StorageError(
            f"{url!r}: the bucket {bucket!r} is not there. Remedy: correct MLOPS_STORAGE, or make the bucket"
        ) from error


def make_folder(fs: "AbstractFileSystem", path: str) -> None:
    """Make ``path`` where folders are made: an object store has none, and would be asked for a bucket."""
    if not EXTRA_OF_SCHEME.keys() & {*([fs.protocol] if isinstance(fs.protocol, str) else fs.protocol)}:
        fs.makedirs(path, exist_ok=True)


def missing_extras() -> list[str]:
    """Extras for object stores that are not, or not wholly, installed."""
    return sorted(extra for extra, names in LIBRARIES.items() if not all(map(_installed, names)))


def _installed(library: str) -> bool:
    try:
        return find_spec(library) is not None
    except ModuleNotFoundError:  # a package above it is missing
        return False
