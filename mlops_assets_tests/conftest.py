"""What every test may use: a storage of its own, and the real datasets where they are present."""

import os
from pathlib import Path

import hypothesis
import pytest

from mlops_assets.storage.storage import Storage

# How long one example takes says how busy the machine is.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")

REPOSITORY = Path(__file__).parents[1]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """MLflow exports the tracking URI it was last given; the next test's child processes must not inherit it."""
    for variable in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        os.environ.pop(variable, None)


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
    """The declaration of wine_quality."""
    from mlops_assets.declaration.reading import SHIPPED, find_system

    return find_system("wine_quality", [SHIPPED])
