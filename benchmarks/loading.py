"""Loading the code location."""

from pathlib import Path

from benchmarks.figure import RUNS, Benchmark, Figure
from benchmarks.process import Ended, run
from mlops_assets.declaration.reading import SHIPPED, declared_systems

HEAVY = ("mlflow", "torch", "sklearn", "optuna", "pandera")
LOAD = f"""
import json, sys, time
from mlops_assets.definitions import defs
repository = defs.load_fn().get_repository_def()
loaded = time.monotonic()
systems = {{key.path[0] for key in repository.asset_graph.get_all_asset_keys()}}
heavy = [name for name in {HEAVY!r} if name in sys.modules]
print(json.dumps({{"loaded": loaded, "systems": len(systems), "heavy": heavy}}))
"""


def measure(folder: Path) -> list[Figure]:
    """Five systems and a hundred."""
    few, many = _loads(folder, 5), _loads(folder, 100)
    heavy = tuple(float(len(load.answer["heavy"])) for load in few)
    return [
        Figure("Loading 5 systems", _until_loaded(few), "s", at_most=1.2),
        Figure("… until the process has ended", tuple(load.seconds for load in few), "s"),
        Figure(f"Modules imported of {', '.join(HEAVY)}", heavy, "", at_most=0),
        Figure("Loading 100 systems", _until_loaded(many), "s", at_most=4),
        Figure("… until the process has ended", tuple(load.seconds for load in many), "s"),
    ]


def _loads(folder: Path, systems: int) -> list[Ended]:
    further = folder / f"of_{systems}"
    _declare(further, systems - len(list(declared_systems([SHIPPED]))))
    _load(folder, further)  # writes bytecode, as the first load after an installation does
    loads = [_load(folder, further) for _ in range(RUNS)]
    for load in loads:
        if load.answer["systems"] != systems:
            raise RuntimeError(f"{load.answer['systems']} systems were loaded instead of {systems}")
    return loads


def _load(folder: Path, further: Path) -> Ended:
    return run(["-c", LOAD], home=folder, MLOPS_SYSTEMS=f'["{further}"]')


def _until_loaded(loads: list[Ended]) -> tuple[float, ...]:
    return tuple(load.answer["loaded"] - load.started for load in loads)


def _declare(folder: Path, count: int) -> None:
    shipped = [path.read_text(encoding="utf-8") for path in declared_systems([SHIPPED])]
    for number in range(count):
        text = shipped[number % len(shipped)]
        name = f"further_{number:03}"
        (folder / name).mkdir(parents=True)
        lines = (f"  name: {name}" if line.startswith("  name:") else line for line in text.splitlines())
        (folder / name / "defs.yaml").write_text("\n".join(lines), encoding="utf-8")


BENCHMARK = Benchmark(
    title="Loading the code location",
    how="From the start of a fresh interpreter until it has imported `mlops_assets.definitions` and built definitions "
    "and repository, which is what a code server waits for; tearing the process down again stands beside it without a "
    "bound. One load before writes the bytecode. Where fewer systems ship, copies of the shipped "
    "declarations in a folder named by `MLOPS_SYSTEMS` make up the number.",
    measure=measure,
)
