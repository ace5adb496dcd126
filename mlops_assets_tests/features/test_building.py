"""From one exact dataset version to one exact features version, through real tables."""

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from mlops_assets.dataset.ingestion import ingest, retract
from mlops_assets.dataset.landing import land
from mlops_assets.errors import GateRefused, SpecError, StorageError
from mlops_assets.features.building import build
from mlops_assets.features.table import is_readable, read_features, write_features
from mlops_assets.features.version import FeaturesVersion, SplitPlan
from mlops_assets.preflight import declaration_digest

ENGINEERED = "mlops_assets_tests.features.engineered"


def sample(rows: int = 300, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, rows)
    return pl.DataFrame(
        {
            "a": labels + rng.normal(size=rows),
            "b": rng.uniform(size=rows),
            "colour": [("red", "green", None)[i] for i in rng.integers(0, 3, rows)],
            "vip": rng.uniform(size=rows) < 0.3,
            "clinic": rng.integers(0, 60, rows),
            "day": [date(2024, 1, 1) + timedelta(int(d)) for d in rng.integers(0, 200, rows)],
            "y": np.where(labels, "yes", "no"),
        }
    )


BASE = {"exclude": ["day", "clinic"]}


@pytest.fixture
def ingested(storage, tmp_path):
    """Lands a frame as a Parquet file and ingests it."""

    def ingested_version(frame: pl.DataFrame, spec, name: str = "rows"):
        frame.write_parquet(tmp_path / f"{name}.parquet")
        land(storage, spec.name, tmp_path / f"{name}.parquet")
        version = ingest(storage, spec).version
        assert version is not None
        return version

    return ingested_version


def commits(storage) -> int:
    from deltalake import DeltaTable

    return DeltaTable(storage.table("sys", "features")).version() + 1


def test_a_version_holds_features_parts_and_verdicts(declare, storage, ingested):
    spec = declare(sample(), "y", features=BASE)
    dataset = ingested(sample(), spec)
    version = build(storage, spec, dataset, run_id="r1")

    assert version == storage.records.latest(FeaturesVersion, "sys")
    assert (version.dataset_digest, version.dataset_table_version) == (dataset.digest, dataset.table_version)
    assert version.names == ["a", "b", "colour", "vip"]
    assert version.classes == ["no", "yes"]
    assert sum(version.rows.values()) == 300
    assert [verdict.name for verdict in version.verdicts] == [
        "no_overlap",
        "no_undeclared_groups",
        "no_near_duplicates",
        "no_leakage",
        "no_target",
        "no_degenerate",
        "no_proxy",
        "enough_rows",
    ]
    assert all(verdict.passed for verdict in version.verdicts)


def test_rows_come_back_in_order_with_the_dtypes_of_transform(declare, storage, ingested):
    spec = declare(sample(), "y", features=BASE)
    version = build(storage, spec, ingested(sample(), spec))
    rows = read_features(storage, version)

    assert rows.columns.tolist() == ["a", "b", "colour", "vip", "y", "_identity", "_part", "_batch", "_row"]
    assert rows["_row"].is_monotonic_increasing
    assert {name: str(rows[name].dtype) for name in ("a", "colour", "vip", "_identity")} == {
        "a": "float64",
        "colour": "object",
        "vip": "object",
        "_identity": "int64",
    }
    assert rows["a"].tolist() == sample()["a"].to_list()
    assert rows["colour"].tolist() == sample()["colour"].fill_null("missing").to_list()
    assert rows["y"].tolist() == sample()["y"].to_list()
    parts = [read_features(storage, version, part) for part in ("train", "validation", "test", "excluded")]
    pd.testing.assert_frame_equal(pd.concat(parts).sort_values("_row").reset_index(drop=True), rows)
    assert [len(part) for part in parts] == [version.rows[p] for p in ("train", "validation", "test", "excluded")]


def test_context_travels_beside_the_features(declare, storage, ingested):
    gate = {"metric": "accuracy", "at_least": 0.1, "slice": {"column": "vip", "equals": True}}
    spec = declare(
        sample(), "y", features={"exclude": ["day"], "split": {"group": "clinic"}}, evaluation={"gates": [gate]}
    )
    version = build(storage, spec, ingested(sample(), spec))
    rows = read_features(storage, version)
    assert version.group == "clinic"
    assert rows["@clinic"].tolist() == sample()["clinic"].to_list()
    assert rows["@vip"].tolist() == sample()["vip"].to_list()
    assert set(rows["vip"]) == {"false", "true"}
    assert rows.groupby("@clinic")["_identity"].nunique().max() == 1


