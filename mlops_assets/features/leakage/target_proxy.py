"""Target proxies: features without which the error of a model is implausibly larger.

A target copied with noise stays below the bound of a single feature, and still explains what all the others together
do not. A feature that alone explains nearly everything is therefore left out once: the cross-validated error of the
same small model with and without it is compared, row by row. The error is the squared one for numbers, which is
1 - R², and the Brier score for classes. Leaving one covariate out is LOCO (Lei et al., "Distribution-free predictive
inference for regression", JASA 2018).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlops_assets.features.leakage.functional_dependency import MIN_ROWS
from mlops_assets.features.leakage.single_feature import LOWER_END, folds_of
from mlops_assets.features.leakage.train_sample import TrainSample
from mlops_assets.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from mlops_assets.declaration.base import Task

FLOOR = 0.8
"""Share of the target that a feature must explain alone to be suspicious: R², or balanced accuracy above chance."""
SUSPECTS = 3
"""Most features that are left out in turn, the strongest."""
FOLDS = 3
TREES, LEAVES, RATE = 60, 15, 0.15
"""Size of the model, which several classes share, and its learning rate."""
GROUPS = 5
"""Classes that are distinguished; further ones are dealt out among them."""
CATEGORIES = 254
"""Most frequent categories that are distinguished; the rest is one."""
LARGEST = 1e30
"""Number that stands for infinity, which the model's quantiles cannot take."""
TINY = 1e-12
"""Error of a model that makes none, as a share of the target's variance."""


@dataclass(frozen=True)
class Proxy:
    """A suspicious feature, and the model's error with it and without."""

    feature: str
    score: float
    """What it says alone: R² or balanced accuracy."""
    error: float
    """Cross-validated error with the feature: 1 - R², or the Brier score."""
    error_without: float
    ratio: float
    assured: float
    """One-sided 99 % lower end of the ratio (delta method on the paired errors), which is judged."""


def no_proxy(sample: TrainSample) -> Verdict:
    """Whether the model's error stays of the same size without any one feature.

    A warning: an honest feature may carry a model. Reviewed exceptions (``leakage.allow``) are not suspected.
    """
    if sample.rows < MIN_ROWS or sample.values < 2:
        return _verdict(sample, "not evaluated", f"{sample.rows} distinct train rows show nothing", [])
    proxies = _judged(sample, _suspects(sample))
    accused = [proxy for proxy in proxies if proxy.assured > sample.declared.max_error_ratio]
    if accused:
        return _verdict(sample, "failed", _accusation(accused, sample), proxies)
    return _verdict(sample, "passed", _acquittal(proxies, sample), proxies)


def _suspects(sample: TrainSample) -> dict[str, float]:
    """Score of each feature that explains nearly everything alone."""
    classes = sample.values if sample.spec.task == "classification" else 0
    chance = 1 / classes if classes else 0.0
    scores = {
        score.feature: score.score
        for score in sample.single_feature_scores
        if score.score - chance >= FLOOR * (1 - chance) and score.feature not in sample.declared.allow
    }
    return dict(sorted(scores.items(), key=lambda item: -item[1])[:SUSPECTS])


def _judged(sample: TrainSample, suspects: dict[str, float]) -> list[Proxy]:
    """Each suspect left out in turn; one that is found out stays out, so that it hides no other."""
    from threadpoolctl import threadpool_limits

    kept, proxies = sample.features, []
    if not suspects or len(kept.columns) < 2:
        return proxies
    target = _target(sample)
    folds = folds_of(target, sample.spec.task, FOLDS)
    scale = float(np.var(target)) if sample.spec.task == "regression" else 1.0
    # The order of a sum, and so its last digits, would follow the number of threads.
    with threadpool_limits(limits=1):
        errors = _errors(kept, target, folds, sample.spec.task) / scale
        for name, score in suspects.items():
            rest = kept.drop(columns=name)
            if rest.empty:
                break
            without = _errors(rest, target, folds, sample.spec.task) / scale
            proxies.append(_compared(name, score, errors, without))
            if proxies[-1].assured > sample.declared.max_error_ratio:
                kept, errors = rest, without
    return proxies


def _compared(name: str, score: float, errors: np.ndarray, without: np.ndarray) -> Proxy:
    error, more = max(float(errors.mean()), TINY), max(float(without.mean()), TINY)
    ratio = more / error
    # On the logarithm, where a ratio is symmetric.
    deviation = np.std(without / more - errors / error) / np.sqrt(len(errors))
    return Proxy(name, score, error, more, ratio, float(ratio * np.exp(-LOWER_END * deviation)))


def _target(sample: TrainSample) -> np.ndarray:
    if sample.spec.task == "regression":
        return sample.target.astype(float)
    codes = np.unique(sample.target, return_inverse=True)[1]
    return _frequency_rank(codes) % GROUPS


def _errors(features: pd.DataFrame, target: np.ndarray, folds: np.ndarray, task: "Task") -> np.ndarray:
    """Squared error, or Brier score, of each row under the model fitted on the other folds; shape (n,)."""
    table, categorical = _encoded(features)
    errors = np.zeros(len(target))
    for fold in range(FOLDS):
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


def _verdict(sample: TrainSample, outcome: Outcome, reason: str, proxies: list[Proxy]) -> Verdict:
    bound = sample.declared.max_error_ratio
    return Verdict(
        name="no_proxy",
        outcome=outcome,
        severity="warn",
        reason=reason,
        value=round(max(proxy.assured for proxy in proxies), 6) if proxies else None,
        bound=bound,
        rows=sample.rows,
        details={
            "columns": [proxy.feature for proxy in proxies if proxy.assured > bound],
            "suspects": [_row(proxy) for proxy in proxies],
        },
    )


def _row(proxy: Proxy) -> dict[str, object]:
    numbers = {name: round(value, 6) for name, value in vars(proxy).items() if name != "feature"}
    return {"feature": proxy.feature, **numbers}


def _accusation(accused: list[Proxy], sample: TrainSample) -> str:
    listed = ". ".join(f"Without {proxy.feature!r} {_compared_in_words(proxy, sample)}" for proxy in accused)
    return (
        f"{listed}; up to {sample.declared.max_error_ratio:g} times is plausible. Remedy: find out when its value is "
        "known; leave it out (features.exclude) or, reviewed, list it in features.leakage.allow"
    )


def _acquittal(proxies: list[Proxy], sample: TrainSample) -> str:
    if not proxies:
        return f"no feature explains {FLOOR:.0%} of the target alone, or there is no other to compare it with"
    proxy = max(proxies, key=lambda proxy: proxy.assured)
    bound = sample.declared.max_error_ratio
    return f"without {proxy.feature!r} {_compared_in_words(proxy, sample)}, up to {bound:g} times is plausible"


def _compared_in_words(proxy: Proxy, sample: TrainSample) -> str:
    error = "1 - R²" if sample.spec.task == "regression" else "the Brier score"
    return (
        f"{error} is {proxy.error_without:.4f} instead of {proxy.error:.4f} "
        f"({proxy.ratio:.2f} times, at least {proxy.assured:.2f})"
    )
