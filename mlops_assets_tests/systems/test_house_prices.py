"""house_prices: an honest champion from its sample, and the two mistakes of the write-up behind it refused by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.dataset.table import read_dataset
from mlops_assets.dataset.version import DatasetVersion
from mlops_assets.declaration.reading import SHIPPED, find_system
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.defs.house_prices.features import REFERENCE_YEAR, engineer
from mlops_assets.defs.house_prices.sample import LOCATIONS, MISSING, NOISE, OUTLIERS, SALES, log_price, rows
from mlops_assets.errors import SpecError
from mlops_assets.evaluation.gate_history import OWN
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.features.assembly import read_rows
from mlops_assets.features.leakage.overlap import no_overlap
from mlops_assets.features.split import identities
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.model.training import train
from mlops_assets.model.version import ModelVersion
from mlops_assets.verdict import Verdict
from mlops_assets_tests.platform import Platform, changed, checks, failure

LINEAR = {"estimator": "sklearn.linear_model.LinearRegression"}
OF_THE_WRITE_UP = [
    {"metric": "r2", "at_least": 0.85, "min_rows": 15},
    {"metric": "mean_absolute_error", "at_most": 15_000, "min_rows": 100},
    {"metric": "root_mean_squared_error", "at_most": 20_000, "min_rows": 100},
]


@pytest.fixture(scope="module")
def houses() -> SystemSpec:
    return find_system("house_prices", [SHIPPED])


@pytest.fixture
def own_file(shared_data: Path) -> Path:
    return shared_data / "house_seed002" / "house_data.csv"


def verdict_of(platform: Platform, name: str) -> Verdict:
    features = platform.storage.records.latest(FeaturesVersion, "house_prices")
    assert features
    return next(verdict for verdict in features.verdicts if verdict.name == name)


def gates_of(report: EvaluationReport) -> dict[str, Verdict]:
    return {verdict.name: verdict for verdict in report.verdicts if verdict.name not in OWN}


def test_the_sample_is_what_its_model_and_flaws_say():
    sales = rows()
    assert len(sales) == SALES
    assert set(sales) == {"price", "sqft", "bedrooms", "bathrooms", "year_built", "location", "condition"}
    for name, share in MISSING.items():
        assert sales[name].isna().mean() == pytest.approx(share, abs=0.006)
    complete = sales.dropna()
    errors = np.log(complete["price"].to_numpy()) - log_price(complete).to_numpy()
    usual = np.abs(errors) < 4 * NOISE
    typical = errors[usual]
    assert typical.std() == pytest.approx(NOISE, rel=0.05)
    assert abs(typical.mean()) < 0.005
    assert 1 - len(typical) / len(errors) == pytest.approx(OUTLIERS, abs=0.002)
    expected = np.exp(log_price(complete).to_numpy())
    in_dollars, dear = complete["price"].to_numpy() - expected, expected > np.median(expected)
    assert in_dollars[usual & dear].std() > 1.7 * in_dollars[usual & ~dear].std()
    assert rows().equals(sales), "the sample is seeded"


def test_houses_of_the_sample_are_sold_again():
    sales = rows().dropna()
    house = ["sqft", "bedrooms", "bathrooms", "year_built", "location"]
    again = sales[sales.duplicated(house, keep=False)].groupby(house)
    assert 180 < again.ngroups < 260
    renovated = (again["condition"].nunique() > 1).sum()
    assert 0.15 < renovated / again.ngroups < 0.45
    assert (again["price"].nunique() > 1).mean() > 0.9


def test_ages_are_counted_to_the_reference_year_and_ratios_end():
    listed = pd.DataFrame({"year_built": [REFERENCE_YEAR, 1990, np.nan], "bedrooms": [2, 3, 1], "bathrooms": [1, 2, 0]})
    made = engineer(listed)
    assert made["house_age"].tolist()[:2] == [0, REFERENCE_YEAR - 1990]
    assert made["bed_bath_ratio"].tolist() == [2, 1.5, 2]
    assert "year_built" not in made


@pytest.mark.slow
def test_the_sample_becomes_champion_by_its_declared_gates(platform: Platform, houses: SystemSpec):
    platform.land(houses)
    result = platform.run(houses)
    assert result.success, {name: ok for name, ok in checks(result).items() if not ok}
    report = platform.storage.records.latest(EvaluationReport, houses.name)
    assert report
    assert {gate.outcome for gate in report.verdicts if gate.name not in OWN} == {"passed"}
    assert {"r2_at_least", "mean_absolute_percentage_error_at_most", "beats_baseline"} <= set(gates_of(report))
    measured = {name: gate.value or 0.0 for name, gate in gates_of(report).items()}
    assert measured["consistency_repeat_calls_at_most"] == 0
    assert 0.02 < measured["consistency_monotone_violations_at_most"] < 0.10
    assert 0.02 < measured["robustness_noise_10_at_most"] < 0.08
    assert 0.04 < measured["robustness_missing_1_at_most"] < 0.08
    assert 0.43 < measured["robustness_missing_10_at_most"] < 0.56, "as the declaration says"
    assert 0 < measured["efficiency_latency_p95_ms_at_most"] <= 100
    values = {metric.name: metric for metric in report.metrics}
    assert 0.90 < (values["r2"].value or 0) < 0.97
    assert 0.06 < (values["mean_absolute_percentage_error"].value or 0) < 0.09, "the noise alone costs 6.4 %"
    assert platform.registry(houses).champion() == 1


@pytest.mark.parametrize(
    "model",
    [
        {**LINEAR, "target_transform": "log"},
        {"estimator": "sklearn.ensemble.RandomForestRegressor", "params": {"n_estimators": 20}},
        {"estimator": "sklearn.ensemble.GradientBoostingRegressor", "params": {"n_estimators": 50}},
        {"estimator": "xgboost.XGBRegressor", "params": {"n_estimators": 50}},
        {"params": {"max_iter": 50}},
    ],
    ids=["linear", "forest", "gradient", "xgboost", "histogram"],
)
def test_estimators_are_chosen_by_declaration(houses: SystemSpec, sample_parts: Any, model: dict[str, Any]):
    from sklearn.metrics import mean_absolute_percentage_error, r2_score

    features, fitted, held = sample_parts
    trained = train(changed(houses, model=model), features, fitted)
    predicted = trained.pipeline.predict(held[features.names])
    assert r2_score(held["price"], predicted) > 0.85
    assert mean_absolute_percentage_error(held["price"], predicted) < 0.15


@pytest.fixture(scope="module")
def sample_parts(houses: SystemSpec, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Features of the sample, their train rows and their test rows."""
    from mlops_assets.features.table import read_features

    platform = Platform(tmp_path_factory.mktemp("sample"))
    platform.land(houses)
    assert platform.run(houses, "dataset", "features").success
    features = platform.storage.records.latest(FeaturesVersion, houses.name)
    assert features
    return features, *(read_features(platform.storage, features, part) for part in ("train", "test"))


