"""Leaving features out: the errors of a small model on rows it was not fitted on, as they are with fewer features."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from mlops_assets.declaration.base import Task

TREES, LEAVES, RATE = 60, 15, 0.15
"""Size of the model, which several classes share, and its learning rate."""
GROUPS = 5
"""Classes that are distinguished; further ones are dealt out among them."""
CATEGORIES = 254
"""Most frequent categories that are distinguished; the rest is one."""
LARGEST = 1e30
"""Number that stands for infinity, which the model's quantiles cannot take."""


def modelled_target(target: np.ndarray, task: "Task") -> np.ndarray:
    """The target as the small model takes it, shape (n,): numbers, or positions of at most GROUPS classes."""
    if task == "regression":
        return target.astype(float)
    return _frequency_rank(np.unique(target, return_inverse=True)[1]) % GROUPS


def held_out_errors(features: pd.DataFrame, target: np.ndarray, folds: np.ndarray, task: "Task") -> np.ndarray:
    """Squared error, or Brier score, of each row under the model fitted on the other folds; shape (n,)."""
    table, categorical = _encoded(features)
    errors = np.zeros(len(target))
    for fold in np.unique(folds):
        held = folds == fold
        model = _model(len(target), categorical, task, target).fit(table[~held], target[~held])
        if task == "regression":
            errors[held] = (model.predict(table[held]) - target[held]) ** 2
        else:
            truth = target[held][:, np.newaxis] == model.classes_
            errors[held] = ((model.predict_proba(table[held]) - truth) ** 2).sum(axis=1)
    return errors


def _model(rows: int, categorical: np.ndarray, task: "Task", target: np.ndarray) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    classes = len(np.unique(target)) if task == "classification" else 1
    estimator: Any = HistGradientBoostingClassifier if task == "classification" else HistGradientBoostingRegressor
    return estimator(
        max_iter=TREES if classes <= 2 else 2 * TREES // classes,
        learning_rate=RATE,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=int(np.clip(rows // 20, 2, 20)),
        l2_regularization=1.0,
        early_stopping=False,
        categorical_features=categorical,
        random_state=0,
    )


def _encoded(features: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Features as float64, categories by rank of their frequency; and which are categories."""
    categorical = np.array([values.dtype == object for _, values in features.items()])
    columns = [
        np.minimum(_frequency_rank(pd.factorize(values)[0]), CATEGORIES)
        if named
        else np.clip(values.to_numpy(dtype=float), -LARGEST, LARGEST)
        for (_, values), named in zip(features.items(), categorical, strict=True)
    ]
    return np.column_stack(columns).astype(float), categorical


def _frequency_rank(codes: np.ndarray) -> np.ndarray:
    order = np.argsort(-np.bincount(codes), kind="stable")
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order))
    return ranks[codes]
