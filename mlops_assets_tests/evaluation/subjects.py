"""Subjects made from frames and rules, for diagnoses of what a model says."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.evaluation.diagnosis import Diagnosis, Measure, Subject
from mlops_assets.evaluation.gate_evidence import Evidence, gather_evidence
from mlops_assets.features.version import FeatureColumn, FeaturesVersion, SplitPlan
from mlops_assets.metrics.bootstrap import STANDARD, Bootstrap
from mlops_assets.metrics.outcomes import Predictions
from mlops_assets.model.prediction import predict

Rule = Callable[[pd.DataFrame], Any]


class Regressor:
    """A pipeline that predicts by a rule."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def predict(self, rows: pd.DataFrame) -> Any:
        return np.asarray(self.rule(rows), dtype=float)


class Labeller:
    """A classifier without probabilities; its rule gives them, shape (n, k) or (n,) of the class 1."""

    def __init__(self, rule: Rule, classes: int = 2) -> None:
        self.rule = rule
        self.classes_ = np.arange(classes)

    def predict(self, rows: pd.DataFrame) -> Any:
        return self.classes_[self._stated(rows).argmax(axis=1)]

    def _stated(self, rows: pd.DataFrame) -> np.ndarray:
        found = np.asarray(self.rule(rows))
        return found if found.ndim == 2 else np.column_stack([1 - found, found])


class Classifier(Labeller):
    """The same with probabilities."""

    def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
        return self._stated(rows)


def subject_of(
    model: Any,
    test: pd.DataFrame,
    validation: pd.DataFrame | None = None,
    *,
    group: str | None = None,
    kinds: dict[str, str] | None = None,
    **evaluation: Any,
) -> Subject:
    """``goal`` is the target, ``@name`` context; every other column is a feature, numeric unless ``kinds`` says so."""
    task = "classification" if hasattr(model, "classes_") else "regression"
    names = [name for name in test.columns if name != "goal" and not name.startswith("@")]
    columns = {name: {"type": "float"} for name in names}
    columns["goal"] = {"type": "integer" if task == "classification" else "float"}
    declared = {
        "name": "plant",
        "task": task,
        "dataset": {"target": "goal", "columns": columns},
        "evaluation": evaluation,
    }
    features = FeaturesVersion(
        system="plant",
        digest="2" * 64,
        dataset_digest="3" * 64,
        dataset_table_version=1,
        table_version=1,
        columns=[FeatureColumn.model_validate({"name": n, "kind": (kinds or {}).get(n, "numeric")}) for n in names],
        target="goal",
        classes=list(range(len(model.classes_))) if task == "classification" else None,
        group=group,
        rows={"train": 0, "validation": 0, "test": len(test), "excluded": 0},
        plan=SplitPlan(system="plant", digest="6" * 64),
    )
    return Subject(
        SystemSpec.model_validate(declared),
        features,
        model,
        test,
        test.iloc[:0] if validation is None else validation,
        predict(model, test.loc[:, names]),
        Bootstrap(resamples=1000),
    )


def evidence_of(
    task: str,
    rows: pd.DataFrame,
    target: str,
    predictions: Predictions,
    baselines: dict[str, Predictions],
    bootstrap: Bootstrap = STANDARD,
    train: pd.DataFrame | None = None,
) -> Evidence:
    """Evidence of stated predictions, without a model; the target is among the rows, learned from the same ones."""
    columns = {target: {"type": "integer" if task == "classification" else "float"}, "cause": {"type": "float"}}
    features = FeaturesVersion(
        system="plant",
        digest="2" * 64,
        dataset_digest="3" * 64,
        dataset_table_version=1,
        table_version=1,
        columns=[],
        target=target,
        rows={"train": 0, "validation": 0, "test": len(rows), "excluded": 0},
        plan=SplitPlan(system="plant", digest="6" * 64),
    )
    spec = SystemSpec.model_validate({"name": "plant", "task": task, "dataset": {"target": target, "columns": columns}})
    learned = rows if train is None else train
    subject = Subject(spec, features, None, rows, rows.iloc[:0], predictions, bootstrap, learned)
    return gather_evidence(subject, baselines)


def measures(found: Diagnosis) -> dict[str, Measure]:
    return {one.name: one for one in found.measures}


def values(found: Diagnosis) -> dict[str, Any]:
    return {one.name: one.value for one in found.measures}
