"""Own scoring: a champion is compared on features that its own sealed code makes, or the comparison says why not."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import NotEvaluated, StorageError
from mlops_assets.features.table import read_features
from mlops_assets.model.sealed.scoring import SealedModel, predict_sealed
from mlops_assets.model.sealed.seal import PLACE, opened
from mlops_assets.registry.challenge import challenge
from mlops_assets.registry.provenance import features_of, fetched_artefact, model_of
from mlops_assets.registry.session import RegistrySession
from mlops_assets_tests.platform import Platform

FEATURES = """
from measuring.units import scaled
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin

def make(rows):
    return scaled(rows)

class Rounded(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    def fit(self, rows, target=None):
        self.n_features_in_ = rows.shape[1]
        return self

    def transform(self, rows):
        return rows.round(3)
"""
METRES = "def scaled(rows):\n    return rows[['length', 'width']] * 1.0\n"
CENTIMETRES = METRES.replace("1.0", "100.0")
SPEC = {
    "name": "planks",
    "task": "classification",
    "dataset": {
        "target": "long",
        "columns": {"length": {"type": "float"}, "width": {"type": "float"}, "long": {"type": "boolean"}},
    },
    "features": {"engineer": "measuring.features:make"},
    "model": {
        "estimator": "sklearn.tree.DecisionTreeClassifier",
        "params": {"max_depth": 3},
        "onnx": "off",
        "transformer": "measuring.features.Rounded",
    },
    "evaluation": {"resamples": 200, "gates": [{"metric": "accuracy", "at_least": 0.6}]},
    "registry": {"margin": 0.1},
}


def planks(seed: int) -> pl.DataFrame:
    """Planks of which the long ones are mostly called so."""
    rng = np.random.default_rng(seed)
    length, width = rng.uniform(0, 1, 400), rng.uniform(0, 1, 400)
    return pl.DataFrame({"length": length, "width": width, "long": (length > 0.5) ^ (rng.uniform(size=400) < 0.1)})


def write(owner: Path, units: str) -> None:
    """The owner's code, and nothing of it imported yet."""
    (owner / "measuring").mkdir(parents=True, exist_ok=True)
    (owner / "measuring" / "features.py").write_text(FEATURES)
    (owner / "measuring" / "units.py").write_text(units)
    for name in [name for name in sys.modules if name.partition(".")[0] == "measuring"]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistrySession]:
    """Version 1 measures in metres; version 2, of the same names, in centimetres."""
    top = tmp_path_factory.mktemp("planks")
    platform, spec = Platform(top / "home"), SystemSpec.model_validate(SPEC)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(top / "owner"))
        patch.setattr(sys, "dont_write_bytecode", True)  # both texts are of one size and one moment
        for seed, units in enumerate((METRES, CENTIMETRES)):
            write(top / "owner", units)
            planks(seed).write_parquet(top / f"{seed}.parquet")
            platform.land(spec, top / f"{seed}.parquet")
            assert platform.run(spec).success
        yield RegistrySession(spec, platform.storage, platform.tracking, "ada")
    for name in [name for name in sys.modules if name.partition(".")[0] == "measuring"]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def champion(session: RegistrySession) -> SealedModel:
    """Version 1 with its code."""
    version = session.version(1)
    model = model_of(session.storage, version)
    code = opened(session.fetch(f"runs:/{model.mlflow_run_id}/{PLACE}"), model.sealed_code)
    return SealedModel(model, features_of(session.storage, model), fetched_artefact(session, version), code)


def refused(session: RegistrySession, **changes: str) -> str:
    """Why version 1 with another record is not compared; a person must decide."""
    version = session.version(1)
    honest = model_of(session.storage, version)
    session.storage.records.append(honest.model_copy(update=changes))
    try:
        result = challenge(session, session.version(2), version)
    finally:
        session.storage.records.append(honest)
    assert result.comparison is None and result.needs_person
    return result.obstacle


