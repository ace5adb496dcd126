"""Two small systems with fitted models, ready to be assessed."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.evaluation.assessment import assess, declared_bootstrap
from mlops_assets.evaluation.diagnosis import Subject
from mlops_assets.evaluation.report.report import Report
from mlops_assets.features.version import FeatureColumn, FeaturesVersion, SplitPlan
from mlops_assets.metrics.outcomes import Predictions
from mlops_assets.model.prediction import predict

HOSTILE = ("<script>alert(1)</script>", "=cmd()", "\"><img src=x onerror='alert(2)'>")
FEATURES = ["length", "width", "noise"]


@dataclass(frozen=True, eq=False)
class Case:
    """What ``assess`` is given."""

    spec: SystemSpec
    features: FeaturesVersion
    rows: pd.DataFrame
    predictions: Predictions
    baselines: dict[str, Predictions]
    pipeline: Any
    train: pd.DataFrame

    def subject(self) -> Subject:
        return Subject(
            self.spec,
            self.features,
            self.pipeline,
            self.rows,
            self.rows.iloc[:0],
            self.predictions,
            declared_bootstrap(self.spec),
            self.train,
            model_digest="1" * 64,
        )

    def report(self) -> Report:
        return assess(self.subject(), self.baselines)

    def declared(self, **evaluation: Any) -> "Case":
        """The same model under another declared evaluation."""
        declared = self.spec.model_dump() | {"evaluation": evaluation}
        return replace(self, spec=SystemSpec.model_validate(declared))


def _case(task: str, target: pd.Series, inputs: pd.DataFrame, model: Any, baselines: dict[str, Any]) -> Case:
    test = np.arange(len(inputs)) % 2 == 0
    fitted = {name: one.fit(inputs[~test], target[~test]) for name, one in {"": model, **baselines}.items()}
    predicted = {name: predict(one, inputs.loc[test]) for name, one in fitted.items()}
    rows = inputs[test].assign(goal=target[test]).reset_index(drop=True)
    rows["@region"] = np.where(np.arange(len(rows)) % 10 < 7, "north", "south")
    rows["@site"] = np.arange(len(rows)) // 4
    return Case(
        spec=_spec(task, target),
        features=_features(target, int(test.sum())),
        rows=rows,
        predictions=predicted.pop(""),
        baselines=predicted,
        pipeline=fitted[""],
        train=inputs[~test].assign(goal=target[~test]).reset_index(drop=True),
    )


def _spec(task: str, target: pd.Series) -> SystemSpec:
    columns = {name: {"type": "float"} for name in FEATURES}
    goal = {"type": "float" if task == "regression" else "string"}
    others = {"region": {"type": "string"}, "site": {"type": "integer"}}
    return SystemSpec.model_validate(
        {
            "name": "plant_growth",
            "task": task,
            "description": "Growth of <plants> & their kin",
            "dataset": {"target": "goal", "columns": {**columns, **others, "goal": goal}},
            "evaluation": {"resamples": 400},
        }
    )


def _features(target: pd.Series, test_rows: int) -> FeaturesVersion:
    return FeaturesVersion(
        system="plant_growth",
        digest="2" * 64,
        dataset_digest="3" * 64,
        dataset_table_version=4,
        table_version=5,
        columns=[FeatureColumn(name=name, kind="numeric") for name in FEATURES],
        target="goal",
        classes=sorted(target.unique()) if target.dtype == object else None,
        rows={"train": len(target) - test_rows, "validation": 0, "test": test_rows, "excluded": 0},
        plan=SplitPlan(system="plant_growth", digest="6" * 64),
    )


def _inputs(rows: int) -> tuple[pd.DataFrame, np.random.Generator]:
    rng = np.random.default_rng(5)
    return pd.DataFrame({name: rng.normal(size=rows) for name in FEATURES}), rng


@pytest.fixture(scope="session")
def classification() -> Case:
    """Three classes whose names are hostile; 150 test rows, about four in five predicted rightly."""
    from sklearn.linear_model import LogisticRegression

    inputs, rng = _inputs(300)
    score = inputs["length"] + 0.5 * inputs["width"] + 0.3 * rng.normal(size=len(inputs))
    target = pd.Series(np.array(HOSTILE, dtype=object)[np.digitize(score, [-0.4, 0.5])])
    models = {"linear": LogisticRegression(C=0.01)}
    return _case("classification", target, inputs, LogisticRegression(), models)


@pytest.fixture(scope="session")
def regression() -> Case:
    """A linear target with noise; 150 test rows."""
    from sklearn.linear_model import LinearRegression, Ridge

    inputs, rng = _inputs(300)
    noise = pd.Series(4 * rng.normal(size=len(inputs)))
    target = 100 + 20 * inputs["length"] + 5 * inputs["width"] + noise
    return _case("regression", target, inputs, Ridge(), {"linear": LinearRegression()})
