"""Loading the code location."""

from pathlib import Path

from benchmarks.figure import RUNS, Benchmark, Figure
from benchmarks.process import run
from mlops_assets.declaration import SHIPPED, declared_systems

HEAVY = ("mlflow", "torch", "sklearn", "optuna", "pandera")
LOAD = f"""
import json, sys
from mlops_assets.definitions import defs
repository = defs.load_fn().get_repository_def()
systems = {{key.path[0] for key in repository.asset_graph.get_all_asset_keys()}}
print(json.dumps({{"systems": len(systems), "heavy": [name for name in {HEAVY!r} if name in sys.modules]}}))
"""


def measure(folder: Path) -> list[Figure]:
    """Five systems and a hundred."""
    few, heavy = _loaded(folder, 5)
    many, _ = _loaded(folder, 100)
    return [
        Figure("Loading 5 systems", few, "s", at_most=1.2),
        Figure(f"Modules imported of {', '.join(HEAVY)}", heavy, "", at_most=0),
        Figure("Loading 100 systems", many, "s", at_most=4),
    ]


def _loaded(folder: Path, systems: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Seconds of each load, and how many heavy modules it imported."""
    further = folder / f"of_{systems}"
    _declare(further, systems - len(list(declared_systems([SHIPPED]))))
    _load(folder, further)  # writes bytecode, as the first load after an installation does
    loads = [_load(folder, further) for _ in range(RUNS)]
    for load in loads:
        if load.answer["systems"] != systems:
            raise RuntimeError(f"{load.answer['systems']} systems were loaded instead of {systems}")
    return tuple(load.seconds for load in loads), tuple(float(len(load.answer["heavy"])) for load in loads)


def _load(folder: Path, further: Path):
    return run(["-c", LOAD], home=folder, MLOPS_SYSTEMS=f'["{further}"]')


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
    how="Wall time of a fresh process, interpreter start and end included, that imports `mlops_assets.definitions`, "
    "builds the definitions and the repository. Where fewer systems ship, copies of the shipped declarations in a "
    "folder named by `MLOPS_SYSTEMS` make up the number.",
    measure=measure,
)
