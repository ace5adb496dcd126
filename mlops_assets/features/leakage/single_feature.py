"""Single features: how much of the target each gives away on its own.

Scores are cross-validated: balanced accuracy for classes, R² for numbers. They come from a shallow tree, a table of
the target by category, and for numbers a straight line and a monotone curve.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from mlops_assets.features.leakage.copies import first_of_each
from mlops_assets.features.leakage.functional_dependency import MIN_ROWS, meets_one_value, rises_together
from mlops_assets.features.leakage.presence import absent_rows
from mlops_assets.features.leakage.score_interval import Score, balanced_accuracy, r2

if TYPE_CHECKING:
    from mlops_assets.declaration.base import Task

FOLDS = 5
PRESENT = 0.1
"""Share of the rows that must have a value for a curve through them."""
Method = Literal["tree", "category table", "straight line", "monotone curve"]


@dataclass(frozen=True)
class SingleFeatureScore:
    """What one feature says about the target."""

    feature: str
    score: float
    """Balanced accuracy or R² on rows not fitted on; 0 where nothing could be fitted."""
    assured: float
    """One-sided 99 % lower end of the score, where it is judged."""
    method: Method
    is_function: bool
    """Whether, beyond chance, each value of the feature stands for one value of the target: repeated values always
    meet the same one, or both rise and fall together without exception."""


@dataclass(frozen=True, eq=False)
class _Outcome:
    """What a feature is scored on; arrays of shape (n,)."""

    target: np.ndarray
    folds: np.ndarray
    units: np.ndarray
    task: "Task"

    def at(self, rows: np.ndarray) -> "_Outcome":
        """These rows alone, dealt out anew: of a few rows a fold may hold none."""
        target, units = self.target[rows], np.unique(self.units[rows], return_inverse=True)[1]
        return _Outcome(target, folds_of(target, self.task, units), units, self.task)

    def score(self, predicted: np.ndarray) -> Score:
        return (r2 if self.task == "regression" else balanced_accuracy)(predicted, self.target, self.units)


def single_feature_scores(
    features: pd.DataFrame, target: np.ndarray, task: "Task", units: np.ndarray
) -> list[SingleFeatureScore]:
    """One score per feature, strongest first; ``target`` has shape (n,).

    Rows with equal ``units`` (positions, shape (n,)) are copies: they are in one fold, and one observation.
    """
    target = np.unique(target, return_inverse=True)[1] if task == "classification" else target.astype(float)
    outcome = _Outcome(target, folds_of(target, task, units), units, task)
    distinct = first_of_each(units, target)
    scores = [_single_feature_score(str(name), values, outcome, distinct) for name, values in features.items()]
    return sorted(scores, key=lambda score: -score.assured)


def folds_of(target: np.ndarray, task: "Task", units: np.ndarray, number: int = FOLDS) -> np.ndarray:
    """Fold of each row, that of its unit, shuffled; every class (``target`` holds positions) is dealt out evenly."""
    first = np.unique(units, return_index=True)[1]
    shuffled = np.random.default_rng(0).permutation(len(first))
    if task == "classification":
        shuffled = shuffled[np.argsort(target[first[shuffled]], kind="stable")]
    folds = np.empty(len(first), dtype=np.int64)
    folds[shuffled] = np.arange(len(first)) % number
    return folds[units]


def _single_feature_score(name: str, values: pd.Series, outcome: _Outcome, distinct: np.ndarray) -> SingleFeatureScore:
    codes, levels = pd.factorize(values, sort=values.dtype != object)
    scores = _scores(values, codes, len(levels), outcome)
    method = max(scores, key=lambda name: scores[name])
    once, target = codes[distinct], outcome.target[distinct]
    ordered = values.dtype != object and outcome.task == "regression" and rises_together(once, target)
    return SingleFeatureScore(name, *scores[method], method, ordered or meets_one_value(once, target))


def _scores(values: pd.Series, codes: np.ndarray, levels: int, outcome: _Outcome) -> dict[Method, Score]:
    if values.dtype == object:
        return {"category table": outcome.score(_by_table(codes, levels, outcome))}
    scores: dict[Method, Score] = {"tree": outcome.score(_by_tree(_for_trees(values.to_numpy()), outcome))}
    if outcome.task == "regression":
        scores |= _curve_scores(values, codes, outcome)
    return scores


def _for_trees(numbers: np.ndarray) -> np.ndarray:
    """Centred and scaled so that float32, which trees work in, keeps what sets the numbers apart."""
    finite = numbers[np.isfinite(numbers)]
    low, median, high = np.quantile(finite, [0.25, 0.5, 0.75]) if len(finite) else (0.0, 0.0, 1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.clip((numbers - median) / (high - low or 1.0), -1e30, 1e30)


def _by_tree(numbers: np.ndarray, outcome: _Outcome) -> np.ndarray:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    target, folds = outcome.target, outcome.folds
    if outcome.task == "classification":
        depth = 3 + int(np.ceil(np.log2(max(target.max() + 1, 2))))
        tree = DecisionTreeClassifier(max_depth=depth, class_weight="balanced", random_state=0)
    else:
        tree = DecisionTreeRegressor(max_depth=6, min_samples_leaf=3, random_state=0)
    column, predicted = numbers.reshape(-1, 1), np.zeros_like(target)
    for fold in range(FOLDS):
        held = folds == fold
        predicted[held] = tree.fit(column[~held], target[~held]).predict(column[held])
    return predicted


def _by_table(codes: np.ndarray, levels: int, outcome: _Outcome) -> np.ndarray:
    """Prediction by the category's most typical class, or its mean; an unseen category says nothing."""
    predicted = np.zeros_like(outcome.target)
    for fold in range(FOLDS):
        fitted = outcome.folds != fold
        typical = _typical_class if outcome.task == "classification" else _mean
        predicted[~fitted] = typical(codes[fitted], outcome.target[fitted], levels)[codes[~fitted]]
    return predicted


