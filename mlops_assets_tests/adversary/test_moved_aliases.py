"""Aliases that a hand has moved in MLflow: no run passes them by, also where it has nothing else to do."""

from importlib import import_module
from pathlib import Path

import pytest

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.registry.session import RegistrySession
from mlops_assets_tests.platform import Platform, changed
from mlops_assets_tests.shell import Answer, Shell
from mlops_assets_tests.wine import WINE


def run_again(session: RegistrySession, spec: SystemSpec, monkeypatch: pytest.MonkeyPatch) -> Answer:
    monkeypatch.setattr(import_module("mlops_assets.cli.app"), "find_system", lambda *_: spec)
    (home := Path(session.tracking.artifact_root or "").parent).joinpath("lake").mkdir(exist_ok=True)
    return Shell(home).mlops("run", WINE)


def test_no_alias_moved_by_hand_is_passed_by_where_nothing_is_new(
    session: RegistrySession, spec: SystemSpec, monkeypatch: pytest.MonkeyPatch
):
    quiet = run_again(session, spec, monkeypatch)
    assert (quiet.returncode, quiet.stderr) == (0, "")
    assert "Nothing to do: nothing new has landed" in quiet.stdout
    assert "Every alias is where the ledger put it." in quiet.stdout
    session.tracking.client.set_registered_model_alias(WINE, "champion", "1")
    for _ in range(2):
        answer = run_again(session, spec, monkeypatch).stdout
        assert "Alias 'champion' is on version 1, the ledger says version 2. Remedy: mlops aliases" in answer
    assert [entry.event for entry in session.ledger.entries(WINE)].count("ungated") == 1


def test_no_alias_moved_by_hand_stays_where_it_is_to_be_moved_back(
    session: RegistrySession, home: Platform, spec: SystemSpec, monkeypatch: pytest.MonkeyPatch
):
    strict = changed(spec, registry={**spec.registry.model_dump(), "moved_alias": "restore"})
    assert home.run(strict, "champion").success
    session.tracking.client.set_registered_model_alias(WINE, "champion", "1")
    session.tracking.client.delete_registered_model_alias(WINE, "previous")
    answer = run_again(session, strict, monkeypatch)
    assert "alias 'champion' is on version 1, the ledger says version 2; alias 'previous' is on no" in answer.stdout
    assert ": moved back." in answer.stdout
    assert session.registry.aliases() == {"champion": 2, "previous": 1}


def test_a_ledger_that_was_cut_is_noticed_where_nothing_is_new(
    session: RegistrySession, spec: SystemSpec, monkeypatch: pytest.MonkeyPatch
):
    session.registry.note(99, "0" * 64)
    answer = run_again(session, spec, monkeypatch)
    assert answer.returncode == 1
    assert f"mlops ledger accept {WINE}" in answer.stderr