def test_a_champion_is_scored_on_features_of_its_own_code(session: RegistrySession, champion: SealedModel):
    """Same names and kinds, another unit: on the challenger's features it would call every plank long."""
    result = challenge(session, session.version(2), session.version(1))
    assert result.comparison, result.obstacle
    assert set(champion.code.names) == {"measuring/features.py", "measuring/units.py"}
    test = read_features(session.storage, features_of(session.storage, model_of(session.storage, session.version(2))))
    test = test.loc[test["_part"] == "test"]
    assert test["length"].max() > 50
    assert result.comparison.champion > 0.8
    raw = pl.DataFrame({"length": [0.1, 0.9], "width": [0.5, 0.5]})
    assert predict_sealed(champion, raw, session.new_folder()).values.tolist() == [False, True]


def test_changed_or_missing_sealed_code_is_never_run(session: RegistrySession, champion: SealedModel, tmp_path: Path):
    model = champion.version
    for name in ("seal.json", "measuring/units.py"):
        copy = tmp_path / name.replace("/", "-")
        shutil.copytree(champion.code.folder, copy)
        (copy / name).write_text((copy / name).read_text() + " ")
        with pytest.raises(StorageError, match=f"{name} of the sealed code"):
            opened(copy, model.sealed_code)
    (copy / "measuring" / "units.py").unlink()
    with pytest.raises(StorageError, match="is missing or was changed"):
        opened(copy, model.sealed_code)
    assert "its sealed code is gone" in refused(session, mlflow_run_id="0" * 32)
    with pytest.raises(StorageError, match=r"seal.json of the sealed code is not the one that was recorded"):
        refused(session, sealed_code="0" * 64)


def test_a_version_that_sealed_no_code_is_compared_only_where_its_features_are_todays(session: RegistrySession):
    told = refused(session, sealed_code="", code_digest="")
    assert told.startswith("champion version 1 cannot score these rows: it is of a release that sealed no code")
    assert "'length', 'width'" in told


def test_what_keeps_the_code_from_running_is_said(session: RegistrySession, champion: SealedModel, tmp_path: Path):
    raw = pl.DataFrame({"length": [0.1], "width": [0.5]})

    def reason(model: SealedModel, seconds: float = 60) -> str:
        with pytest.raises(NotEvaluated) as error:
            predict_sealed(model, raw, session.new_folder(), seconds)
        return str(error.value)

    other = [line if not line.startswith("pandas==") else "pandas==1.0" for line in champion.code.libraries]
    assert "other libraries: pandas was 1.0, is" in reason(
        replace(champion, code=replace(champion.code, libraries=other))
    )
    assert reason(champion, seconds=0.05) == "its own code gave no features in 0.05 s"
    alone = replace(champion.code, names=["measuring/features.py"])
    assert "No module named 'measuring.units'" in reason(replace(champion, code=alone)), "today's is not on its path"
    depth = [champion.features.columns[0].model_copy(update={"name": "depth"})]
    renamed = champion.features.model_copy(update={"columns": depth})
    assert "features ['depth'] are not among those made: length, width" in reason(replace(champion, features=renamed))


def test_no_setting_and_no_login_is_in_the_environment_of_the_code(
    session: RegistrySession, champion: SealedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in (
        "MLOPS_DATABASE_URL",
        "MLFLOW_TRACKING_PASSWORD",
        "AWS_SECRET_ACCESS_KEY",
        "DAGSTER_HOME",
        "PYTHONPATH",
    ):
        monkeypatch.setenv(name, "secret")
    folder = tmp_path / "code"
    shutil.copytree(champion.code.folder, folder)
    (folder / "measuring" / "units.py").write_text(
        "import os, sys\n\ndef scaled(rows):\n    raise ValueError(sorted(os.environ), sys.path[-1])\n"
    )
    with pytest.raises(NotEvaluated) as error:
        predict_sealed(
            replace(champion, code=replace(champion.code, folder=folder)),
            pl.DataFrame({"length": [0.1], "width": [0.5]}),
            session.new_folder(),
        )
    shown = str(error.value)
    assert "ValueError" in shown and "'PATH'" in shown
    assert not [name for name in ("MLOPS", "MLFLOW", "AWS", "DAGSTER", "PYTHONPATH", "secret") if name in shown]
