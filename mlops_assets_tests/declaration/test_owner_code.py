"""Owner's code: what counts as part of a function or class is what it reaches by import, to the byte."""

import importlib
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlops_assets.declaration.owner_code import owner_code, pinned

FILES = {
    "churning/__init__.py": "from churning import constants",
    "churning/features.py": "import numpy\nfrom . import units\nfrom .cleaning.texts import tidy\ndef make(rows): ...",
    "churning/constants.py": "",
    "churning/units.py": "def factor():\n    import rates\n    return rates.EUR",
    "churning/cleaning/__init__.py": "from ..everything import *",
    "churning/cleaning/texts.py": "if False:\n    import churning.maybe as maybe",
    "churning/maybe.py": "import nowhere.to.be_found",
    "churning/everything/__init__.py": "__all__ = ['listed', 'number']\nnumber = 1",
    "churning/everything/listed.py": "import xml.dom, six",
    "churning/everything/unlisted.py": "",
    "churning/unreached.py": "import churning.features",
    "rates.py": "from loose.inner import deep",
    "loose/inner/deep.py": "import mlops_assets.features.split\nimport mlops_assets.defs.house_prices.features",
    "loose/other.py": "",
}
UNREACHED = {"churning/everything/unlisted.py", "churning/unreached.py", "loose/other.py"}
PATH = "churning.features:make"


@pytest.fixture
def owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path with an owner's package, a module and a package without ``__init__.py``."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    return tmp_path


def test_every_form_of_import_is_followed_and_nothing_is_imported(owner: Path):
    code = owner_code([PATH, None])
    shipped = {f"mlops_assets/defs/house_prices/{name}.py" for name in ("__init__", "features")}
    assert set(code.files) == (FILES.keys() - UNREACHED) | shipped
    assert not {"churning", "rates", "loose"} & sys.modules.keys()


@pytest.mark.parametrize("name", sorted(FILES))
def test_each_byte_of_what_is_reached_counts_and_none_of_what_is_not(owner: Path, name: str):
    before = owner_code([PATH]).digest
    (owner / name).write_text(f"{FILES[name]}\n# another comment\n")
    assert (owner_code([PATH]).digest == before) == (name in UNREACHED)


def test_the_same_files_elsewhere_have_the_same_digest(owner: Path, tmp_path_factory, monkeypatch):
    here = owner_code([PATH]).digest
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    owner.rename(elsewhere / "code")
    monkeypatch.syspath_prepend(str(elsewhere / "code"))
    assert owner_code([PATH]).digest == here


def test_libraries_are_those_that_the_code_imports_and_all_that_they_require(owner: Path, monkeypatch):
    libraries = [line.split("==")[0] for line in owner_code([PATH]).libraries]
    assert libraries[:2] == ["python", "numpy"] and {"six", "pandas", "python-dateutil"} <= set(libraries)
    assert "mlops-assets" not in libraries and "mlflow" not in libraries
    before = owner_code([PATH]).digest
    pinned.cache_clear()
    newer = {name: SimpleNamespace(version="99.0", requires=distribution(name).requires) for name in ("numpy", "six")}
    monkeypatch.setattr("importlib.metadata.distribution", lambda name: newer.get(name) or distribution(name))
    assert owner_code([PATH]).digest != before
    pinned.cache_clear()
    assert {"joblib", "numpy", "scipy", "threadpoolctl"} <= {line.split("==")[0] for line in pinned(("scikit-learn",))}
    pinned.cache_clear()


def test_library_code_and_a_file_that_does_not_parse_are_taken_as_they_are(owner: Path):
    assert owner_code(["sklearn.linear_model.Ridge"]).files == {}
    assert owner_code(["no_such_module:make"]).files == {}
    (owner / "rates.py").write_text("def broken(:")
    assert "rates.py" in owner_code([PATH]).files


def test_loading_knows_the_owners_code_without_importing_it(owner: Path):
    """The code version of the assets, which Dagster marks as changed."""
    code = (
        f"import sys; sys.path.insert(0, {str(owner)!r})\n"
        "from mlops_assets.declaration.spec import SystemSpec\n"
        "from mlops_assets.system import build_system\n"
        "dataset = {'target': 'y', 'columns': {'y': {'type': 'float'}, 'x': {'type': 'float'}}}\n"
        f"features = {{'engineer': {PATH!r}}}\n"
        "spec = SystemSpec(name='churn', task='regression', dataset=dataset, features=features)\n"
        "assets = {asset.key.path[-1]: asset for asset in build_system(spec).assets}\n"
        "print([asset.code_versions_by_key[asset.key] for name, asset in assets.items() if name in "
        "('dataset', 'features', 'model')], 'churning' in sys.modules)"
    )

    def printed() -> str:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return done.stdout

    before = printed()
    assert before.endswith("False\n")
    (owner / "rates.py").write_text("from loose.inner import deep\nEUR = 2")
    after = printed()
    dataset, features, model = zip(before.split()[:3], after.split()[:3], strict=True)
    assert dataset[0] == dataset[1]
    assert features[0] != features[1]
    assert model[0] != model[1]
