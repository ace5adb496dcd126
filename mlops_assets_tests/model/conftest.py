"""Small rows of every kind that a model meets, with their declaration and features version."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.features.version import FeatureColumn, FeaturesVersion, SplitPlan
from mlops_assets.model.training import Trained, train


@dataclass(frozen=True)
class Case:
    """A declaration, its features version and train rows."""

    spec: SystemSpec
    features: FeaturesVersion
    rows: pd.DataFrame

    @property
    def inputs(self) -> pd.DataFrame:
        return self.rows.loc[:, self.features.names]

    def train(self, validation: pd.DataFrame | None = None) -> Trained:
        return train(self.spec, self.features, self.rows, validation)


MakeCase = Callable[..., Case]

LABELS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "text": lambda score: np.array(["high", "low", "middle"], dtype=object)[_thirds(score)],
    "integer": lambda score: _thirds(score) + 1,
    "position": lambda score: _thirds(score),
    "boolean": lambda score: score > np.median(score),
    "number": lambda score: 300_000 + 100_000 * score,
}


def _thirds(score: np.ndarray) -> np.ndarray:
    return np.digitize(score, np.quantile(score, [1 / 3, 2 / 3]))


def mixed_rows(target: str, seed: int = 0, count: int = 240) -> pd.DataFrame:
    """Numbers of different sizes and a category, each with empty cells; the label follows all of them."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame(
        {
            "living area": rng.normal(5000, 1000, count),
            "age": rng.exponential(1.0, count),
            "rooms": rng.integers(0, 5, count).astype(float),
            "kind": rng.choice(np.array(["flat", "house", "loft"], dtype=object), count),
        }
    )
    score = (rows["living area"] - 5000) / 1000 + rows["age"] + 1.5 * (rows["kind"] == "flat")
    labels = LABELS[target]((score + rng.normal(0, 0.3, count)).to_numpy())
    rows.loc[rng.random(count) < 0.1, "age"] = np.nan
    rows.loc[rng.random(count) < 0.1, "kind"] = None
    rows.loc[rng.random(count) < 0.1, "kind"] = np.nan
    return rows.assign(label=labels, _part="train")


def held_out(target: str, seed: int = 1, count: int = 240) -> pd.DataFrame:
    """Validation rows like ``mixed_rows``, each alone."""
    identity = np.random.default_rng(seed).integers(-(2**63), 2**63, count)
    return mixed_rows(target, seed, count).assign(_part="validation", _identity=identity)


def _mixed(estimator: str | None = None, target: str = "text", **model: Any) -> Case:
    rows = mixed_rows(target)
    numeric = ["living area", "age", "rooms"]
    return _case(rows, numeric, ["kind"], "regression" if target == "number" else "classification", estimator, model)


def _plain(estimator: str | None = None, **model: Any) -> Case:
    """The 178 wines of scikit-learn: 13 numbers, three cultivars."""
    from sklearn.datasets import load_wine

    wine: Any = load_wine(as_frame=True)
    rows = wine.frame.rename(columns={"target": "label"}).assign(_part="train")
    return _case(rows, list(wine.feature_names), [], "classification", estimator, model)


def _case(
    rows: pd.DataFrame, numeric: list[str], text: list[str], task: str, estimator: str | None, model: dict[str, Any]
) -> Case:
    types = {**dict.fromkeys(numeric, "float"), **dict.fromkeys(text, "string"), "label": "string"}
    spec = SystemSpec.model_validate(
        {
            "name": "sys",
            "task": task,
            "dataset": {"target": "label", "columns": {name: {"type": kind} for name, kind in types.items()}},
            "model": {"estimator": estimator, **model},
        }
    )
    columns = [FeatureColumn(name=name, kind="numeric") for name in numeric]
    columns += [FeatureColumn(name=name, kind="categorical") for name in text]
    features = FeaturesVersion(
        system="sys",
        digest="f",
        dataset_digest="d",
        dataset_table_version=0,
        table_version=0,
        columns=columns,
        target="label",
        classes=None if task == "regression" else sorted(set(rows["label"].tolist())),
        rows={"train": len(rows)},
        plan=SplitPlan(system="sys", digest="s"),
    )
    return Case(spec, features, rows)


@pytest.fixture(scope="session")
def mixed() -> MakeCase:
    """Builds a case of numbers and a category: ``mixed(estimator, target, **keys of the model spec)``."""
    return _mixed


@pytest.fixture(scope="session")
def plain() -> MakeCase:
    """Builds a case of numbers without empty cells."""
    return _plain


@pytest.fixture(scope="session")
def unseen() -> pd.DataFrame:
    """Rows that training never saw: other numbers, more empty cells, an unknown category."""
    rows = mixed_rows("text", seed=7, count=200)
    rows.loc[::7, "kind"] = "castle"
    rows.loc[::11, "living area"] = np.nan
    return rows.drop(columns=["label", "_part"])
