"""No way in promotes past a failed, missing or foreign report."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import GateRefused, StorageError
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.model.version import ModelVersion
from mlops_assets.registry.approval import approve
from mlops_assets.registry.rollback import roll_back
from mlops_assets.registry.session import RegistrySession
from mlops_assets.system import build_system
from mlops_assets_tests.platform import Platform, changed, failure

STEP = "wine_quality__registered_version"


@pytest.fixture
def unreachable(spec: SystemSpec) -> SystemSpec:
    """A declaration whose gate no model of wine can pass."""
    gates = [{"metric": "log_loss", "at_most": 0.0001}]
    return changed(spec, evaluation={"gates": gates}, model={**spec.model.model_dump(), "seed": 3})


@pytest.fixture
def failed(home: Platform, unreachable: SystemSpec) -> Platform:
    """The newest model has a report whose blocking gate failed."""
    result = home.run(unreachable, "model", "evaluation")
    assert result.success is False
    return home


def assert_champion_stands(home: Platform, spec: SystemSpec) -> None:
    assert home.registry(spec).aliases()["champion"] == 2
    assert home.versions(spec) == [1, 2]


def report_file(home: Platform, record: EvaluationReport) -> Path:
    (found,) = home.folder.rglob(f"{record.mlflow_run_id}/artifacts/evaluation/report.json")
    return found


def test_each_asset_alone(failed: Platform, unreachable: SystemSpec):
    result = failed.run(unreachable, "registered_version")
    assert "log_loss_at_most failed" in failure(result, STEP)
    result = failed.run(unreachable, "champion")
    assert "evaluation.gates.log_loss_at_most.at_most was 0.5, is 0.0001" in failure(result, "wine_quality__champion")
    assert_champion_stands(failed, unreachable)


def test_both_assets_together(failed: Platform, unreachable: SystemSpec):
    assert "log_loss_at_most failed" in failure(failed.run(unreachable, "registered_version", "champion"), STEP)
    assert_champion_stands(failed, unreachable)


def test_a_backfill(failed: Platform, unreachable: SystemSpec):
    assets = [asset for asset in build_system(unreachable).assets or [] if isinstance(asset, dg.AssetsDefinition)]
    result = dg.materialize(
        assets,
        resources=failed.resources,
        instance=failed.instance,
        selection=[dg.AssetKey([unreachable.name, stage]) for stage in ("registered_version", "champion")],
        tags={"dagster/backfill": "anything"},
        raise_on_error=False,
    )
    assert "log_loss_at_most failed" in failure(result, STEP)
    assert_champion_stands(failed, unreachable)


def test_the_training_job(home: Platform, unreachable: SystemSpec):
    job = dg.Definitions.merge(build_system(unreachable), dg.Definitions(resources=_with_notification(home)))
    result = job.resolve_job_def("wine_quality_training").execute_in_process(
        instance=home.instance, raise_on_error=False
    )
    assert not result.success
    assert_champion_stands(home, unreachable)


def test_the_command_line(waiting: RegistrySession):
    """What ``mlops approve`` calls: gates were tightened since the version was registered."""
    gates = [{"metric": "log_loss", "at_most": 0.0001}]
    tightened = changed(waiting.spec, evaluation={"gates": gates})
    strict = RegistrySession(tightened, waiting.storage, waiting.tracking, "ada")
    with pytest.raises(GateRefused, match=r"log_loss_at_most\.at_most was 0\.5, is 0\.0001"):
        approve(strict, 3, "please", override=True)
    assert waiting.registry.champion() == 2


def test_an_approval_of_a_version_that_is_not_registered(waiting: RegistrySession):
    with pytest.raises(StorageError, match="no record of version 9"):
        approve(waiting, 9, "please", override=True)


def test_a_missing_report(waiting: RegistrySession):
    record = waiting.storage.records.find(EvaluationReport, waiting.system, waiting.version(3).digest)
    assert record
    report_file(_home(waiting), record).unlink()
    with pytest.raises(Exception, match=r"report\.json"):
        approve(waiting, 3, "please", override=True)
    assert waiting.registry.champion() == 2


def test_an_edited_report(waiting: RegistrySession):
    record = waiting.storage.records.find(EvaluationReport, waiting.system, waiting.version(3).digest)
    assert record
    file = report_file(_home(waiting), record)
    edited = json.loads(file.read_text())
    edited["metrics"][0]["value"] = 1.0
    file.write_text(json.dumps(edited, sort_keys=True, indent=1, ensure_ascii=False))
    with pytest.raises(StorageError, match=r"report\.json was changed"):
        approve(waiting, 3, "please", override=True)
    assert waiting.registry.champion() == 2
    assert waiting.ledger.entries(waiting.system)[-1].event == "refused"


def test_the_report_of_another_version_copied_in(waiting: RegistrySession):
    records = waiting.storage.records
    own, other = (records.find(EvaluationReport, waiting.system, waiting.version(n).digest) for n in (3, 2))
    assert own and other
    home = _home(waiting)
    report_file(home, own).write_bytes(report_file(home, other).read_bytes())
    with pytest.raises(StorageError, match=r"report\.json was changed"):
        approve(waiting, 3, "please", override=True)
    # And with a record that says so: the report is about another model.
    records.append(own.model_copy(update={"digest": other.digest, "report_uri": other.report_uri}))
    with pytest.raises((GateRefused, StorageError), match=r"its report is about model|report\.json was changed"):
        approve(waiting, 3, "please", override=True)
    assert waiting.registry.champion() == 2


def test_a_model_without_a_report(home: Platform, spec: SystemSpec):
    model = home.storage.records.latest(ModelVersion, spec.name)
    assert model
    home.storage.records.append(model.model_copy(update={"digest": "f" * 64}))
    assert "has no evaluation report" in failure(home.run(spec, "registered_version"), STEP)
    assert_champion_stands(home, spec)


def test_a_rollback_to_an_edited_report(session: RegistrySession, home: Platform):
    record = home.storage.records.find(EvaluationReport, session.system, session.version(1).digest)
    assert record
    file = report_file(home, record)
    file.write_text(file.read_text().replace('"passed"', '"passed" ', 1))
    with pytest.raises(StorageError, match=r"report\.json was changed"):
        roll_back(session, "please")
    assert session.registry.champion() == 2


def _home(session: RegistrySession) -> Platform:
    return Platform(Path(session.storage.root).parent)


def _with_notification(home: Platform) -> dict[str, Any]:
    from mlops_assets.resources.notification import Notification

    return {**home.resources, "notification": Notification()}
