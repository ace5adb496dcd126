"""Trace: from a file or a row to every version that rests on it, and back from a version to its files."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mlops_assets.audit.lineage import backward, find_batch, forward, members
from mlops_assets.audit.row_lineage import find_row
from mlops_assets.cli import app
from mlops_assets.dataset.ingestion import ingest, retract
from mlops_assets.dataset.landing import land
from mlops_assets.dataset.version import BatchOutcome, DatasetVersion
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import LandingError, StorageError
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.model.version import ModelVersion
from mlops_assets.registry.rollback import roll_back
from mlops_assets.registry.session import RegistrySession
from mlops_assets.storage.storage import Storage
from mlops_assets_tests.platform import Platform, changed

SAMPLE, AGAIN = "wine_quality_sample.csv", "again.csv"


@pytest.fixture
def keyed() -> SystemSpec:
    """Houses, named by street and number."""
    columns: dict = {"street": {"type": "string"}, "number": {"type": "integer"}, "price": {"type": "float", "min": 0}}
    columns["rooms"] = {"type": "integer", "nullable": True}
    dataset = {"target": "price", "columns": columns, "key": ["street", "number"], "max_quarantined": 1}
    return SystemSpec.model_validate({"name": "houses", "task": "regression", "dataset": dataset})


def landed(storage: Storage, spec: SystemSpec, folder: Path, name: str, *rows: str) -> str:
    """Id of the batch, once it is in the dataset."""
    file = folder / name
    file.write_text("\n".join([",".join(spec.dataset.columns), *rows]) + "\n", encoding="utf-8")
    batch = land(storage, spec.name, file).batch
    ingest(storage, spec)
    return batch


def test_a_file_leads_to_every_version_that_rests_on_it(session: RegistrySession):
    storage, system = session.storage, session.system
    first, second = (find_batch(storage, system, name) for name in (SAMPLE, AGAIN))
    datasets = storage.records.history(DatasetVersion, system)
    features = storage.records.history(FeaturesVersion, system)
    models = storage.records.published(ModelVersion, system)
    everything, later = forward(storage, system, first), forward(storage, system, second)
    assert everything.dataset_versions == [version.table_version for version in datasets]
    assert everything.features_versions == [version.table_version for version in features]
    assert [model.mlflow_run_id for model in everything.models] == [model.record.mlflow_run_id for model in models]
    assert [one.version for one in everything.generations] == everything.versions == [1, 2]
    assert everything.message == (
        "Affected: versions 1 and 2 of wine_quality; the present champion, version 2, is among them."
    )
    assert later.dataset_versions == [datasets[-1].table_version]
    assert [model.dagster_run_id for model in later.models] == [models[-1].run_id]
    assert (later.versions, later.affects_champion) == ([2], True)


def test_a_wrong_file_does_not_touch_a_champion_from_before_it(session: RegistrySession):
    roll_back(session, "again.csv was measured with a broken scale")
    retract(session.storage, session.spec, find_batch(session.storage, session.system, AGAIN).batch, "broken scale")
    found = forward(session.storage, session.system, find_batch(session.storage, session.system, AGAIN))
    assert found.batches[0].fate == "retracted"
    assert (found.versions, found.champion, found.affects_champion) == ([2], 1, False)
    assert found.generations[0].until is not None
    assert found.message == "Affected: version 2 of wine_quality; the present champion, version 1, is not among them."


def test_a_version_leads_back_to_its_files_and_no_others(session: RegistrySession):
    storage, system = session.storage, session.system
    first, second = (backward(storage, system, number) for number in (1, 2))
    assert [batch.original for batch in first.batches] == [SAMPLE]
    assert [batch.original for batch in second.batches] == [SAMPLE, AGAIN]
    assert first.batches[0].landed_at < second.batches[1].landed_at
    assert len(first.dataset_versions) == len(first.features_versions) == len(first.models) == 1
    assert (first.versions, [one.version for one in first.generations]) == ([1], [1])
    with pytest.raises(StorageError, match=r"has no record of version 7. Versions: 1, 2"):
        backward(storage, system, 7)


def test_a_batch_is_in_every_version_from_its_acceptance_until_its_retraction(
    storage: Storage, keyed: SystemSpec, tmp_path: Path
):
    one = landed(storage, keyed, tmp_path, "one.csv", "Elm,1,10,3")
    two = landed(storage, keyed, tmp_path, "two.csv", "Elm,2,20,3")
    retract(storage, keyed, one, "wrong")
    three = landed(storage, keyed, tmp_path, "three.csv", "Elm,3,30,3")
    outcomes = storage.records.history(BatchOutcome, keyed.name)
    versions = [version.table_version for version in storage.records.history(DatasetVersion, keyed.name)]
    assert [set(members(outcomes, version)) for version in versions] == [{one}, {one, two}, {two}, {two, three}]
    found = forward(storage, keyed.name, find_batch(storage, keyed.name, one))
    assert found.dataset_versions == versions[:2]
    assert found.message == "No registered version of houses is affected."


def test_a_batch_is_found_by_a_beginning_or_a_name_if_that_is_unique(
    storage: Storage, keyed: SystemSpec, tmp_path: Path
):
    one = landed(storage, keyed, tmp_path, "july.csv", "Elm,1,10,3")
    two = landed(storage, keyed, tmp_path, "july.csv", "Elm,2,20,3")
    assert find_batch(storage, keyed.name, one[:8].upper()).batch == one
    waiting = tmp_path / "august.csv"
    waiting.write_text("street,number,price,rooms\nElm,3,30,3\n", encoding="utf-8")
    land(storage, keyed.name, waiting)
    assert find_batch(storage, keyed.name, "august.csv").fate == "waiting"
    with pytest.raises(LandingError, match=r"'july\.csv' names several batches of 'houses'") as told:
        find_batch(storage, keyed.name, "july.csv")
    assert one[:12] in str(told.value)
    assert two[:12] in str(told.value)
    for unknown in ("", "june.csv"):
        with pytest.raises(LandingError, match="names no batch"):
            find_batch(storage, keyed.name, unknown)


def test_a_row_is_found_by_its_key_wherever_it_lies(storage: Storage, keyed: SystemSpec, tmp_path: Path):
    one = landed(storage, keyed, tmp_path, "one.csv", "Elm,1,10,3", '"Oak, upper",7,11,3', "Ash,5,-1,3")
    two = landed(storage, keyed, tmp_path, "two.csv", "Elm,2,20,3", "Elm,1,12,3")
    retract(storage, keyed, one, "wrong")
    old = storage.records.history(DatasetVersion, keyed.name)[1]

    found = find_row(storage, keyed, "Elm,2")
    assert (found.batch, found.row, found.quarantined) == (two, 1, [])
    retracted = find_row(storage, keyed, '"Oak, upper",7.0')
    assert (retracted.batch, retracted.row, retracted.table_version) == (one, 2, old.table_version)
    repeated = find_row(storage, keyed, "Elm,1")
    assert (repeated.batch, repeated.row) == (one, 1)
    assert [(line.batch, line.row, line.rule) for line in repeated.quarantined] == [(two, 2, "key")]
    broken = find_row(storage, keyed, "Ash,5")
    assert broken.batch is None
    assert [(line.row, line.column, line.value) for line in broken.quarantined] == [(3, "price", "-1")]


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("Elm", "'Elm' has 1 values. Remedy: give street,number as in CSV"),
        ("Elm,first", "'first' is no integer"),
        ("Elm,99", "has no row 'Elm,99', in no dataset version and not in quarantine"),
    ],
)
def test_a_key_that_names_no_row_is_told(storage: Storage, keyed: SystemSpec, tmp_path: Path, key: str, told: str):
    landed(storage, keyed, tmp_path, "one.csv", "Elm,1,10,3")
    with pytest.raises(LandingError, match=told):
        find_row(storage, keyed, key)


def test_without_a_key_a_row_is_named_by_its_place(storage: Storage, keyed: SystemSpec, tmp_path: Path):
    nameless = changed(keyed, dataset={**keyed.dataset.model_dump(), "key": []})
    one = landed(storage, nameless, tmp_path, "one.csv", "Elm,1,10,3", "Elm,2,-20,3")
    assert find_row(storage, nameless, f"{one[:8]}:1").batch == one
    assert find_row(storage, nameless, "one.csv:2").quarantined[0].column == "price"
    with pytest.raises(LandingError, match="has no row"):
        find_row(storage, nameless, f"{one[:8]}:3")
    with pytest.raises(LandingError, match=r"names no row of 'houses', which declares no key\. Remedy: give BATCH:ROW"):
        find_row(storage, nameless, "Elm")


def test_the_exit_code_says_whether_the_champion_is_affected(
    session: RegistrySession, home: Platform, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DAGSTER_HOME", str(home.folder))
    shell = CliRunner()
    hit = shell.invoke(app, ["trace", "wine_quality", "--batch", AGAIN])
    assert (hit.exit_code, "is among them" in hit.stdout) == (5, True)
    batch = find_batch(session.storage, session.system, AGAIN).batch
    told = shell.invoke(app, ["trace", "wine_quality", "--row", f"{batch}:1", "--json"])
    story = json.loads(told.stdout)
    assert told.exit_code == 5
    assert (story["row"]["row"], story["versions"], story["affects_champion"]) == (1, [2], True)
    roll_back(session, "complaints")
    assert shell.invoke(app, ["trace", "wine_quality", "--batch", AGAIN]).exit_code == 0
    back = shell.invoke(app, ["trace", "wine_quality", "--version", "1"])
    assert (back.exit_code, SAMPLE[:12] in back.stdout, AGAIN in back.stdout) == (0, True, False)
    unclear = shell.invoke(app, ["trace", "wine_quality"])
    assert (unclear.exit_code, "give one of --batch, --row and --version" in unclear.stderr) == (2, True)
