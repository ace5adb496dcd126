"""The whole line of wine_quality through Dagster, beside a plain script that does the same work."""

import shutil
from pathlib import Path

from benchmarks.figure import RUNS, Benchmark, Figure
from benchmarks.process import run
from mlops_assets.automation.launch import command
from mlops_assets.dataset.landing import land_sample
from mlops_assets.declaration.reading import SHIPPED, find_system
from mlops_assets.registry.version import ChampionDecision
from mlops_assets.resources.instance import prepare_instance
from mlops_assets.resources.tracking import MlflowTracking
from mlops_assets.settings import Settings
from mlops_assets.storage.storage import Storage

DAGSTER = command("wine_quality_lifecycle")[1:]
PLAIN = ["-m", "benchmarks.plain_wine"]


def measure(folder: Path) -> list[Figure]:
    """Both in turn, each from an equal home of its own."""
    prepared = _prepared(folder / "prepared")
    taken = [(_taken(PLAIN, prepared), _taken(DAGSTER, prepared)) for _ in range(RUNS + 1)][1:]
    return [
        Figure("Plain script", tuple(plain for plain, _ in taken), "s"),
        Figure("`dagster job execute`", tuple(dagster for _, dagster in taken), "s"),
        Figure("Ratio", tuple(dagster / plain for plain, dagster in taken), "×", at_most=1.5),
    ]


def _prepared(home: Path) -> Path:
    """A home where the sample has landed and MLflow's schema exists."""
    storage = Storage.local(home)
    land_sample(storage, find_system("wine_quality", [SHIPPED]))
    storage.records.engine.dispose()
    MlflowTracking(tracking_uri=f"sqlite:///{home / 'mlflow.db'}").ping()
    prepare_instance(Settings(home=home))
    return home


def _taken(arguments: list[str], prepared: Path) -> float:
    home = prepared.with_name("home")
    shutil.copytree(prepared, home)
    try:
        elapsed = run(arguments, home=home).seconds
        _require_champion(home)
    finally:
        shutil.rmtree(home)
    return elapsed


def _require_champion(home: Path) -> None:
    records = Storage.local(home).records
    decision = records.latest(ChampionDecision, "wine_quality")
    records.engine.dispose()
    if decision is None or decision.champion != 1:
        raise RuntimeError(f"The line did not end with version 1 as champion: {decision}")


BENCHMARK = Benchmark(
    title="Lifecycle of wine_quality",
    how="Wall time of two fresh processes, in turn: `dagster job execute -j wine_quality_lifecycle`, and "
    "`benchmarks/plain_wine.py`, which calls the platform's own functions one after the other without importing "
    "Dagster. Each starts from an equal folder: the sample has landed, MLflow's sqlite schema exists. Making the "
    "sqlite files of the Dagster instance counts for Dagster. Both do this work: preflight, contract check, Delta "
    "append, profile, leakage checks and Delta commit of the features, fit with two baselines, skops artefact "
    "verified, ONNX copy compared, MLflow run and logged model with parameters, tags, environment lock and git "
    "commit, every metric with 2,000 resamples, permutation importance, plots, HTML and JSON report, registered "
    "version fetched back and compared with the stored predictions, champion alias, records and ledger. Only the "
    "platform does this: a parent and a child MLflow run per asset instead of one run, fetching model, baselines, "
    "report and predictions from MLflow for every stage that reads them (any of which could be started alone), "
    "and everything that the Dagster UI shows.",
    measure=measure,
)
