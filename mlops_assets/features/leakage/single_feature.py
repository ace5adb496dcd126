"""Single features: how much of the target each gives away on its own.

Scores are cross-validated: balanced accuracy for classes, R² for numbers. They come from a shallow tree, a table of
the target by category, and for numbers a straight line and a monotone curve.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from mlops_assets.features.leakage.functional_dependency import MIN_ROWS, meets_one_value, rises_together

if TYPE_CHECKING:
    from mlops_assets.declaration.base import Task

FOLDS = 5
LOWER_END = 2.326
"""Normal quantile of a one-sided 99 % bound: a sound feature of a small table must not stand accused by chance."""

Score = tuple[float, float]
"""A score, and where it is judged."""
Method = Literal["tree", "category table", "straight line", "monotone curve"]


@dataclass(frozen=True)
class SingleFeatureScore:
    """What one feature says about the target."""

    feature: str
    score: float
    """Balanced accuracy or R² on rows not fitted on; 0 where nothing could be fitted."""
    assured: float
    """Where the score is judged: R² at its one-sided 99 % lower end, since on few rows it hangs on the largest
    targets; balanced accuracy as it is."""
    method: Method
    is_function: bool
    """Whether, beyond chance, each value of the feature stands for one value of the target: repeated values always
    meet the same one, or both rise and fall together without exception."""


def single_feature_scores(features: pd.DataFrame, target: np.ndarray, task: "Task") -> list[SingleFeatureScore]:
    """One score per feature, strongest first; ``target`` has shape (n,), rows should be distinct."""
    target = np.unique(target, return_inverse=True)[1] if task == "classification" else target.astype(float)
    folds = folds_of(target, task)
    scores = [_single_feature_score(str(name), values, target, folds, task) for name, values in features.items()]
    return sorted(scores, key=lambda score: -score.assured)


def folds_of(target: np.ndarray, task: "Task", number: int = FOLDS) -> np.ndarray:
    """Fold of each row, shuffled; every class (``target`` holds positions) is dealt out evenly."""
    shuffled = np.random.default_rng(0).permutation(len(target))
    if task == "classification":
        shuffled = shuffled[np.argsort(target[shuffled], kind="stable")]
    folds = np.empty(len(target), dtype=np.int64)
    folds[shuffled] = np.arange(len(target)) % number
    return folds


def _single_feature_score(
    name: str, values: pd.Series, target: np.ndarray, folds: np.ndarray, task: "Task"
) -> SingleFeatureScore:
    codes, distinct = pd.factorize(values, sort=values.dtype != object)
    scores = _scores(values, codes, len(distinct), target, folds, task)
    method = max(scores, key=lambda name: scores[name])
    ordered = values.dtype != object and task == "regression" and rises_together(codes, target)
    return SingleFeatureScore(name, *scores[method], method, ordered or meets_one_value(codes, target))


def _scores(
    values: pd.Series, codes: np.ndarray, distinct: int, target: np.ndarray, folds: np.ndarray, task: "Task"
) -> dict[Method, Score]:
    if values.dtype == object:
        return {"category table": _table_score(codes, distinct, target, folds, task)}
    numbers = values.to_numpy()
    scores: dict[Method, Score] = {"tree": _tree_score(_for_trees(numbers), target, folds, task)}
    if task == "regression":
        scores |= _curve_scores(numbers, codes, target, folds)
    return scores


def _for_trees(numbers: np.ndarray) -> np.ndarray:
    """Centred and scaled so that float32, which trees work in, keeps what sets the numbers apart."""
    finite = numbers[np.isfinite(numbers)]
    low, median, high = np.quantile(finite, [0.25, 0.5, 0.75]) if len(finite) else (0.0, 0.0, 1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.clip((numbers - median) / (high - low or 1.0), -1e30, 1e30)


def _tree_score(numbers: np.ndarray, target: np.ndarray, folds: np.ndarray, task: "Task") -> Score:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if task == "classification":
        depth = 3 + int(np.ceil(np.log2(max(target.max() + 1, 2))))
        tree = DecisionTreeClassifier(max_depth=depth, class_weight="balanced", random_state=0)
    else:
        tree = DecisionTreeRegressor(max_depth=6, min_samples_leaf=3, random_state=0)
    column, predicted = numbers.reshape(-1, 1), np.zeros_like(target)
    for fold in range(FOLDS):
        held = folds == fold
        predicted[held] = tree.fit(column[~held], target[~held]).predict(column[held])
    return _score(predicted, target, task)


def _table_score(codes: np.ndarray, distinct: int, target: np.ndarray, folds: np.ndarray, task: "Task") -> Score:
    """Prediction by the category's most typical class, or its mean; an unseen category says nothing."""
    predicted = np.zeros_like(target)
    for fold in range(FOLDS):
        fitted = folds != fold
        table = (_typical_class if task == "classification" else _mean)(codes[fitted], target[fitted], distinct)
        predicted[~fitted] = table[codes[~fitted]]
    return _score(predicted, target, task)


def _typical_class(codes: np.ndarray, target: np.ndarray, distinct: int) -> np.ndarray:
    classes = int(target.max()) + 1
    counts = np.bincount(codes * classes + target, minlength=distinct * classes).reshape(distinct, classes)
    return (counts / np.maximum(np.bincount(target, minlength=classes), 1)).argmax(axis=1)


def _mean(codes: np.ndarray, target: np.ndarray, distinct: int) -> np.ndarray:
    counts = np.bincount(codes, minlength=distinct)
    sums = np.bincount(codes, target, minlength=distinct)
    return np.where(counts, sums / np.maximum(counts, 1), target.mean())


def _curve_scores(numbers: np.ndarray, ranks: np.ndarray, target: np.ndarray, folds: np.ndarray) -> dict[Method, Score]:
    """Scores on the rows that have a value: a column filled in only after the outcome is empty elsewhere."""
    present = np.isfinite(numbers) & (np.abs(numbers) < 1e150)
    enough = present.sum() >= max(MIN_ROWS, 0.1 * len(numbers))
    if not enough or len(np.unique(ranks[present])) < 3 or len(np.unique(target[present])) < 3:
        return {}
    numbers, ranks, target, folds = numbers[present], ranks[present], target[present], folds[present]
    return {
        "straight line": _score(_line(numbers, target, folds), target, "regression"),
        "monotone curve": _score(_monotone(ranks, target, folds), target, "regression"),
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


def _score(predicted: np.ndarray, target: np.ndarray, task: "Task") -> Score:
    return _r2(predicted, target) if task == "regression" else _balanced_accuracy(predicted, target)


def _r2(predicted: np.ndarray, target: np.ndarray) -> Score:
    """R² with its lower end by the delta method for a ratio of sums."""
    errors, spread = (target - predicted) ** 2, (target - target.mean()) ** 2
    total = max(spread.sum(), 1e-300)
    lost = errors.sum() / total
    deviation = np.sqrt(len(target) * np.var(errors - lost * spread)) / total
    return float(1 - lost), float(1 - lost - LOWER_END * deviation)


def _balanced_accuracy(predicted: np.ndarray, target: np.ndarray) -> Score:
    counts = np.bincount(target)
    learnable = counts >= FOLDS  # a class with fewer rows is absent from some fold's fit
    hits = np.bincount(target[predicted == target], minlength=len(counts))
    score = float((hits[learnable] / counts[learnable]).mean()) if learnable.sum() > 1 else 0.0
    return score, score
