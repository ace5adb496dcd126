"""What goes wrong with real tables, done to a sound one: each mistake is caught by name, and nothing is trained."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.dataset.version import DatasetVersion
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.features.table import read_features
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.verdict import Verdict
from mlops_assets_tests.platform import Platform, changed, checks, failure

NUMBERS = ("area", "rooms", "distance")


def sales(rows: int = 600, seed: int = 0) -> pd.DataFrame:
    """Sales whose price follows from three numbers and a town to about R² 0.7."""
    rng = np.random.default_rng(seed)
    area, rooms, distance = rng.normal(120, 30, rows), rng.integers(1, 8, rows), rng.gamma(2, 4, rows)
    town = rng.choice(["Ayr", "Bath", "Cork"], rows)
    worth = 2 * area + 10 * rooms - 6 * distance + np.where(town == "Bath", 60, 0)
    price = 300 + worth + rng.normal(0, 55, rows)
    return pd.DataFrame({"area": area, "rooms": rooms, "distance": distance, "town": town, "price": price})


def system(**parts: Any) -> SystemSpec:
    columns = {"rooms": {"type": "integer"}, "town": {"type": "string"}, **parts.pop("columns", {})}
    declared = {
        "name": "sales",
        "task": "regression",
        "dataset": {
            "target": "price",
            "columns": {**{name: {"type": "float"} for name in ("area", "distance", "price")}, **columns},
        },
        "model": {"estimator": "sklearn.linear_model.LinearRegression"},
        "evaluation": {"gates": [{"metric": "r2", "at_least": 0.3}]},
    }
    return SystemSpec.model_validate({**declared, **parts})


@pytest.fixture
def run(platform: Platform, tmp_path: Path):
    """Lands tables one after the other, each with a run up to the model; gives the last run's result."""

    def ran(spec: SystemSpec, *tables: pd.DataFrame):
        result: Any = None
        for place, table in enumerate(tables):
            table.to_csv(tmp_path / f"{place}.csv", index=False)
            platform.land(spec, tmp_path / f"{place}.csv")
            result = platform.run(spec, "dataset", "features", *(["model"] if place == len(tables) - 1 else []))
        return result

    return ran


def verdict_of(platform: Platform, name: str) -> Verdict:
    features = platform.storage.records.latest(FeaturesVersion, "sales")
    assert features
    return next(verdict for verdict in features.verdicts if verdict.name == name)


def parts_of(platform: Platform) -> list[str]:
    features = platform.storage.records.latest(FeaturesVersion, "sales")
    assert features
    return read_features(platform.storage, features)["_part"].tolist()


def failed(result: Any) -> set[str]:
    return {name for name, passed in checks(result).items() if not passed}


def refused_by(name: str, platform: Platform, spec: SystemSpec) -> None:
    assert f"{name} failed" in failure(platform.run(spec, "model"), "sales__model")


def test_the_sound_table_trains(platform: Platform, run):
    result = run(system(features={"leakage": {"near_duplicates": 0.01}}), sales())
    assert result.success
    assert failed(result) == set()
    assert "no feature explains 50%" in verdict_of(platform, "no_proxy").reason


def test_the_target_copied_with_noise_is_named_and_passes_once_reviewed(platform: Platform, run):
    table = sales(1500)
    spread = 0.2 * table["price"].std()
    table["appraisal"] = table["price"] + np.random.default_rng(1).normal(0, spread, len(table))
    spec = system(columns={"appraisal": {"type": "float"}})
    result = run(spec, table)
    assert result.success, "a warning stops nothing"
    assert failed(result) == {"no_proxy"}, "the bound of a single feature does not see it"
    verdict = verdict_of(platform, "no_proxy")
    assert verdict.details["columns"] == ["appraisal"]
    assert verdict.reason.startswith("Without 'appraisal' 1 - R² is 0.")
    reviewed = changed(spec, features={"leakage": {"allow": ["appraisal"]}})
    assert checks(platform.run(reviewed, "features"))["no_proxy"]