def test_the_owners_file_lands_unchanged_and_too_few_rows_are_no_success(
    platform: Platform, houses: SystemSpec, own_file: Path
):
    platform.land(houses, own_file)
    result = platform.run(houses)
    assert not result.success
    dataset = platform.storage.records.latest(DatasetVersion, houses.name)
    assert dataset
    assert (dataset.rows, dataset.quarantined) == (84, 0)
    landed = read_dataset(platform.storage, dataset).to_pandas()
    given = pd.read_csv(own_file)
    pd.testing.assert_frame_equal(landed[list(given)], given, check_dtype=False)
    assert verdict_of(platform, "no_leakage").passed
    report = platform.storage.records.latest(EvaluationReport, houses.name)
    assert report
    judged = {name: gate.outcome for name, gate in gates_of(report).items()}
    assert judged.pop("efficiency_latency_p95_ms_at_most") == "passed", "rows are repeated to be timed"
    assert set(judged.values()) == {"not evaluated"}
    assert gates_of(report)["r2_at_least"].reason == "17 test rows, the gate needs 30"
    assert platform.versions(houses) == []
    assert "not evaluated" in failure(platform.run(houses, "registered_version"), "house_prices__registered_version")


def test_the_write_ups_own_model_and_gates_are_told_apart(platform: Platform, houses: SystemSpec, own_file: Path):
    spec = changed(houses, model=LINEAR, evaluation={"gates": OF_THE_WRITE_UP})
    platform.land(spec, own_file)
    assert not platform.run(spec).success
    report = platform.storage.records.latest(EvaluationReport, spec.name)
    assert report
    gates = gates_of(report)
    assert gates["r2_at_least"].outcome == "passed"
    assert gates["mean_absolute_error_at_most"].outcome == "not evaluated"
    assert gates["root_mean_squared_error_at_most"].reason == "17 test rows, the gate needs 100"
    enough = changed(
        spec, evaluation={"gates": [{**gate, "min_rows": 15, "severity": "warn"} for gate in OF_THE_WRITE_UP]}
    )
    assert platform.run(enough).success
    report = platform.storage.records.latest(EvaluationReport, spec.name)
    assert report
    assert [gate.outcome for gate in gates_of(report).values()] == ["passed", "failed", "failed"]