def _typical_class(codes: np.ndarray, target: np.ndarray, distinct: int) -> np.ndarray:
    classes = int(target.max()) + 1
    counts = np.bincount(codes * classes + target, minlength=distinct * classes).reshape(distinct, classes)
    return (counts / np.maximum(np.bincount(target, minlength=classes), 1)).argmax(axis=1)


def _mean(codes: np.ndarray, target: np.ndarray, distinct: int) -> np.ndarray:
    counts = np.bincount(codes, minlength=distinct)
    sums = np.bincount(codes, target, minlength=distinct)
    return np.where(counts, sums / np.maximum(counts, 1), target.mean())


def _curve_scores(values: pd.Series, ranks: np.ndarray, outcome: _Outcome) -> dict[Method, Score]:
    """Scores on the rows that have a value: a column filled in only after the outcome is empty elsewhere."""
    present = ~absent_rows(values)[0]
    enough = present.sum() >= max(MIN_ROWS, PRESENT * len(present))
    if not enough or len(np.unique(outcome.units[present])) < MIN_ROWS:
        return {}
    numbers, ranks, there = values.to_numpy(dtype=float)[present], ranks[present], outcome.at(present)
    if len(np.unique(ranks)) < 3 or len(np.unique(there.target)) < 3:
        return {}
    return {
        "straight line": there.score(_line(numbers, there.target, there.folds)),
        "monotone curve": there.score(_monotone(ranks, there.target, there.folds)),
    }


def _line(numbers: np.ndarray, target: np.ndarray, folds: np.ndarray) -> np.ndarray:
    predicted = np.zeros_like(target)
    for fold in range(FOLDS):
        x, y = numbers[folds != fold], target[folds != fold]
        centred = x - x.mean()
        slope = (centred * (y - y.mean())).sum() / max((centred**2).sum(), np.finfo(float).tiny)
        predicted[folds == fold] = y.mean() + slope * (numbers[folds == fold] - x.mean())
    return predicted


def _monotone(ranks: np.ndarray, target: np.ndarray, folds: np.ndarray) -> np.ndarray:
    from sklearn.isotonic import IsotonicRegression

    rising = np.corrcoef(ranks, target)[0, 1] >= 0
    curve = IsotonicRegression(increasing=bool(rising), out_of_bounds="clip")
    predicted = np.zeros_like(target)
    for fold in range(FOLDS):
        predicted[folds == fold] = curve.fit(ranks[folds != fold], target[folds != fold]).predict(ranks[folds == fold])
    return predicted
