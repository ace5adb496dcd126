"""No process imports torch that does not need it: it costs seconds and hundreds of megabytes."""

import subprocess
import sys
from pathlib import Path

from mlops_assets_tests.crash import Child
from mlops_assets_tests.test_house import modules, offenders
from mlops_assets_tests.wine import base

ALL_OF_SKOPS = """
import hashlib, sys
{how}
from skops.io._trusted_types import SKLEARN_ESTIMATOR_TYPE_NAMES as names
print("torch" in sys.modules, hashlib.sha256(repr(sorted(names)).encode()).hexdigest())
"""


def test_training_judging_loading_and_predicting_import_no_torch(tmp_path: Path):
    assert Child(lifecycle_then_torch, tmp_path, log=tmp_path / "log").result() == []


def lifecycle_then_torch(folder: Path) -> list[str]:
    """What of torch is imported when wine has a champion that was loaded and has repeated its predictions."""
    assert base(folder).champion == 1
    return [name for name in sys.modules if name.split(".")[0] == "torch"]


def test_skops_trusts_the_same_estimators_with_and_without_torch():
    plain = told("import skops.io")
    ours = told("from mlops_assets.model.skops_format import skops_io; skops_io()")
    assert (plain[0], ours[0]) == ("True", "False"), "skops no longer imports torch: model/skops_format.py can go"
    assert plain[1] == ours[1]


def told(how: str) -> list[str]:
    code = ALL_OF_SKOPS.format(how=how)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_one_module_alone_imports_skops():
    importers = [module for module in modules().values() if str(module) != "model/skops_format.py"]
    assert offenders({m: {name for name in m.imported if name.split(".")[0] == "skops"} for m in importers}) == []