def test_price_per_sqft_is_blocked_by_name(platform: Platform, houses: SystemSpec, own_file: Path, tmp_path: Path):
    featured = pd.read_csv(own_file)
    featured.insert(0, "price_per_sqft", featured["price"] / featured["sqft"])
    featured.to_csv(tmp_path / "featured.csv", index=False)
    dataset = houses.dataset.model_dump()
    dataset["columns"] = {"price_per_sqft": {"type": "float"}, **dataset["columns"]}
    spec = changed(houses, dataset=dataset)
    platform.land(spec, tmp_path / "featured.csv")
    result = platform.run(spec)
    assert not result.success
    assert {name for name, passed in checks(result).items() if not passed} == {"no_leakage"}
    assert verdict_of(platform, "no_leakage").reason.startswith("price_per_sqft * sqft gives price (R² 1.0000")
    assert platform.storage.records.latest(ModelVersion, spec.name) is None
    assert "price_per_sqft * sqft gives price" in failure(platform.run(spec, "model"), "house_prices__model")
    left_out = changed(spec, features={**houses.features.model_dump(), "exclude": ["price_per_sqft"]})
    assert platform.run(left_out, "features").success
    assert verdict_of(platform, "no_leakage").passed


def test_price_cannot_be_taken_in_by_engineering(houses: SystemSpec):
    columns = ["price", "sqft", "bedrooms", "bathrooms", "year_built", "location", "condition"]
    with pytest.raises(ValueError, match="'price' is the target"):
        changed(houses, features={**houses.features.model_dump(), "columns": columns})


def test_validation_rows_taken_from_train_rows_are_blocked_by_name(
    platform: Platform, houses: SystemSpec, own_file: Path, tmp_path: Path
):
    """The rows that the write-up validated on, its file's last 20 %, land once more."""
    given = pd.read_csv(own_file)
    given.tail(int(0.2 * len(given))).to_csv(tmp_path / "validation.csv", index=False)
    naive = {**houses.features.model_dump(), "split": {"identity": "row"}}
    spec = changed(houses, features=naive)
    platform.land(spec, own_file, tmp_path / "validation.csv")
    result = platform.run(spec)
    assert not result.success
    assert checks(result)["no_overlap"] is False
    assert checks(result)["no_leakage"] is True
    overlap = verdict_of(platform, "no_overlap")
    assert 0 < (overlap.value or 0) <= 16 + 4
    assert "rows occur in more than one part" in overlap.reason
    assert platform.storage.records.latest(ModelVersion, spec.name) is None
    assert "no_overlap failed" in failure(platform.run(spec, "model"), "house_prices__model")
    assert platform.run(houses, "features").success
    assert verdict_of(platform, "no_overlap").passed, "equal rows stay together by default"


def test_twelve_of_the_write_ups_fifteen_validation_rows_are_counted(
    platform: Platform, houses: SystemSpec, own_file: Path
):
    """Its train part was a random 80 % of the 77 rows left, its validation part the last 20 % of the same file."""
    from sklearn.model_selection import train_test_split

    platform.land(houses, own_file)
    assert platform.run(houses, "dataset").success
    dataset = platform.storage.records.latest(DatasetVersion, houses.name)
    assert dataset
    table = read_rows(platform.storage, houses, dataset)
    low, high = np.quantile(table["price"], [0.25, 0.75])
    kept = np.flatnonzero(table["price"].is_between(low - 1.5 * (high - low), high + 1.5 * (high - low)).to_numpy())
    assert len(kept) == 77
    trained, _ = train_test_split(kept, test_size=0.2, random_state=42)
    validated = kept[-int(0.2 * len(kept)) :]
    assert (len(validated), len(set(validated) & set(trained))) == (15, 12)
    rows_seen = np.concatenate([trained, validated])
    parts = np.array(["train"] * len(trained) + ["validation"] * len(validated))
    verdict = no_overlap(parts, identities(table, houses).content[rows_seen])
    assert verdict.outcome == "failed"
    assert verdict.reason.startswith("12 rows occur in more than one part {'train and validation': 12}")


def test_logarithms_are_for_regression(wine: SystemSpec, sample_parts: Any):
    features, fitted, _ = sample_parts
    with pytest.raises(SpecError, match="target_transform 'log' is for regression"):
        train(changed(wine, model={"target_transform": "log"}), features, fitted)


def test_every_location_of_the_sample_is_declared(houses: SystemSpec):
    assert set(LOCATIONS) == set(houses.dataset.columns["location"].allowed or [])
