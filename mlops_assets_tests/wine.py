"""The wine lifecycle below one folder, and everything that can be known about its state afterwards."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mlops_assets.dataset.table import read_dataset
from mlops_assets.dataset.version import BatchOutcome, DatasetVersion
from mlops_assets.declaration.reading import SHIPPED, find_system
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.evaluation.stored_predictions import different_rows, read_predictions
from mlops_assets.features.table import read_features
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.model.version import ModelVersion
from mlops_assets.registry.version import ChampionDecision, RegisteredVersion
from mlops_assets.resources.model_registry import REPORT_TAG
from mlops_assets.resources.tracking import MlflowTracking
from mlops_assets.storage.ledger import Ledger
from mlops_assets_tests.platform import Platform, changed, untimed

WINE = "wine_quality"
ROWS = 178


@dataclass(frozen=True)
class Ran:
    """How a run ended, and what each failed step said."""

    success: bool
    failures: dict[str, str]


@dataclass(frozen=True)
class State:
    """What the stores hold; reading it shows that the recorded dataset and the champion are intact."""

    champion: int | None
    """The version that carries the alias, loaded under its digest and found to repeat its stored predictions."""
    decided: int | None
    """The champion by the newest decision."""
    events: list[tuple[str, int | None, int | None]]
    """The ledger: event, version, generation."""
    reports: list[str]
    """Report digest of every registered version."""
    batches: dict[str, list[str]]
    """Recorded outcomes of every batch."""
    rows: int
    """Distinct rows of the newest dataset version."""
    commits: dict[str, int]
    """Versions of the Delta tables."""
    features_rows: int
    models: int
    """Distinct model digests."""

    @property
    def promoted(self) -> int | None:
        return next((version for event, version, _ in reversed(self.events) if event == "promoted"), None)


def land_sample(folder: Path) -> None:
    """Land the sample."""
    platform(folder).land(spec())


def land_again(folder: Path) -> None:
    """Land a second batch: the same wines, measured again with one per cent of noise."""
    import numpy as np

    from mlops_assets.defs.wine_quality.sample import rows

    wines = rows()
    measured = wines.columns.drop("cultivar")
    wines[measured] *= np.random.default_rng(1).normal(1, 0.01, (len(wines), len(measured)))
    wines.to_csv(folder / "again.csv", index=False)
    platform(folder).land(spec(), folder / "again.csv")


def base(folder: Path) -> State:
    """A champion from the sample, and a second batch that waits."""
    land_sample(folder)
    assert run(folder).success
    land_again(folder)
    return state(folder)


def run(folder: Path, *stages: str, uri: str | None = None, together: Any = None) -> Ran:
    """Run the lifecycle, or some stages; ``together`` is a barrier to wait at."""
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "1"
    here = platform(folder, uri)
    if together is not None:
        together.wait(60)
    result = here.run(spec(), *stages)
    failed = {event.step_key: event for event in result.all_events if event.is_step_failure}
    told = {str(step).partition("__")[2]: _told(event.step_failure_data.error) for step, event in failed.items()}
    return Ran(result.success, told)


def state(folder: Path) -> State:
    """Read everything."""
    here, wine = platform(folder), spec()
    records, registry = here.storage.records, here.registry(wine)
    dataset, features = records.latest(DatasetVersion, WINE), records.latest(FeaturesVersion, WINE)
    decision = records.latest(ChampionDecision, WINE)
    champion = registry.champion()
    if champion is not None:
        _require_repeated_predictions(here, champion)
    batches: dict[str, list[str]] = {}
    for outcome in records.history(BatchOutcome, WINE):
        batches.setdefault(outcome.digest, []).append(outcome.outcome)
    return State(
        champion=champion,
        decided=decision and decision.champion,
        events=[(entry.event, entry.version, entry.generation) for entry in Ledger(records).entries(WINE)],
        reports=[registry.version(number).tags[REPORT_TAG] for number in here.versions(wine)],
        batches=batches,
        rows=len(read_dataset(here.storage, dataset).unique(["_batch", "_row"])) if dataset else 0,
        commits=Counter(path.parts[-3] for path in folder.glob(f"lake/tables/{WINE}/*/_delta_log/*.json")),
        features_rows=len(read_features(here.storage, features)) if features else 0,
        models=len({model.digest for model in records.history(ModelVersion, WINE)}),
    )


def state_then_run(folder: Path) -> tuple[State, Ran, State]:
    """What a crash left, and what the next run makes of it."""
    left = state(folder)
    return left, run(folder), state(folder)


def platform(folder: Path, uri: str | None = None) -> Platform:
    """The platform below ``folder``, laid out as the settings do by default."""
    here = Platform(folder)
    if uri is not None:
        here.tracking = MlflowTracking(tracking_uri=uri)
    return here


def spec() -> SystemSpec:
    """The declaration, with a smaller forest and a wide margin: these tests are about what is around the model."""
    wine = untimed(find_system(WINE, [SHIPPED]))
    return changed(
        wine,
        model={**wine.model.model_dump(), "params": {"n_estimators": 15, "max_depth": 10}},
        registry={"margin": 0.2, "promote_on": ["superior", "non_inferior_fresher"]},
    )


def _require_repeated_predictions(here: Platform, champion: int) -> None:
    from mlops_assets.model.artefact import load
    from mlops_assets.model.prediction import predict

    records = here.storage.records
    version = next(v for v in records.history(RegisteredVersion, WINE) if v.version == champion)
    features = records.find(FeaturesVersion, WINE, version.features_digest)
    assert features is not None
    with TemporaryDirectory() as folder:
        fetched = here.tracking.fetch(f"models:/{WINE}/{champion}", Path(folder))
        stored = read_predictions(
            here.tracking.fetch(version.predictions_uri, Path(folder)), version.predictions_digest
        )
        test = read_features(here.storage, features, "test")
        pipeline = load(fetched / "model.skops", version.model_digest)
        assert different_rows(stored, test, predict(pipeline, test.loc[:, features.names])) == 0


def _told(error: Any) -> str:
    return f"{error.message} {_told(error.cause)}" if error else ""
