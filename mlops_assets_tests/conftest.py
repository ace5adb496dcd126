"""What every test may use: a storage of its own, and the real datasets where they are present."""

import os
import shutil
from pathlib import Path

import hypothesis
import pytest

from mlops_assets.storage.storage import Storage

# Each worker has a core: a second thread of every library would only wait for it, busily. Child processes inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long one example takes says how busy the machine is.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")

REPOSITORY = Path(__file__).parents[1]
pytest_plugins = ["mlops_assets_tests.soak", "mlops_assets_tests.champions", "mlops_assets_tests.wheel"]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """MLflow exports the server it was last given; the next test's child processes must not inherit it or its login."""
    for name in ("TRACKING_URI", "REGISTRY_URI", "TRACKING_USERNAME", "TRACKING_PASSWORD"):
        os.environ.pop(f"MLFLOW_{name}", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: of two workers that take file by file, none ends long after the other."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """Tables, landing zone and records below the test's own folder."""
    return Storage.local(tmp_path)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real datasets; the test is skipped where they are absent."""
    folder = Path(os.environ.get("MLOPS_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real datasets are not at {folder} (set MLOPS_TEST_DATA)")
    return folder


@pytest.fixture(scope="session")
def golden_data(shared_data: Path) -> Path:
    """Folder of the golden tables beside the real datasets."""
    return shared_data.parent / "golden"


@pytest.fixture
def platform(tmp_path: Path):
    """Dagster, Delta, records and MLflow of the test's own."""
    from mlops_assets_tests.platform import Platform

    return Platform(tmp_path)


@pytest.fixture(scope="session")
def wine():
    """The declaration of wine_quality, but for the times of its predictions."""
    from mlops_assets.declaration.reading import SHIPPED, find_system
    from mlops_assets_tests.platform import untimed

    return untimed(find_system("wine_quality", [SHIPPED]))


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder with a champion and a batch that waits, and a copy of it to start every case from."""
    from mlops_assets_tests.crash import Child
    from mlops_assets_tests.platform import empty_mlflow
    from mlops_assets_tests.wine import base

    top = tmp_path_factory.mktemp("pristine")
    here, copy = top / "here", top / "copy"
    here.mkdir()
    shutil.copy(empty_mlflow(), here / "mlflow.db")
    Child(base, here, log=top / "log").result()
    shutil.copytree(here, copy)
    return here, copy


@pytest.fixture
def folder(pristine: tuple[Path, Path]) -> Path:
    """The prepared folder, at the same path in every case: MLflow keeps absolute artefact URIs."""
    here, copy = pristine
    shutil.rmtree(here)
    shutil.copytree(copy, here)
    return here
