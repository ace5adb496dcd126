"""Who can write one thing alone, and what that is worth: what the table in SECURITY.md says and no other test shows."""

import sys
from pathlib import Path

import pytest

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import StorageError
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.registry.approval import approve
from mlops_assets.registry.reconciliation import reconcile
from mlops_assets.registry.session import RegistrySession
from mlops_assets_tests.platform import Platform, changed
from mlops_assets_tests.registry.test_own_scoring import SPEC, planks
from mlops_assets_tests.wine import WINE

FEATURES = """
import os
from pathlib import Path

def make(rows):
    Path(os.environ["TOUCHED"]).touch()
    return rows[["length", "width"]]
"""


def test_who_writes_the_declaration_says_what_suffices_and_the_ledger_keeps_it(waiting: RegistrySession):
    """Version 3 is as good as version 2: whether that is enough is a matter of margin and grounds."""
    home = Platform(Path(waiting.storage.root).parent)
    narrow = changed(waiting.spec, registry={"margin": 0.0001})
    assert home.run(narrow, "champion").success
    assert waiting.registry.champion() == 2
    wide = changed(waiting.spec, registry={"margin": 0.4, "promote_on": ["non_inferior"]})
    assert home.run(wide, "champion").success
    assert waiting.registry.champion() == 3
    verdicts = waiting.ledger.entries(WINE, "verdict")[-2:]
    assert [(entry.details["decision"], entry.details["margin"]) for entry in verdicts] == [
        ("kept", 0.0001),
        ("promoted", 0.4),
    ]


def test_the_owners_code_may_do_in_training_what_the_account_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Nothing confines it, so whoever reviews a declaration reviews the code that it names."""
    touched = tmp_path / "far" / "touched"
    touched.parent.mkdir()
    (tmp_path / "owner").mkdir()
    (tmp_path / "owner" / "measuring_alone.py").write_text(FEATURES)
    monkeypatch.syspath_prepend(str(tmp_path / "owner"))
    monkeypatch.setenv("TOUCHED", str(touched))
    model = {**SPEC["model"], "transformer": None}
    spec = SystemSpec.model_validate({**SPEC, "features": {"engineer": "measuring_alone:make"}, "model": model})
    home = Platform(tmp_path / "home")
    planks(0).write_parquet(tmp_path / "planks.parquet")
    home.land(spec, tmp_path / "planks.parquet")
    assert home.run(spec, "dataset", "features").success
    assert touched.exists()
    sys.modules.pop("measuring_alone", None)


def test_a_version_made_by_hand_in_mlflow_is_no_candidate(session: RegistrySession, home: Platform, spec: SystemSpec):
    client, first = session.tracking.client, session.version(1)
    tags = dict(session.registry.version(1).tags)
    client.create_model_version(WINE, first.model_uri, tags=tags, model_id=first.model_uri.rpartition("/")[2])
    assert home.versions(spec) == [1, 2, 3]
    with pytest.raises(StorageError, match="wine_quality has no record of version 3"):
        approve(session, 3, "please", override=True)
    assert home.run(spec, "champion").success
    assert session.registry.champion() == 2
    session.registry.point("champion", 3)
    assert [alias.observed for alias in reconcile(session)] == [3]
    assert session.ledger.entries(WINE)[-1].event == "ungated"


def test_what_followed_the_last_note_can_be_hidden_by_who_can_write_the_database(
    session: RegistrySession, home: Platform, spec: SystemSpec
):
    """Decisions and refusals are noted when they are made; records of the stages before them are not."""
    noted = session.ledger.head(WINE)
    other = changed(spec, evaluation={"gates": [{"metric": "accuracy", "at_least": 0.99999}]})
    home.run(other, "evaluation")
    records = session.storage.records
    assert session.ledger.head(WINE)[0] > noted[0]
    reports = len(records.history(EvaluationReport, WINE))
    with records.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM mlops_ledger WHERE sequence > ?", (noted[0],))
        connection.exec_driver_sql("DELETE FROM mlops_records WHERE entry > ?", (noted[0],))
    session.require_continued()
    assert len(records.history(EvaluationReport, WINE)) == reports - 1
