"""Storage options: one set of names, Delta Lake's, for both libraries that read the storage."""

from collections.abc import Mapping
from typing import Any

from mlops_assets.errors import StorageError

FSSPEC_NAMES = {
    "s3": {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
        "AWS_ENDPOINT_URL": "endpoint_url",
    },
    "gs": {"GOOGLE_APPLICATION_CREDENTIALS": "token", "GOOGLE_SERVICE_ACCOUNT": "token"},
    "abfs": {
        "AZURE_STORAGE_ACCOUNT_NAME": "account_name",
        "AZURE_STORAGE_ACCOUNT_KEY": "account_key",
        "AZURE_STORAGE_SAS_TOKEN": "sas_token",
        "AZURE_STORAGE_TENANT_ID": "tenant_id",
        "AZURE_STORAGE_CLIENT_ID": "client_id",
        "AZURE_STORAGE_CLIENT_SECRET": "client_secret",
    },
}
"""What fsspec's filesystem calls an option, by protocol."""
ALIASES = {"s3a": "s3", "gcs": "gs", "az": "abfs", "abfss": "abfs"}
PREFIXES = {"s3": "AWS_", "gs": "GOOGLE_", "abfs": "AZURE_"}


def fsspec_options(root: str, options: Mapping[str, str]) -> dict[str, Any]:
    """Delta Lake's ``options`` as the fsspec filesystem of ``root`` takes them; what only Delta Lake knows is left out.

    Raises:
        StorageError: if a name is not one of Delta Lake's, which would read it as if it were not there.

    Example:
        >>> fsspec_options("s3://lake", {"AWS_ENDPOINT_URL": "http://s3:9000", "AWS_REGION": "eu-1"})
        {'endpoint_url': 'http://s3:9000', 'client_kwargs': {'region_name': 'eu-1'}}
    """
    protocol = root.partition("://")[0] if "://" in root else "file"
    protocol = ALIASES.get(protocol, protocol)
    if protocol not in PREFIXES:
        return dict(options)
    known = {_known(protocol, name): value for name, value in options.items()}
    names = FSSPEC_NAMES[protocol]
    region = known.get("AWS_REGION", known.get("AWS_DEFAULT_REGION"))
    return {names[name]: value for name, value in known.items() if name in names} | (
        {"client_kwargs": {"region_name": region}} if region else {}
    )


def _known(protocol: str, name: str) -> str:
    if not name.upper().startswith(PREFIXES[protocol]):
        raise StorageError(
            f"MLOPS_STORAGE_OPTIONS has {name!r}, which is not a storage option of Delta Lake for {protocol}://. "
            f"Remedy: give it by the name that begins with {PREFIXES[protocol]}, such as "
            f"{next(iter(FSSPEC_NAMES[protocol]))!r}"
        )
    return name.upper()
