"""A feature without which the error is implausibly larger, and strong features without which it is not."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from mlops_assets.features.leakage.target_leakage import no_leakage
from mlops_assets.features.leakage.target_proxy import no_proxy
from mlops_assets.features.leakage.train_sample import TrainSample, train_sample
from mlops_assets.features.transform import transform

N = 1500


def sample_of(declare, frame: pl.DataFrame, target: str, task: str, **features: Any) -> TrainSample:
    spec = declare(frame, target, task, features=features)
    made = transform(frame.select(spec.feature_columns()).to_pandas(), spec)
    values = frame[target].to_numpy()
    outcomes = values if task == "regression" else np.unique(values, return_inverse=True)[1]
    return train_sample(made, outcomes, np.arange(frame.height, dtype=np.uint64), spec)


def columns(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {"a": rng.normal(size=N), "b": rng.normal(size=N), "kind": rng.choice(list("uvw"), N)}


def worth(features: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """R² 0.8 is what can be known of it."""
    return features["a"] + features["b"] + 2 * (features["kind"] == "u") + rng.normal(0, 0.85, N)


SALES, WINES = (
    ("king_county/kc_house_data.csv", "price", ["id", "date"]),
    ("wine_quality/winequality-white.csv", "quality", []),
)


@pytest.mark.parametrize(
    ("file", "target", "exclude", "noise"),
    [
        *(pytest.param(*SALES, noise, marks=pytest.mark.soak("rates")) for noise in (0.1, 0.2)),
        (*SALES, 0.3),
        *((*WINES, noise) for noise in (0.1, 0.2, 0.3)),
    ],
)
def test_noisy_copies_of_real_targets_are_named(declare, shared_data, file, target, exclude, noise):
    table = pd.read_csv(shared_data / file).astype({target: float})
    spread = noise * table[target].std()
    table["leak"] = table[target] + np.random.default_rng(5).normal(0, spread, len(table))
    shown = sample_of(declare, pl.from_pandas(table), target, "regression", exclude=exclude)
    verdict = no_proxy(shown)
    assert (verdict.outcome, verdict.severity) == ("failed", "warn")
    assert not verdict.blocks
    assert verdict.details["columns"] == ["leak"]
    assert verdict.bound == 1.5
    assert (verdict.value or 0) > 1.8


@pytest.mark.parametrize("noise", [0.1, 0.2, 0.3])
def test_noisy_copies_of_a_real_class_are_named(declare, shared_data, noise):
    table = pd.read_csv(shared_data / "wine_quality" / "winequality-white.csv")
    good = (table.pop("quality") >= 6).astype(int)
    table["leak"] = good + np.random.default_rng(5).normal(0, noise * good.std(), len(table))
    shown = sample_of(declare, pl.from_pandas(table.assign(good=good)), "good", "classification")
    assert no_proxy(shown).details["columns"] == ["leak"]


@pytest.mark.parametrize("classes", [2, 12])
def test_a_label_that_is_mostly_right_is_named_below_the_bound_of_one_feature(declare, classes):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, N)
    clerk = np.where(rng.uniform(size=N) < 0.95, labels, rng.integers(0, classes, N))
    frame = pl.DataFrame({"clerk": clerk.astype(str), "x": labels + rng.normal(0, classes, N), "y": labels})
    shown = sample_of(declare, frame, "y", "classification")
    assert no_leakage(shown).passed
    verdict = no_proxy(shown)
    assert verdict.details["columns"] == ["clerk"]
    assert "likely the class with errors" in verdict.reason


def test_a_proxy_that_is_found_out_hides_no_other(declare):
    rng = np.random.default_rng(1)
    features = columns(rng)
    price = worth(features, rng)
    features["exact"] = price * 3
    features["noisy"] = price + rng.normal(0, 0.25 * price.std(), N)
    verdict = no_proxy(sample_of(declare, pl.DataFrame({**features, "y": price}), "y", "regression"))
    assert verdict.details["columns"] == ["exact", "noisy"]
    assert [row["feature"] for row in verdict.details["suspects"]] == ["exact", "noisy"]


def test_the_errors_are_those_of_the_model_with_and_without(declare):
    rng = np.random.default_rng(2)
    features = columns(rng)
    price = worth(features, rng)
    features["noisy"] = price + rng.normal(0, 0.3 * price.std(), N)
    [suspect] = no_proxy(sample_of(declare, pl.DataFrame({**features, "y": price}), "y", "regression")).details[
        "suspects"
    ]
    irreducible = 0.85**2 / price.var()
    with_noisy = 1 / (1 / irreducible + 1 / 0.09)
    assert suspect["error_without"] == pytest.approx(irreducible, rel=0.35)
    assert suspect["error"] == pytest.approx(with_noisy, rel=0.35)
    assert suspect["ratio"] == pytest.approx(suspect["error_without"] / suspect["error"], rel=1e-3)
    assert suspect["assured"] < suspect["ratio"]


def test_a_strong_feature_that_others_stand_in_for_passes(declare):
    rng = np.random.default_rng(3)
    size = rng.normal(size=N)
    frame = pl.DataFrame({f"size{i}": size + rng.normal(0, 0.25, N) for i in range(6)} | {"y": size})
    verdict = no_proxy(sample_of(declare, frame, "y", "regression"))
    assert verdict.passed
    assert len(verdict.details["suspects"]) == 3
    assert verdict.reason.startswith("without 'size")


def test_needed_features_that_explain_a_part_are_not_suspected(declare):
    rng = np.random.default_rng(4)
    features = {"a": rng.normal(size=N), "b": rng.normal(size=N)}
    frame = pl.DataFrame({**features, "y": features["a"] + features["b"]})
    verdict = no_proxy(sample_of(declare, frame, "y", "regression"))
    assert verdict.passed
    assert verdict.details["columns"] == []
    assert "or more than all the others together" in verdict.reason


def test_the_declared_factor_and_reviewed_exceptions_decide(declare):
    rng = np.random.default_rng(2)
    features = columns(rng)
    price = worth(features, rng)
    frame = pl.DataFrame({**features, "noisy": price + rng.normal(0, 0.3 * price.std(), N), "y": price})

    def judged(**leakage: Any):
        return no_proxy(sample_of(declare, frame, "y", "regression", leakage=leakage))

    assert judged().details["columns"] == ["noisy"]
    assert judged(max_error_ratio=10).passed
    assert judged(allow=["noisy"]).details == {"columns": [], "suspects": [], "copies": []}


def test_infinite_and_missing_cells_and_an_only_feature_are_no_obstacle(declare):
    rng = np.random.default_rng(5)
    price = rng.normal(size=N)
    near = np.where(rng.uniform(size=N) < 0.3, np.nan, price + rng.normal(0, 0.2, N))
    wild = np.where(rng.uniform(size=N) < 0.3, -np.inf, np.where(rng.uniform(size=N) < 0.3, np.inf, 0))
    frame = pl.DataFrame({"near": near, "wild": wild, "y": price})
    assert no_proxy(sample_of(declare, frame, "y", "regression")).details["columns"] == ["near"]
    assert no_proxy(sample_of(declare, frame.drop("wild"), "y", "regression")).passed


def test_few_rows_are_not_evaluated(declare):
    frame = pl.DataFrame({"x": np.arange(15.0), "z": np.ones(15), "y": np.arange(15.0)})
    verdict = no_proxy(sample_of(declare, frame, "y", "regression"))
    assert verdict.outcome == "not evaluated"
