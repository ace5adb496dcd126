"""A storage URL whose library is not installed is refused by the name of the extra that brings it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_assets.dataset.ingestion import ingest
from mlops_assets.dataset.landing import land
from mlops_assets.errors import MissingExtra, StorageError
from mlops_assets.settings import Settings
from mlops_assets.storage.object_stores import EXTRA_OF_SCHEME, LIBRARIES, missing_extras, require_libraries
from mlops_assets.storage.storage import Storage
from mlops_assets_tests.dataset.declaring import system
from mlops_assets_tests.dataset.hostile_files import GOOD
from mlops_assets_tests.seaweed import ObjectStore
from mlops_assets_tests.wheel import Installed


@pytest.fixture(params=[(extra, library) for extra, libraries in LIBRARIES.items() for library in libraries])
def absent(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """An extra, and one of its libraries, which is not there."""
    extra, library = request.param
    for name in LIBRARIES[extra]:  # the others are, whatever is installed here
        monkeypatch.setitem(sys.modules, name, sys)
    monkeypatch.setitem(sys.modules, library, None)
    return extra, library


def test_every_scheme_of_an_extra_names_the_missing_library_and_the_extra(absent: tuple[str, str], tmp_path: Path):
    extra, library = absent
    for scheme in (scheme for scheme, of in EXTRA_OF_SCHEME.items() if of == extra):
        with pytest.raises(MissingExtra, match=rf"'{library}' is not installed.*'mlops-assets\[{extra}\]'"):
            require_libraries(f"{scheme}://bucket/lake")
        with pytest.raises(MissingExtra, match=library):
            _ = Storage(f"{scheme}://bucket/lake", f"sqlite:///{tmp_path / 'platform.db'}").filesystem
    assert extra in missing_extras()


def test_a_local_path_needs_no_extra(absent: tuple[str, str], tmp_path: Path):
    assert Settings(home=tmp_path).open_storage().filesystem.protocol[0] == "file"


def test_the_doctor_of_an_installed_wheel_names_the_extra_that_a_url_needs(wheel: Installed, tmp_path: Path):
    places = {
        "MLOPS_STORAGE": "gs://bucket/lake",
        "MLFLOW_ARTIFACT_ROOT": "abfss://models@account.dfs.core.windows.net",
    }
    answer = wheel.run(tmp_path, "mlops", "doctor", environment={"DAGSTER_HOME": str(tmp_path / "home"), **places})
    assert answer.returncode == 1
    for library, extra in (("gcsfs", "gcs"), ("adlfs", "azure")):
        assert f"{library!r} is not installed." in answer.stdout
        assert f"Remedy: pip install 'mlops-assets[{extra}]'" in answer.stdout


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with ObjectStore.running(tmp_path_factory.mktemp("s3"), below="mlops/lake") as running:
        running.make_bucket("mlops")
        yield running


def storage(store: ObjectStore, root: str, database: Path) -> Storage:
    options = {name: value for name, value in store.environment.items() if name != "AWS_DEFAULT_REGION"}
    return Storage(root, f"sqlite:///{database}", options)


@pytest.mark.slow
def test_a_misspelt_bucket_is_named_and_none_is_made(store: ObjectStore, tmp_path: Path):
    with pytest.raises(StorageError, match=r"'s3://mlpos/lake': the bucket 'mlpos' is not there.*Remedy: "):
        _ = storage(store, "s3://mlpos/lake", tmp_path / "platform.db").filesystem
    assert not store.filesystem().exists("mlpos")


@pytest.mark.slow
def test_a_key_that_reaches_nothing_but_the_lake_is_enough(store: ObjectStore, tmp_path: Path):
    opened = storage(store.limited(), "s3://mlops/lake", tmp_path / "platform.db")
    with pytest.raises(PermissionError):
        opened.filesystem.pipe_file("mlops/elsewhere", b"")
    (tmp_path / "good.csv").write_bytes(GOOD)
    land(opened, "s", tmp_path / "good.csv")
    assert [outcome.outcome for outcome in ingest(opened, system()).outcomes] == ["accepted"]
