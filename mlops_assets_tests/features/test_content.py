"""Content: the digest of a part says whether every cell of it is exactly what was written."""

from datetime import UTC, date, datetime

import polars as pl
import pyarrow as pa
import pytest

from mlops_assets.features.content import contents
from mlops_assets.features.table import read_features, write_features

NAN, NOTHING = float("nan"), None


def table(**columns: list) -> pl.DataFrame:
    """Two rows, of which the second is a test row."""
    there = {"a": [1.0, 2.0], "y": ["no", "yes"], "_identity": [7, 8], "_part": ["train", "test"]}
    return pl.DataFrame({**there, "_batch": ["b1", "b1"], "_row": [1, 2], **columns})


def changed_parts(**columns: list) -> set[str]:
    before, after = contents(table().to_arrow()), contents(table(**columns).to_arrow())
    return {part for part in before if before[part] != after[part]}


@pytest.mark.parametrize(
    "column",
    [
        {"a": [1.0, 2.0000000000000004]},
        {"a": [1.0, NOTHING]},
        {"a": [1.0, NAN]},
        {"y": ["no", "Yes"]},
        {"y": ["no", ""]},
        {"y": ["no", NOTHING]},
        {"_identity": [7, 9]},
        {"_batch": ["b1", "b2"]},
        {"_row": [1, 3]},
    ],
    ids=str,
)
def test_every_changed_cell_changes_the_digest_of_its_part_alone(column: dict):
    assert changed_parts(**column) == {"test"}


def test_a_row_that_changes_sides_or_is_of_no_part_changes_both():
    assert changed_parts(_part=["train", "train"]) == {"train", "test"}
    assert changed_parts(_part=["train", "none of them"]) == {"test", "excluded"}
    assert changed_parts(_part=["train", NOTHING]) == {"test", "excluded"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([0.0], [-0.0]),
        ([NAN], [NOTHING]),
        ([""], [NOTHING]),
        ([True], [1]),
        ([1], [1.0]),
        ([1], ["1"]),
        (["ab", "c"], ["a", "bc"]),
        ([NOTHING, 1.0], [1.0, NOTHING]),
        ([False, NOTHING], [NOTHING, False]),
    ],
    ids=str,
)
def test_what_is_nearly_equal_is_not_equal(one: list, other: list):
    def digest(cells: list) -> dict:
        rows = len(cells)
        column = pa.array(cells, pa.float64()) if cells == [NOTHING] else pa.array(cells)
        columns = {"a": column, "_part": ["test"] * rows, "_batch": ["b"] * rows, "_row": list(range(rows))}
        return contents(pa.table(columns))

    assert digest(one)["test"] != digest(other)["test"]


def test_the_order_of_rows_and_columns_and_the_way_of_storing_do_not_matter(storage):
    moments = {"@day": [date(2024, 1, 1), None], "@at": [datetime(2024, 1, 1, tzinfo=UTC), None], "@vip": [True, None]}
    written = table(**moments).with_columns(pl.col("@day").cast(pl.Datetime("us")))
    there = contents(written.to_arrow())
    assert contents(written.reverse().select(reversed(written.columns)).to_arrow()) == there
    from deltalake import DeltaTable

    write_features(storage, "sys", written, "digest", there)
    stored = DeltaTable(storage.table("sys", "features")).to_pyarrow_dataset(as_large_types=True).to_table()
    assert contents(stored) == there
    assert write_features(storage, "sys", written, "digest", there) == 0, "taken over"
    other = contents(table().to_arrow())
    assert write_features(storage, "sys", written, "digest", other) == 1, "not what would be written"


def test_a_version_of_an_earlier_release_is_read_without(declare, storage, tmp_path):
    from mlops_assets.dataset.ingestion import ingest
    from mlops_assets.dataset.landing import land
    from mlops_assets.features.building import build
    from mlops_assets_tests.features.test_building import BASE, sample

    sample().write_parquet(tmp_path / "rows.parquet")
    spec = declare(sample(), "y", features=BASE)
    land(storage, spec.name, tmp_path / "rows.parquet")
    dataset = ingest(storage, spec).version
    assert dataset is not None
    version = build(storage, spec, dataset)
    assert version.content is not None and set(version.content) == set(version.rows)
    body = version.model_dump()
    del body["content"]
    assert len(read_features(storage, type(version).model_validate(body))) == 300
