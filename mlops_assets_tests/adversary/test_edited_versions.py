"""Versions edited, deleted and renumbered in MLflow: none passes for the one that was registered."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_assets.audit.verification import verify
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import StorageError
from mlops_assets.registry.approval import approve
from mlops_assets.registry.promotion import require_admissible
from mlops_assets.registry.provenance import report_of, scored
from mlops_assets.registry.rollback import roll_back
from mlops_assets.registry.session import RegistrySession
from mlops_assets.resources.model_registry import REPORT_TAG
from mlops_assets_tests.platform import Platform, changed, failure
from mlops_assets_tests.wine import WINE


def model_folder(session: RegistrySession, number: int) -> Path:
    """Where MLflow keeps the files of a version."""
    model = session.version(number).model_uri.rpartition("/")[2]
    (found,) = Path(session.tracking.artifact_root or "").rglob(f"{model}/artifacts")
    return found


def report_page(session: RegistrySession, number: int) -> Path:
    run = report_of(session.storage, session.version(number)).mlflow_run_id
    (found,) = Path(session.tracking.artifact_root or "").rglob(f"{run}/artifacts/evaluation/report.html")
    return found


def append(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(path.read_bytes() + text.encode())


EDITS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "an edited MLmodel": ("MLmodel", append("\n# and more"), "model/MLmodel was changed"),
    "another loader": ("MLmodel", append("\nflavors: {python_function: {loader_module: evil}}\n"), "model/MLmodel"),
    "an extra file": (
        "sitecustomize.py",
        lambda path: path.write_text("evil()"),
        "model/sitecustomize.py was not there",
    ),
    "other requirements": ("requirements.txt", append("evil==1\n"), "model/requirements.txt was changed"),
    "a lost file": ("conda.yaml", Path.unlink, "model/conda.yaml is missing"),
    "an edited ONNX copy": ("model.onnx", append("x"), "model/model.onnx was changed"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_no_version_with_an_edited_folder_is_promoted_loaded_or_gone_back_to(session: RegistrySession, edit: str):
    name, change, told = EDITS[edit]
    change(model_folder(session, 1) / name)
    version = session.version(1)
    for look in (
        lambda: roll_back(session, "please"),
        lambda: require_admissible(session, version),
        lambda: scored(session, version, None),  # type: ignore[arg-type]  it comes to no rows
    ):
        with pytest.raises(StorageError, match=told):
            look()
    assert told in {finding.name: finding.message for finding in verify(session, 1) if not finding.ok}["files"]
    assert session.registry.champion() == 2


def test_no_edited_page_of_a_report_goes_unnoticed(waiting: RegistrySession):
    page = report_page(waiting, 3)
    page.write_text(page.read_text().replace("accuracy", "Accuracy"))
    with pytest.raises(StorageError, match=r"evaluation/report\.html was changed"):
        approve(waiting, 3, "please", override=True)
    assert [finding.name for finding in verify(waiting, 3) if not finding.ok] == ["files"]


def test_no_number_is_given_again_when_the_registered_model_was_deleted(waiting: RegistrySession):
    home = Platform(Path(waiting.tracking.artifact_root or "").parent)
    waiting.tracking.client.delete_registered_model(WINE)
    other = changed(waiting.spec, model={**waiting.spec.model.model_dump(), "seed": 5})
    stages = ("model", "evaluation", "registered_version")
    assert "the registry has lost its note" in failure(home.run(other, *stages), "wine_quality__registered_version")
    waiting.accept_ledger("the registered model was deleted by mistake")
    assert home.run(other, *stages).success
    assert home.versions(other) == [4], "MLflow began with 1 again"
    registered = waiting.ledger.entries(WINE, "registered")
    assert [entry.version for entry in registered] == [1, 2, 3, 4]
    told = {finding.name: finding.message for finding in verify(waiting, 3) if not finding.ok}
    assert "no version 3" in told["registry"]
    with pytest.raises(StorageError, match="models:/wine_quality/3"):
        approve(waiting, 3, "please", override=True)


def test_no_other_model_passes_under_a_number_that_was_deleted(waiting: RegistrySession):
    """Somebody makes the versions anew, the third from the files of the first and with the tags of the third."""
    client, first = waiting.tracking.client, waiting.version(1)
    model, tags = client.get_registered_model(WINE), dict(waiting.registry.version(3).tags)
    client.delete_registered_model(WINE)
    client.create_registered_model(WINE, tags=dict(model.tags))
    for _ in range(3):
        client.create_model_version(WINE, first.model_uri, tags=tags, model_id=first.model_uri.rpartition("/")[2])
    for alias, number in model.aliases.items():
        client.set_registered_model_alias(WINE, alias, number)
    told = {finding.name: finding.message for finding in verify(waiting, 3) if not finding.ok}
    assert "model/model.skops was changed" in told["files"]
    with pytest.raises(StorageError, match="is not what was registered"):
        approve(waiting, 3, "please", override=True)
    with pytest.raises(StorageError, match="is not what was registered"):
        scored(waiting, waiting.version(2), None)  # type: ignore[arg-type]  it comes to no rows


def test_no_tag_makes_one_version_pass_for_another(home: Platform, session: RegistrySession, spec: SystemSpec):
    """The tags of the two are exchanged: registering again finds its own number in the ledger."""
    registry = session.registry
    reports = {number: registry.version(number).tags[REPORT_TAG] for number in (1, 2)}
    registry.tag(1, REPORT_TAG, reports[2])
    registry.tag(2, REPORT_TAG, reports[1])
    assert "mlops.report_digest" in {f.name: f.message for f in verify(session, 1) if not f.ok}["registry"]
    result = home.run(spec, "registered_version")
    assert result.success
    assert session.ledger.entries(WINE, "registered")[-1].report_digest == reports[2]
    assert 1 not in [entry.version for entry in session.ledger.entries(WINE, "registered")[1:]]


def test_loading_by_the_platform_runs_no_code_of_a_model_folder(
    session: RegistrySession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    ran = tmp_path / "ran"
    folder = model_folder(session, 1)
    (folder / "code").mkdir()
    (folder / "code" / "evil.py").write_text(f"open({str(ran)!r}, 'w')\ndef _load_pyfunc(path): ...\n")
    (folder / "MLmodel").write_text(
        json.dumps({"flavors": {"python_function": {"loader_module": "evil", "code": "code"}}})
    )
    monkeypatch.setenv("MLFLOW_ALLOW_MODEL_CODE_EXECUTION", "true")
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")
    with pytest.raises(StorageError, match="is not what was registered"):
        scored(session, session.version(1), None)  # type: ignore[arg-type]  it comes to no rows
    assert not all(finding.ok for finding in verify(session, 1))
    assert not ran.exists()


def test_mlflow_itself_loads_no_champion_under_the_variables_that_the_platform_sets(session: RegistrySession):
    """As a program does that asks for the alias: it is refused before anything of the folder is believed."""
    import mlflow

    assert session.registry.champion() == 2
    for load_model in (mlflow.sklearn.load_model, mlflow.pyfunc.load_model):
        with pytest.raises(mlflow.MlflowException, match="MLFLOW_ALLOW_PICKLE_DESERIALIZATION"):
            load_model(f"models:/{WINE}@champion")