def test_a_split_by_time_keeps_its_times(declare, storage, ingested):
    spec = declare(sample(), "y", features={"exclude": ["clinic"], "split": {"time": "day"}})
    version = build(storage, spec, ingested(sample(), spec))
    train, test = read_features(storage, version, "train"), read_features(storage, version, "test")
    validation_from, test_from = version.plan.validation_from, version.plan.test_from
    assert validation_from is not None
    assert test_from is not None
    assert str(train["@day"].dtype) == "datetime64[us]"
    assert train["@day"].max() < validation_from <= test_from <= test["@day"].min()
    assert "0 rows are as old as a row of an earlier part by 'day'" in version.verdicts[0].reason


def test_the_same_inputs_are_the_same_version_and_no_second_write(declare, storage, ingested):
    spec = declare(sample(), "y", features=BASE)
    dataset = ingested(sample(), spec)
    first, second = build(storage, spec, dataset), build(storage, spec, dataset)
    assert first == second
    assert commits(storage) == 1
    assert len(storage.records.history(FeaturesVersion, "sys")) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"features": {**BASE, "categorical": ["b"]}},
        {"features": {"exclude": ["day", "clinic", "b"]}},
        {"features": {**BASE, "split": {"test": 0.3}}},
        {"features": {**BASE, "engineer": f"{ENGINEERED}:ratios"}},
    ],
)
def test_whatever_changes_features_or_verdicts_makes_a_new_version(declare, storage, ingested, changed):
    spec = declare(sample(), "y", features=BASE)
    dataset = ingested(sample(), spec)
    first, other = build(storage, spec, dataset), build(storage, declare(sample(), "y", **changed), dataset)
    assert first.digest != other.digest
    assert len(read_features(storage, first)) == len(read_features(storage, other)) == 300
    assert set(read_features(storage, first)) >= set(first.names)


def test_a_gate_makes_no_new_version(declare, storage, ingested):
    spec = declare(sample(), "y", features=BASE)
    dataset = ingested(sample(), spec)
    gated = declare(sample(), "y", features=BASE, evaluation={"gates": [{"metric": "accuracy", "at_least": 0.1}]})
    assert build(storage, spec, dataset) == build(storage, gated, dataset)


