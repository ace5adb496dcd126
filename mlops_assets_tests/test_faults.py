"""Kill -9 and a lost MLflow at every stage of the wine lifecycle: nothing is lost, doubled or half there."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_assets_tests.crash import Child, Killed, Moment
from mlops_assets_tests.wine import ROWS, State, base, run, state_then_run

DATASET, FEATURES, MODEL = "mlops_assets.dataset", "mlops_assets.features", "mlops_assets.model"
REGISTRY, RESOURCES = "mlops_assets.registry", "mlops_assets.resources"
MOMENTS = {
    "rows staged, not committed": Moment("entering", f"{DATASET}.table:DatasetTable.append"),
    "rows committed, fate of the batch not recorded": Moment("leaving", f"{DATASET}.table:DatasetTable.append"),
    "fate recorded, version not published": Moment("entering", f"{DATASET}.ingestion:publish"),
    "features committed, not recorded": Moment("leaving", f"{FEATURES}.building:write_features"),
    "model fitted, not logged": Moment("entering", f"{RESOURCES}.tracking:MlflowTracking.log_model"),
    "model logged, not recorded": Moment("leaving", f"{RESOURCES}.tracking:MlflowTracking.log_model"),
    "report logged, not recorded": Moment("leaving", "mlops_assets.evaluation.asset:_log"),
    "version made, not recorded": Moment("leaving", f"{RESOURCES}.registry:Registry.register"),
    "version recorded, not in the ledger": Moment("entering", f"{REGISTRY}.ledger:Ledger.append"),
    "version in the ledger, not judged": Moment("leaving", f"{REGISTRY}.ledger:Ledger.append"),
    "promotion in the ledger, alias not moved": Moment("entering", f"{RESOURCES}.registry:Registry.set_champion"),
    "alias moved, decision not recorded": Moment("leaving", f"{RESOURCES}.registry:Registry.set_champion"),
}


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder with a champion and a batch that waits, and a copy of it to start every case from."""
    folder = tmp_path_factory.mktemp("faults")
    here, copy = folder / "here", folder / "copy"
    here.mkdir()
    Child(base, here, log=folder / "log").result()
    shutil.copytree(here, copy)
    return here, copy


@pytest.fixture
def folder(pristine: tuple[Path, Path]) -> Iterator[Path]:
    """The prepared folder, at the same path in every case: MLflow keeps absolute artefact URIs."""
    here, copy = pristine
    shutil.rmtree(here)
    shutil.copytree(copy, here)
    return here


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_a_run_killed_at_this_moment_is_made_good_by_the_next(folder: Path, moment: Moment):
    log = folder.parent / "log"
    with pytest.raises(Killed):
        Child(run, folder, moment=moment, log=log).result()
    left, again, after = Child(state_then_run, folder, log=log).result()
    assert_old_champion_stands(left)
    assert again.success, again.failures
    assert_everything_once(after)


def assert_old_champion_stands(left: State) -> None:
    assert left.champion == 1 or left.champion == left.promoted
    assert left.rows in (ROWS, 2 * ROWS)
    assert left.features_rows in (ROWS, 2 * ROWS)


def assert_everything_once(after: State) -> None:
    assert after.rows == after.features_rows == 2 * ROWS
    assert sorted(after.batches.values()) == [["accepted"], ["accepted"]]
    assert after.commits == {"dataset": 3, "features": 2}
    assert after.models == 2
    assert len(after.reports) == len(set(after.reports)) == 2
    assert after.events == [("registered", 1, None), ("promoted", 1, 1), ("registered", 2, None), ("promoted", 2, 2)]
    assert after.champion == after.decided == after.promoted == 2
