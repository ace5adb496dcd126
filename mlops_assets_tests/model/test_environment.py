import re
import subprocess
from pathlib import Path

import pytest

from mlops_assets.model.environment import code_version, environment_lock, git_commit, requirements


def git(folder, *arguments):
    identity = ["-c", "user.name=Tester", "-c", "user.email=tester@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def test_the_lock_pins_every_distribution_once_and_in_order():
    lines = environment_lock().splitlines()
    assert lines == sorted(set(lines), key=lambda line: line.split("==")[0])
    assert all(re.fullmatch(r"[a-z0-9.\-]+==\S+", line) for line in lines)
    assert any(line.startswith("scikit-learn==1.9") for line in lines)


@pytest.mark.parametrize(
    ("estimator", "own"),
    [
        ("sklearn.linear_model.Ridge", set()),
        ("xgboost.XGBClassifier", {"xgboost"}),
        ("lightgbm.LGBMRegressor", {"lightgbm"}),
    ],
)
def test_requirements_are_what_loading_needs_pinned(estimator, own):
    found = {line.split("==")[0].removesuffix("-cpu"): line.split("==")[1] for line in requirements(estimator)}
    assert set(found) == {"numpy", "pandas", "scikit-learn", "scipy", "skops"} | own
    assert all(found.values())


def test_the_commit_of_a_checkout_is_named_and_says_when_files_differ(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "a.txt").write_text("a")
    git(tmp_path, "add", "a.txt")
    git(tmp_path, "commit", "-qm", "First")
    commit = git_commit(tmp_path)
    assert re.fullmatch("[0-9a-f]{40}", commit)
    (tmp_path / "a.txt").write_text("b")
    assert git_commit(tmp_path) == f"{commit}+dirty"


def test_no_checkout_is_an_empty_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_commit(tmp_path) == ""
    git(tmp_path, "init", "-q")
    assert git_commit(tmp_path) == ""


def test_a_folder_that_the_checkout_around_it_does_not_hold_has_no_commit_of_its(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text(".venv\n")
    git(tmp_path, "add", ".gitignore")
    git(tmp_path, "commit", "-qm", "Somebody's project")
    package = tmp_path / ".venv" / "mlops_assets"
    package.mkdir(parents=True)
    (package / "model.py").touch()
    assert git_commit(package) == ""
    assert git_commit(tmp_path) != ""


def test_no_git_is_an_empty_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit(tmp_path) == ""


def test_the_code_version_follows_what_decides_the_model(mixed):
    version = code_version(mixed().spec)
    assert code_version(mixed().spec) == version
    assert code_version(mixed(params={"max_iter": 7}).spec) != version
    assert code_version(mixed().spec.model_copy(update={"description": "other words"})) == version


def test_the_code_version_follows_a_module_that_an_own_transformer_imports(mixed, tmp_path, monkeypatch):
    (tmp_path / "squaring.py").write_text("from powers import POWER\n\nclass Squares: ...\n")
    powers = tmp_path / "powers.py"
    powers.write_text("POWER = 2\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    spec = mixed(transformer="squaring.Squares").spec
    version = code_version(spec)
    assert version != code_version(mixed().spec)
    powers.write_text("POWER = 3\n")
    assert code_version(spec) != version


def test_the_commit_of_the_owner_is_not_that_of_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A declaration and its code in a repository of their own; a library that git does not keep has none."""
    from mlops_assets.declaration.reading import SHIPPED, find_system
    from mlops_assets.model.environment import owner_commits
    from mlops_assets_tests.platform import changed

    (tmp_path / "own_code.py").write_text("def engineer(): ...\n")
    (tmp_path / "defs.yaml").write_text("attributes:\n")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=ada", "-c", "user.email=ada@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "mine"]):
        subprocess.run([*git, *words], check=True)
    monkeypatch.syspath_prepend(tmp_path)
    wine = find_system("wine_quality", [SHIPPED])
    features = {**wine.features.model_dump(), "engineer": "own_code.engineer"}
    own = changed(wine, features=features).placed(tmp_path / "defs.yaml")
    commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    commits = owner_commits(own)
    assert (commits["declaration"], commits["own_code.engineer"]) == (commit, commit)
    assert not [name for name in commits if name.startswith("sklearn")]
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "defs.yaml").write_text("not added\n")
    assert "declaration" not in owner_commits(own.placed(tmp_path / "notes" / "defs.yaml"))
