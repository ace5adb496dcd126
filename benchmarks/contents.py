"""What it costs that every table is hashed when it is written and when it is read."""

from pathlib import Path
from time import process_time

import polars as pl

from benchmarks.figure import RUNS, Benchmark, Figure, seconds
from benchmarks.wide import wide_system, write_wide
from mlops_assets.dataset.digest import require_digest
from mlops_assets.dataset.ingestion import ingest
from mlops_assets.dataset.landing import land
from mlops_assets.dataset.row_hash import cell_sums, hash_of
from mlops_assets.dataset.table import DatasetTable, read_dataset
from mlops_assets.features.building import build
from mlops_assets.features.content import contents
from mlops_assets.features.table import read_parts
from mlops_assets.storage.storage import Storage

ROWS = 1_000_000
AT_MOST = 10


def measure(folder: Path) -> list[Figure]:
    """The share of the features stage, and of reading what a model is trained and judged on."""
    shares, built, checked, unchecked = zip(*(_once(folder / str(run)) for run in range(RUNS)), strict=True)
    return [
        Figure(f"features of {ROWS:,} rows x 20 columns, dataset checked, digests made", built, "s"),
        Figure("share of its processor time for checking and digests", shares, "%", at_most=AT_MOST),
        Figure("reading train, validation and test rows, every cell checked", checked, "s"),
        Figure("the same, unchecked", unchecked, "s"),
    ]


def _once(folder: Path) -> tuple[float, float, float, float]:
    storage, spec = Storage.local(folder), wide_system()
    land(storage, spec.name, write_wide(folder / "wide.parquet", ROWS))
    dataset = ingest(storage, spec).version
    assert dataset is not None
    before = process_time()
    built = seconds(lambda: build(storage, spec, dataset))
    stage = process_time() - before
    rows, batches = read_dataset(storage, dataset), DatasetTable.at(storage, spec.name, dataset.table_version).members()
    version = build(storage, spec, dataset)
    parts = read_parts(storage, version)
    assert sum(map(len, parts)) == ROWS
    unchecked = version.model_copy(update={"content": None})
    made = _table(storage, version.table_version)
    hashes = rows["_hash"].to_numpy().view("uint64")  # made for the split in any case
    before = process_time()
    hash_of(cell_sums(rows, [spec.dataset.target]))
    require_digest(rows, hashes, dataset, batches)
    contents(made.to_arrow())
    return (
        100 * (process_time() - before) / stage,
        built,
        seconds(lambda: read_parts(storage, version)),
        seconds(lambda: read_parts(storage, unchecked)),
    )


def _table(storage: Storage, version: int) -> pl.DataFrame:
    """What the stage wrote, in one piece as the stage holds it."""
    from deltalake import DeltaTable

    stored = DeltaTable(storage.table("wide", "features"), version=version)
    return pl.DataFrame(stored.to_pyarrow_dataset(as_large_types=True).to_table()).rechunk()


BENCHMARK = Benchmark(
    title="Content digests of tables",
    how="A table of 14 numbers and 6 categories is built into features: the dataset's rows are hashed again down to "
    "the digest that names the version, and every cell of each part into the digest that later stages check. The "
    "hash of the feature columns is not counted: the split needs it in any case. The training and the evaluation of "
    "such a table take far longer than reading it.",
    measure=measure,
)