def test_test_rows_that_land_again_with_noise_are_near_duplicates(platform: Platform, run, tmp_path: Path):
    spec = system(features={"leakage": {"near_duplicates": 0.01}})
    assert checks(run(spec, sales()))["no_near_duplicates"]
    features = platform.storage.records.latest(FeaturesVersion, "sales")
    assert features
    leaked = read_features(platform.storage, features, "test")[[*NUMBERS, "town", "price"]]
    noise = np.random.default_rng(2).normal(0, 0.002, len(leaked))
    leaked["area"] += noise * leaked["area"].std()
    leaked["distance"] += noise * leaked["distance"].std()
    result = run(spec, leaked)
    assert failed(result) == {"no_near_duplicates"}, "no row is an exact copy"
    verdict = verdict_of(platform, "no_near_duplicates")
    tested = verdict.details["by_parts"]["test"]
    assert 0.6 * len(leaked) < tested <= (verdict.value or 0) <= len(leaked)
    batch, copies = next(iter(verdict.details["batches"].items()))
    assert f"{tested} of " in verdict.reason
    assert batch[:12] in verdict.reason
    assert copies == verdict.value, "every pair has one row of the batch that landed again, and one of the first"
    assert all(batch in (pair["batch"], pair["twin"]["batch"]) for pair in verdict.details["examples"])
    refused_by("no_near_duplicates", platform, spec)
    assert not verdict_of(platform, "no_near_duplicates").details.get("by_chance"), "with what is declared"
    result = platform.run(system(), "features", "model")
    assert failed(result) == {"no_near_duplicates"}, "looked for undeclared, too"
    assert result.success, "a warning stops nothing"
    assert "as if measured or entered twice" in verdict_of(platform, "no_near_duplicates").reason


def test_an_undeclared_house_is_named_and_blocks_until_it_is_declared_either_way(platform: Platform, run):
    again = sales(200).loc[np.repeat(np.arange(200), 4)].reset_index(drop=True)
    rng = np.random.default_rng(3)
    for name, noise in (("area", 1), ("distance", 0.3), ("price", 5)):
        again[name] += rng.normal(0, noise, len(again))
    again["house"] = [f"h{row // 4}" for row in range(len(again))]
    spec = system(columns={"house": {"type": "string"}}, features={"exclude": ["house"]})
    assert "no_undeclared_groups" in failed(run(spec, again.sample(frac=1, random_state=0)))
    verdict = verdict_of(platform, "no_undeclared_groups")
    assert verdict.details["columns"] == ["house"]
    refused_by("no_undeclared_groups", platform, spec)
    before = parts_of(platform)
    ungrouped = changed(spec, features={"exclude": ["house"], "split": {"ungrouped": ["house"]}})
    result = platform.run(ungrouped, "features", "model")
    assert result.success, "it warns"
    assert failed(result) == {"no_undeclared_groups", "no_near_duplicates"}, "sales of one house are much alike"
    assert "'house' groups the rows" in verdict_of(platform, "no_undeclared_groups").reason
    assert parts_of(platform) == before, "the declaration moves no row"
    grouped = changed(spec, features={"split": {"group": "house"}})
    result = platform.run(grouped, "features", "model")
    assert result.success
    assert failed(result) == set()


def test_an_id_dealt_out_in_the_order_of_the_target_is_named(platform: Platform, run):
    table = sales().sort_values("price").assign(number=np.arange(600) + 7000)
    spec = system(columns={"number": {"type": "integer"}})
    result = run(spec, table.sample(frac=1, random_state=0))
    assert "no_leakage" in failed(result)
    assert verdict_of(platform, "no_leakage").details["columns"] == ["number"]
    refused_by("no_leakage", platform, spec)


def test_a_column_without_a_value_is_named(platform: Platform, run):
    spec = system(columns={"garden": {"type": "float", "nullable": True}})
    result = run(spec, sales().assign(garden=np.nan))
    assert failed(result) == {"no_degenerate"}
    assert verdict_of(platform, "no_degenerate").reason == "'garden': no value in any train row"
    refused_by("no_degenerate", platform, spec)


@pytest.mark.parametrize(("factor", "rows"), [(1000, 40), (0.001, 600)])
def test_a_batch_in_another_unit_is_named(platform: Platform, run, factor: float, rows: int):
    later = sales(rows, seed=1)
    later["area"] *= factor
    result = run(system(), sales(), later)
    assert failed(result) == {"no_degenerate"}
    verdict = verdict_of(platform, "no_degenerate")
    assert verdict.details["columns"] == ["area"]
    assert "as if in another unit. Remedy: retract the batch" in verdict.reason
    refused_by("no_degenerate", platform, system())


def test_a_declared_range_keeps_another_unit_out_of_the_dataset(platform: Platform, run):
    spec = system(columns={"area": {"type": "float", "min": -100, "max": 1000}})
    later = sales(100, seed=1)
    later["area"] *= 1000
    result = run(spec, sales(), later)
    dataset = platform.storage.records.latest(DatasetVersion, "sales")
    assert dataset
    assert dataset.rows == 600
    assert failed(result) == {"contract"}


def test_engineering_scaled_over_all_rows_is_refused_by_name(platform: Platform, run):
    function = "mlops_assets_tests.features.engineered:standardised"
    result = run(system(features={"engineer": function}), sales())
    told = failure(result, "sales__features")
    assert f"features.engineer '{function}' is not row-wise: ['area', 'distance'] differ" in told
    assert "what must be learned from other rows belongs in model.transformer" in told
    assert platform.storage.records.latest(FeaturesVersion, "sales") is None
