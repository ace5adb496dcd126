"""``mlops doctor`` looks: what it writes to find out is gone again, and a dead run no longer holds its queue."""

from pathlib import Path

import deltalake
import pytest

from mlops_assets.automation.health import examine
from mlops_assets.settings import Settings
from mlops_assets_tests.platform import empty_mlflow


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "mlflow.db").write_bytes(empty_mlflow().read_bytes())
    return Settings()


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("fails", [False, True])
def test_doctor_leaves_no_table_of_its_own_and_writes_no_dagster_yaml(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
):
    def broken(self: object) -> None:
        raise OSError("unreadable")

    if fails:
        monkeypatch.setattr(deltalake.DeltaTable, "to_pyarrow_table", broken)
    findings = {finding.subject: finding for finding in examine(settings)}
    assert findings["storage"].ok is not fails
    assert findings["dagster"].ok, findings["dagster"].message
    assert [name for name in files(tmp_path) if ".doctor" in name or name == "dagster.yaml"] == []
