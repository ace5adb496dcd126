"""The new-batch sensor before a full landing zone."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from benchmarks.figure import RUNS, Benchmark, Figure, seconds
from mlops_assets.automation.jobs import jobs
from mlops_assets.automation.sensors import new_batches
from mlops_assets.dataset.landing import land
from mlops_assets.dataset.landing_zone import Landed
from mlops_assets.dataset.version import BatchOutcome
from mlops_assets.declaration.reading import SHIPPED, find_system
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.definitions import resources
from mlops_assets.settings import Settings
from mlops_assets.storage.storage import Storage
from mlops_assets.system import build_system

FILES = 10_000


def measure(folder: Path) -> list[Figure]:
    """Ticks while every file waits, when one is left, and when none is."""
    spec, storage = find_system("wine_quality", [SHIPPED]), Storage.local(folder)
    landed = _land(storage, spec, folder / "batch.csv")
    (folder / "instance").mkdir()
    with dg.DagsterInstance.local_temp(str(folder / "instance")) as instance:
        waiting = _ticks(spec, folder, instance, requests=1)
        _decide(storage, spec, landed[1:])
        last = _ticks(spec, folder, instance, requests=1)
        _decide(storage, spec, landed[:1])
        none = _ticks(spec, folder, instance, requests=0)
    return [
        Figure("Tick, 10,000 files landed and none read", waiting, "s", at_most=0.5),
        Figure("Tick, 10,000 files landed and one not read", last, "s", at_most=0.5),
        Figure("Tick, 10,000 files landed and all read", none, "s", at_most=0.5),
    ]


def _land(storage: Storage, spec: SystemSpec, file: Path) -> list[Landed]:
    landed = []
    for number in range(FILES):
        file.write_text(f"alcohol\n{number}\n", encoding="ascii")
        landed.append(land(storage, spec.name, file))
    return landed


def _decide(storage: Storage, spec: SystemSpec, landed: list[Landed]) -> None:
    for batch in landed:
        outcome = BatchOutcome(
            system=spec.name,
            digest=batch.batch,
            outcome="rejected",
            file=batch.file,
            original=batch.original,
            landed_at=datetime.now(UTC),
            reason="missing_column: measured without its columns",
        )
        storage.records.append(outcome)


def _ticks(spec: SystemSpec, home: Path, instance: dg.DagsterInstance, requests: int) -> tuple[float, ...]:
    return tuple(_tick(spec, home, instance, requests) for _ in range(RUNS))


def _tick(spec: SystemSpec, home: Path, instance: dg.DagsterInstance, requests: int) -> float:
    provided = resources(Settings(home=home))
    definitions = dg.Definitions.merge(build_system(spec), dg.Definitions(resources=provided))
    sensor, found = new_batches(spec, jobs(spec)), []
    with dg.build_sensor_context(
        instance=instance, definitions=definitions, resources={"storage": provided["storage"]}
    ) as context:
        elapsed = seconds(lambda: found.append(sensor.evaluate_tick(context)))
    if len(found[0].run_requests or []) != requests:
        raise RuntimeError(f"The tick asked for {len(found[0].run_requests or [])} runs instead of {requests}")
    return elapsed


BENCHMARK = Benchmark(
    title="New-batch sensor",
    how="One evaluation of the sensor as the daemon makes it, with 10,000 files brought in by `land`, their outcome "
    "records in sqlite, and a Dagster instance on sqlite; storage is opened anew for every tick.",
    measure=measure,
)
