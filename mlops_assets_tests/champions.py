"""Two champions of wine, one after the other, below one folder that every test gets as it was."""

from pathlib import Path

import pytest

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.registry.session import RegistrySession
from mlops_assets_tests.platform import Platform, changed, kept, restored
from mlops_assets_tests.wine import land_again, land_sample
from mlops_assets_tests.wine import platform as platform_below
from mlops_assets_tests.wine import spec as wine_with_a_wide_margin

CAUTIOUS = {"margin": 0.2, "promote_on": ["superior", "non_inferior"], "promotion": {"local": "approval"}}


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two champions, kept to start from; MLflow keeps absolute URIs, so work goes on in ``here``."""
    here = tmp_path_factory.mktemp("champions") / "here"
    here.mkdir()
    land_sample(here)
    assert platform_below(here).run(wine_with_a_wide_margin()).success
    land_again(here)
    assert platform_below(here).run(wine_with_a_wide_margin()).success
    return kept(here, "two champions")


@pytest.fixture(scope="session")
def prepared_waiting(prepared: Path) -> Path:
    """The same with version 3, which another seed made, waiting for approval."""
    home = restored(prepared)
    stages = ("model", "evaluation", "registered_version", "champion")
    assert home.run(cautious(), *stages).success
    return kept(home.folder, "waiting")


@pytest.fixture
def spec() -> SystemSpec:
    return wine_with_a_wide_margin()


@pytest.fixture
def home(prepared: Path) -> Platform:
    """Version 2 is champion after version 1."""
    return restored(prepared)


@pytest.fixture
def session(home: Platform, spec: SystemSpec) -> RegistrySession:
    """In the name of Ada."""
    return RegistrySession(spec, home.storage, home.tracking, "ada")


@pytest.fixture
def waiting(prepared_waiting: Path) -> RegistrySession:
    """Version 2 is champion, and version 3 waits for somebody to approve it."""
    home = restored(prepared_waiting)
    return RegistrySession(cautious(), home.storage, home.tracking, "ada")


def cautious() -> SystemSpec:
    """The declaration of version 3: a person decides."""
    wine = wine_with_a_wide_margin()
    return changed(wine, registry=CAUTIOUS, model={**wine.model.model_dump(), "seed": 7})
