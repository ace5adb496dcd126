"""Object stores: which extra a URL's scheme needs, and which libraries that extra brings."""

from importlib.util import find_spec

from mlops_assets.errors import MissingExtra

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


def missing_extras() -> list[str]:
    """Extras for object stores that are not, or not wholly, installed."""
    return sorted(extra for extra, names in LIBRARIES.items() if not all(map(_installed, names)))


def _installed(library: str) -> bool:
    try:
        return find_spec(library) is not None
    except ModuleNotFoundError:  # a package above it is missing
        return False
