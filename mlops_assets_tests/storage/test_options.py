"""Storage options have one set of names, for both libraries that read the storage."""

import pytest

from mlops_assets.errors import StorageError
from mlops_assets.storage.options import fsspec_options


@pytest.mark.parametrize(
    ("root", "options", "expected"),
    [
        ("s3://lake", {"AWS_ACCESS_KEY_ID": "a", "aws_secret_access_key": "b"}, {"key": "a", "secret": "b"}),
        ("s3a://lake", {"AWS_ALLOW_HTTP": "true", "AWS_REGION": "x"}, {"client_kwargs": {"region_name": "x"}}),
        ("gs://lake", {"GOOGLE_SERVICE_ACCOUNT": "key.json"}, {"token": "key.json"}),
        ("abfss://lake", {"AZURE_STORAGE_ACCOUNT_NAME": "a"}, {"account_name": "a"}),
        ("/srv/lake", {}, {}),
    ],
)
def test_delta_lakes_names_are_translated(root: str, options: dict[str, str], expected: dict):
    assert fsspec_options(root, options) == expected


def test_a_name_that_delta_lake_would_overlook_is_refused():
    with pytest.raises(StorageError, match=r"'endpoint_url', which is not a storage option .*begins with AWS_"):
        fsspec_options("s3://lake", {"endpoint_url": "http://s3"})
