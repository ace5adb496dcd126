"""Altered tables: whoever rewrites rows in the lake, and mends the Delta log to match, changes no result."""

from pathlib import Path

import polars as pl
import pytest

from mlops_assets.audit.verification import verify
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import StorageError
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.registry.challenge import challenge
from mlops_assets.registry.session import RegistrySession
from mlops_assets_tests.audit.test_verification import overwrite
from mlops_assets_tests.platform import Platform, failure
from mlops_assets_tests.wine import WINE


def file_of(home: Platform, table: str, version: int) -> Path:
    """The only file of one version of a table, or the first of several."""
    from deltalake import DeltaTable

    return Path(DeltaTable(home.storage.table(WINE, table), version=version).file_uris()[0].removeprefix("file://"))


def rewrite_test_labels(home: Platform, features: FeaturesVersion) -> None:
    """Give every test row the label of the next cultivar."""
    path = file_of(home, "features", features.table_version)
    rows = pl.read_parquet(path)
    test = pl.col("_part") == "test"
    label = pl.col(features.target)
    overwrite(
        path,
        rows.with_columns(
            pl.when(test).then((label + 1) % 3).otherwise(label).cast(rows[label.meta.output_name()].dtype)
        ),
    )


def features_of_champion(home: Platform) -> FeaturesVersion:
    features = home.storage.records.latest(FeaturesVersion, WINE)
    assert features is not None
    return features


def test_rewritten_test_labels_fail_verify_and_the_next_evaluation(
    home: Platform, session: RegistrySession, spec: SystemSpec
):
    features = features_of_champion(home)
    rewrite_test_labels(home, features)
    wrong = {finding.name: finding.message for finding in verify(session, 2) if not finding.ok}
    named = f"The test rows in version {features.table_version} of "
    assert set(wrong) == {"features", "round_trip"}
    assert all(named in text and "were changed" in text and "Remedy: " in text for text in wrong.values())
    for stage in ("evaluation", "model", "registered_version"):
        result = home.run(spec, stage)
        assert not result.success
        assert named in failure(result, f"{WINE}__{stage}")
    with pytest.raises(StorageError, match="were changed"):
        challenge(session, session.version(2), session.version(1))
    assert home.run(spec, "features").success, "the remedy that the error names"
    assert [finding.message for finding in verify(session, 2) if not finding.ok] == []


def test_no_features_are_made_from_a_dataset_whose_rows_were_changed(home: Platform, spec: SystemSpec):
    path = file_of(home, "dataset", 2)
    rows = pl.read_parquet(path)
    overwrite(path, rows.with_columns(pl.col("alcohol") + 0.5))
    features = features_of_champion(home)
    assert home.run(spec, "features").success, "made before, and untouched"
    path = file_of(home, "features", features.table_version)
    overwrite(path, pl.read_parquet(path).with_columns(pl.col("alcohol") + 0.5))
    result = home.run(spec, "features")
    assert "was changed" in failure(result, f"{WINE}__features")
