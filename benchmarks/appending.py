"""Appending a small batch to a small and to a large dataset."""

from pathlib import Path

from benchmarks.figure import RUNS, Benchmark, Figure, seconds
from benchmarks.wide import wide_system, write_wide
from mlops_assets.dataset.ingestion import ingest
from mlops_assets.dataset.landing import land
from mlops_assets.dataset.profile import profile
from mlops_assets.dataset.table import sample_dataset
from mlops_assets.dataset.version import DatasetVersion
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.storage.storage import Storage

LARGE, SMALL = 1_000_000, 1_000


def measure(folder: Path) -> list[Figure]:
    """Appends to an empty and to a large dataset, in turn."""
    storage = Storage.local(folder)
    large = wide_system("large")
    _land(storage, large, write_wide(folder / "large.parquet", LARGE, seed=1))
    ingest(storage, large)
    empty, full = [], []
    for number in range(RUNS + 1):
        batch = write_wide(folder / f"{number}.parquet", SMALL, seed=2 + number)
        empty.append(_append(storage, wide_system(f"empty_{number}"), batch))
        full.append(_append(storage, large, batch))
    pairs = list(zip(empty, full, strict=True))[1:]  # the first pair warms up
    return [
        Figure("1,000 rows to an empty dataset", tuple(small for small, _ in pairs), "s"),
        Figure("1,000 rows to 1,000,000", tuple(big for _, big in pairs), "s"),
        Figure("Ratio", tuple(big / small for small, big in pairs), "×", at_most=1.3),
        Figure("Profile of 1,000,000 rows, for the UI", tuple(_profile(storage, large) for _ in range(RUNS)), "s"),
    ]


def _append(storage: Storage, spec: SystemSpec, batch: Path) -> float:
    _land(storage, spec, batch)
    return seconds(lambda: ingest(storage, spec))


def _profile(storage: Storage, spec: SystemSpec) -> float:
    version = storage.records.latest(DatasetVersion, spec.name)
    assert version is not None
    columns = list(spec.dataset.columns)
    return seconds(lambda: profile(sample_dataset(storage, version, columns), columns, rows=version.rows))


def _land(storage: Storage, spec: SystemSpec, batch: Path) -> None:
    land(storage, spec.name, batch)


BENCHMARK = Benchmark(
    title="Appending to a large dataset",
    how="`ingest` of one landed Parquet batch of 1,000 rows × 20 columns (14 float, 6 categorical): contract check, "
    "Delta append, duplicate count, published version. The append to the empty dataset makes the table, too. Both "
    "kinds in turn, in one process, garbage collected before every call; the ratio is that of each pair. The profile "
    "that the asset shows is made of a sample of the rows.",
    measure=measure,
)