def test_new_rows_move_no_row_and_the_old_version_stays_readable(declare, storage, ingested):
    spec = declare(sample(), "y", features=BASE)
    first = build(storage, spec, ingested(sample(), spec))
    before = read_features(storage, first)
    second = build(storage, spec, ingested(sample(200, seed=9), spec, "more"))

    after = read_features(storage, second)
    assert len(after) == 500
    old = after[after["_batch"].isin(before["_batch"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(old, before)
    pd.testing.assert_frame_equal(read_features(storage, first), before)
    assert len(storage.records.history(SplitPlan, "sys")) == 1


def test_retraction_brings_the_earlier_version_back_as_the_newest(declare, storage, ingested):
    spec = declare(sample(), "y", features=BASE)
    first = build(storage, spec, ingested(sample(), spec))
    dataset = ingested(sample(200, seed=9), spec, "more")
    second = build(storage, spec, dataset)
    batch = read_features(storage, second)["_batch"].drop_duplicates()
    late = next(b for b in batch if b not in set(read_features(storage, first)["_batch"]))

    without = retract(storage, spec, late, "faulty sensor")
    assert without is not None
    again = build(storage, spec, without)

    assert storage.records.latest(FeaturesVersion, "sys") == again
    pd.testing.assert_frame_equal(read_features(storage, again), read_features(storage, first))


def test_a_dataset_that_did_not_pass_is_refused(declare, storage, ingested):
    spec = declare(sample(20), "y", features=BASE)
    dataset = ingested(sample(20), spec)
    with pytest.raises(GateRefused, match=r"dataset .* of sys is refused: volume failed"):
        build(storage, spec, dataset)
    flattered = dataset.model_copy(update={"verdicts": []})
    with pytest.raises(GateRefused):
        build(storage, spec, flattered)
    assert storage.records.latest(FeaturesVersion, "sys") is None


def test_a_dataset_that_was_never_published_is_refused(declare, storage, ingested):
    spec = declare(sample(), "y", features=BASE)
    foreign = ingested(sample(), spec).model_copy(update={"digest": "f" * 64})
    with pytest.raises(StorageError, match="dataset ffffffffffff of 'sys' was never published"):
        build(storage, spec, foreign)


def test_rows_without_a_target_are_excluded_and_counted(declare, storage, ingested):
    frame = sample().with_columns(pl.when(pl.col("b") < 0.1).then(None).otherwise(pl.col("y")).alias("y"))
    spec = declare(frame, "y", features=BASE)
    version = build(storage, spec, ingested(frame, spec))
    assert version.rows["excluded"] == frame["y"].null_count() > 0
    assert version.classes == ["no", "yes"]
    assert read_features(storage, version, "excluded")["y"].tolist() == [None] * version.rows["excluded"]


@pytest.mark.parametrize(
    ("values", "dtype", "classes"),
    [
        (pl.Series("y", [0, 1, 2] * 100), "int64", [0, 1, 2]),
        (pl.Series("y", [1.0, 2.0] * 150), "int64", [1, 2]),
        (pl.Series("y", [True, False] * 150), "bool", [False, True]),
        (pl.Series("y", ["v", "u"] * 150), "object", ["u", "v"]),
    ],
)
def test_classes_are_python_values_of_the_declared_type(declare, storage, ingested, values, dtype, classes):
    frame = sample().with_columns(values)
    spec = declare(frame, "y", features=BASE)
    version = build(storage, spec, ingested(frame, spec))
    assert version.classes == classes
    assert {type(label) for label in version.classes or []} == {type(label) for label in classes}
    assert str(read_features(storage, version, "train")["y"].dtype) == dtype


def test_a_regression_target_is_float64(declare, storage, ingested):
    frame = sample().with_columns(pl.Series("y", np.random.default_rng(0).integers(0, 1000, 300)))
    spec = declare(frame, "y", "regression", features=BASE)
    version = build(storage, spec, ingested(frame, spec))
    assert version.classes is None
    assert str(read_features(storage, version, "test")["y"].dtype) == "float64"


@pytest.mark.parametrize(
    ("values", "task", "message"),
    [
        (pl.Series("y", ["a", "b"] * 150), "regression", "'y' holds String; for regression it must be a number"),
        (pl.Series("y", [0.5, 1.5] * 150), "classification", "'y' holds Float64; for classification it must be text"),
    ],
)
def test_a_target_that_does_not_fit_the_task_is_refused(declare, storage, ingested, values, task, message):
    frame = sample().with_columns(values)
    spec = declare(frame, "y", task, features=BASE)
    with pytest.raises(SpecError, match=message):
        build(storage, spec, ingested(frame, spec))


@pytest.mark.parametrize(
    ("function", "failed"), [("wild_ratio", "no_degenerate"), ("gaps", "no_degenerate"), ("infinite", "no_degenerate")]
)
def test_a_failed_check_is_stored_with_the_published_version(declare, storage, ingested, function, failed):
    frame = sample().with_columns(pl.Series("b", [0.0, *sample()["b"].to_list()[1:]]), pl.col("a").abs())
    spec = declare(frame, "y", features={**BASE, "engineer": f"{ENGINEERED}:{function}"})
    version = build(storage, spec, ingested(frame, spec))
    assert [verdict.name for verdict in version.verdicts if verdict.blocks] == [failed]
    assert storage.records.latest(FeaturesVersion, "sys") == version
    assert len(read_features(storage, version)) == 300


@pytest.mark.parametrize(
    ("function", "message"), [("centred", "not row-wise"), ("target_itself", "returned the target 'y'")]
)
def test_an_unsound_function_stops_before_anything_is_written(declare, storage, ingested, function, message):
    spec = declare(sample(), "y", features={**BASE, "engineer": f"{ENGINEERED}:{function}"})
    with pytest.raises(SpecError, match=message):
        build(storage, spec, ingested(sample(), spec))
    assert storage.records.latest(FeaturesVersion, "sys") is None
    assert not storage.filesystem.exists(storage.table("sys", "features"))


def test_a_leak_in_the_data_fails_and_names_it(declare, storage, ingested):
    frame = sample().with_columns((pl.col("y") == "yes").cast(pl.Int64).alias("outcome_code"))
    spec = declare(frame, "y", features=BASE)
    version = build(storage, spec, ingested(frame, spec))
    [verdict] = [verdict for verdict in version.verdicts if verdict.blocks]
    assert verdict.name == "no_leakage"
    assert verdict.reason.startswith("'outcome_code': each of its values stands for one value of the target")


KILLED = """
import os, sys
import mlops_assets.features.building as building
from mlops_assets.dataset.version import DatasetVersion
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.storage.storage import Storage
import mlops_assets.features.table as table

storage = Storage.local(sys.argv[1])
spec = SystemSpec.model_validate_json(sys.argv[2])
dataset = storage.records.latest(DatasetVersion, spec.name)
written = table.write_features

def commit_then_die(*args):
    if sys.argv[3] == "after":
        written(*args)
    os.kill(os.getpid(), 9)

building.write_features = commit_then_die
building.build(storage, spec, dataset)
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_around_the_commit_leaves_the_old_version_and_doubles_nothing(
    declare, storage, ingested, tmp_path, moment
):
    spec = declare(sample(), "y", features=BASE)
    first = build(storage, spec, ingested(sample(), spec))
    dataset = ingested(sample(100, seed=4), spec, "more")

    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), spec.model_dump_json(), moment], check=False)

    assert killed.returncode == -9
    assert storage.records.latest(FeaturesVersion, "sys") == first
    assert len(read_features(storage, first)) == 300
    second = build(storage, spec, dataset)
    assert len(read_features(storage, second)) == 400
    assert commits(storage) == 2


def owners_package(folder: Path) -> dict[str, Path]:
    """An engineer that another module helps, and a module that nobody imports."""
    texts = {
        "features": "from helped.scale import FACTOR\n\ndef make(rows):\n    return rows[['a', 'b']] * FACTOR\n",
        "scale": "FACTOR = 2\n",
        "unreached": "FACTOR = 3\n",
    }
    (folder / "helped").mkdir()
    files = {name: folder / "helped" / f"{name}.py" for name in texts}
    for name, text in texts.items():
        files[name].write_text(text)
    return files


def test_one_changed_line_in_a_module_that_engineering_imports_builds_anew(
    declare, storage, ingested, tmp_path, monkeypatch
):
    files = owners_package(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    spec = declare(sample(), "y", features={**BASE, "engineer": "helped.features:make"})
    dataset = ingested(sample(), spec)
    first, declared = build(storage, spec, dataset), declaration_digest(spec)
    files["scale"].write_text("FACTOR = 2  # as agreed\n")
    again = build(storage, spec, dataset)
    assert again.digest != first.digest and again.table_version == 1
    assert declaration_digest(spec) != declared, "'mlops run' does not say that there is nothing to do"


def test_a_changed_file_that_engineering_does_not_reach_builds_nothing(
    declare, storage, ingested, tmp_path, monkeypatch
):
    files = owners_package(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    spec = declare(sample(), "y", features={**BASE, "engineer": "helped.features:make"})
    dataset = ingested(sample(), spec)
    first, declared = build(storage, spec, dataset), declaration_digest(spec)
    files["unreached"].write_text("FACTOR = 4\n")
    assert build(storage, spec, dataset) == first
    assert declaration_digest(spec) == declared


def test_a_version_whose_files_are_gone_is_built_again(declare, storage, ingested):
    from deltalake import DeltaTable

    spec = declare(sample(), "y", features=BASE)
    dataset = ingested(sample(), spec)
    first = build(storage, spec, dataset)
    before = read_features(storage, first)
    for file in DeltaTable(storage.table("sys", "features")).file_uris():
        storage.filesystem.rm(file)
    assert not is_readable(storage, first)
    with pytest.raises(StorageError, match="is gone"):
        read_features(storage, first)
    again = build(storage, spec, dataset)
    pd.testing.assert_frame_equal(read_features(storage, again), before)


def test_a_table_that_was_replaced_is_not_taken_for_the_version(declare, storage, ingested):
    spec = declare(sample(), "y", features=BASE)
    version = build(storage, spec, ingested(sample(), spec))
    storage.filesystem.rm(storage.table("sys", "features"), recursive=True)
    with pytest.raises(StorageError, match="cannot be read"):
        read_features(storage, version)
    write_features(storage, "sys", pl.DataFrame({"a": [1.0]}), "another")
    with pytest.raises(StorageError, match="holds 'another', not features"):
        read_features(storage, version)


def test_column_names_may_hold_what_files_hold(declare, storage, ingested):
    frame = sample().rename({"a": "default.payment next,month", "b": "größe (m²)"})
    spec = declare(frame, "y", features=BASE)
    version = build(storage, spec, ingested(frame, spec))
    assert set(version.names) <= set(read_features(storage, version, "train"))


def test_the_stage_imports_light():
    heavy = "deltalake sklearn scipy dagster mlflow torch"
    code = f"import sys, mlops_assets.features.building; sys.exit(any(m in sys.modules for m in '{heavy}'.split()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
