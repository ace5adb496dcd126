"""Files as they are found in the wild."""

import gzip
from pathlib import Path
from typing import Any

import polars as pl

from mlops_assets.dataset.ingestion import Ingestion, ingest
from mlops_assets.dataset.landing import land
from mlops_assets.dataset.quarantine import read_quarantine
from mlops_assets.dataset.table import read_dataset
from mlops_assets.storage.storage import Storage
from mlops_assets_tests.dataset.declaring import system

FLOAT, INTEGER, TEXT = {"type": "float"}, {"type": "integer"}, {"type": "string"}
WINE = dict.fromkeys(["fixed_acidity", "alcohol"], FLOAT) | {"quality": {"type": "integer", "min": 0, "max": 10}}
KING = {
    "id": INTEGER,
    "date": {"type": "date", "min": "2014-05-01", "max": "2015-06-01"},
    "price": {"type": "float", "min": 1},
    "bedrooms": INTEGER,
    "bathrooms": FLOAT,
    "zipcode": {"type": "string", "pattern": "98[0-9]{3}"},
}


def test_a_file_that_begins_with_a_blank_line(storage: Storage, shared_data: Path):
    columns = {
        "price": FLOAT,
        "sqft": FLOAT,
        "location": {"type": "string", "allowed": ["Suburb", "Downtown", "Rural"]},
    }
    path = shared_data / "house_seed002" / "house_data.csv"
    ingestion = _ingest(storage, path, columns, "price", max_quarantined=1)
    assert ingestion.outcomes[0].rows == 84
    assert ingestion.outcomes[0].ignored_columns == ["bedrooms", "bathrooms", "year_built", "condition"]
    assert _rows(storage, ingestion)["price"][0] == 495_000


def test_line_ends_of_another_system(storage: Storage, shared_data: Path):
    folder = shared_data / "wine_quality"
    for name in ("winequality-red.csv", "winequality-white.csv"):
        ingestion = _ingest(storage, folder / name, WINE, "quality")
    rows = _rows(storage, ingestion)
    assert rows.height == len((folder / name).read_bytes().splitlines()) + 1599 - 1
    assert rows["quality"].dtype == pl.Int64


def test_a_file_without_header(storage: Storage, shared_data: Path):
    path = shared_data / "wine_quality" / "noheader" / "winequality-red.csv"
    ingestion = _ingest(storage, path, WINE, "quality")
    assert ingestion.version is None
    assert ingestion.outcomes[0].reason.startswith("no_header: the first line is data (7.4, 0.7, 0, 1.9")


def test_compact_dates_and_numbers_that_are_texts(storage: Storage, shared_data: Path):
    ingestion = _ingest(storage, shared_data / "king_county" / "kc_house_data.csv", KING, "price")
    rows = _rows(storage, ingestion)
    assert (rows.height, ingestion.outcomes[0].quarantined) == (21_613, 0)
    assert str(rows["date"][0]) == "2014-10-13"
    assert rows["zipcode"][0] == "98178"


def test_missing_cells_and_an_unnamed_index(storage: Storage, shared_data: Path):
    path = shared_data / "king_county_messy" / "kc_house_data_NaN.csv"
    ingestion = _ingest(storage, path, KING, "price")
    outcome = ingestion.outcomes[0]
    assert outcome.ignored_columns[0] == "unnamed column 1"
    assert outcome.violations == {"bedrooms: nullable": 13, "bathrooms: nullable": 10}
    assert outcome.accepted == 21_613 - outcome.quarantined
    assert read_quarantine(storage, "s").height == 23


def test_the_same_rows_compressed_are_another_batch_of_duplicates(storage: Storage, shared_data: Path, tmp_path: Path):
    path = shared_data / "king_county" / "kc_house_data.csv"
    (tmp_path / "again.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    first = _ingest(storage, path, KING, "price")
    second = _ingest(storage, tmp_path / "again.csv.gz", KING, "price")
    assert first.version is not None
    assert second.version is not None
    assert second.version.duplicates == first.version.duplicates + 21_613
    assert not second.version.verdicts[0].passed


def _ingest(storage: Storage, path: Path, columns: dict[str, Any], target: str, **dataset: Any) -> Ingestion:
    land(storage, "s", path)
    return ingest(storage, system(columns, target=target, **dataset))


def _rows(storage: Storage, ingestion: Ingestion) -> pl.DataFrame:
    assert ingestion.version is not None
    return read_dataset(storage, ingestion.version)
