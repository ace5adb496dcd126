"""Target proxies: features that look like the target with errors.

A target copied with noise stays below the bound of a single feature, and still explains what all the others together
do not. A strong feature is therefore left out once: the cross-validated error of the same small model with and without
it is compared, row by row, over all rows and over those in which it has a value at all. The error is the squared one
for numbers, which is 1 - R², and the Brier score for classes. Leaving one covariate out is LOCO (Lei et al.,
"Distribution-free predictive inference for regression", JASA 2018). Beside it stand a class copied with errors, which
go with nothing, and an amount that is another than 0 for one class alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mlops_assets.features.leakage.flipped_label import FlippedLabel, flipped_labels
from mlops_assets.features.leakage.functional_dependency import MIN_ROWS
from mlops_assets.features.leakage.leave_out import held_out_errors, modelled_target
from mlops_assets.features.leakage.presence import absent_rows, presence_evidence, presence_text
from mlops_assets.features.leakage.score_interval import LOWER_END
from mlops_assets.features.leakage.single_feature import PRESENT, folds_of
from mlops_assets.features.leakage.train_sample import TrainSample
from mlops_assets.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from mlops_assets.declaration.base import Task

FLOOR, NEARLY_ALL = 0.5, 0.8
"""Shares of the target that a feature must explain alone to be suspicious (R², or balanced accuracy above chance): from
the first on if the model's error with nothing else is smaller than with all the others, from the second on always."""
SUSPECTS = 3
"""Most features that are left out in turn, the strongest."""
FOLDS = 3
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
    error_alone: float
    """With the feature and nothing else; not fitted, but that without it, where leaving it out costs nothing."""
    ratio: float
    assured: float
    """One-sided 99 % lower end of the ratio (delta method on the paired errors), which is judged."""
    rows: int
    """Rows compared: all, or those in which the feature has a value where that shows more."""


def no_proxy(sample: TrainSample) -> Verdict:
    """Whether no feature looks like the target with errors: without any one the model's error stays of the same size.

    A warning: an honest feature may carry a model. Reviewed exceptions (``leakage.allow``) are not suspected.
    """
    if sample.rows < MIN_ROWS or sample.values < 2:
        return _verdict(sample, "not evaluated", f"{sample.rows} train rows show nothing", [], {})
    copies = _copies(sample)
    proxies = _judged(sample, {name: score for name, score in _suspects(sample).items() if name not in copies})
    accused = [proxy for proxy in proxies if _implausible(proxy, sample)]
    if accused or copies:
        return _verdict(sample, "failed", _accusation(accused, copies, sample), proxies, copies)
    return _verdict(sample, "passed", _acquittal(proxies, sample), proxies, copies)


def _suspects(sample: TrainSample) -> dict[str, float]:
    """Score of each strong feature, the strongest first."""
    scores = {
        score.feature: score.score
        for score in sample.single_feature_scores
        if _share(score.score, sample) >= FLOOR and score.feature not in sample.declared.allow
    }
    return dict(sorted(scores.items(), key=lambda item: -item[1])[:SUSPECTS])


def _share(score: float, sample: TrainSample) -> float:
    """R², or how far balanced accuracy is above chance."""
    chance = 1 / sample.values if sample.spec.task == "classification" else 0.0
    return (score - chance) / (1 - chance)


def _implausible(proxy: Proxy, sample: TrainSample) -> bool:
    bound = sample.declared.max_error_ratio
    strong = _share(proxy.score, sample) >= NEARLY_ALL or proxy.error_alone * bound < proxy.error_without
    return strong and proxy.assured > bound


def _copies(sample: TrainSample) -> dict[str, str]:
    """Features that are the class with errors, or have an amount for one class alone; and what shows it."""
    if sample.spec.task == "regression":
        return {}
    rows, target = sample.without_copies, sample.spec.dataset.target
    features, labels = sample.features.iloc[rows], sample.target[rows]
    reasons = {flipped.feature: _flipped_text(flipped, target) for flipped in flipped_labels(features, labels)}
    for name, values in features.items():
        evidence = presence_evidence(values, labels)
        if evidence and evidence.filler is not None:
            reasons[str(name)] = presence_text(evidence, target)
    return {name: why for name, why in reasons.items() if name not in sample.declared.allow}


@dataclass(eq=False)
class _Trials:
    """Errors of the small model on ``n`` rows with various features, each fitted once."""

    features: pd.DataFrame
    target: np.ndarray
    units: np.ndarray
    task: "Task"
    known: dict[tuple[str, ...], np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, sample: TrainSample, rows: np.ndarray, outcome: np.ndarray) -> "_Trials":
        units = np.unique(sample.units[rows], return_inverse=True)[1]
        target = modelled_target(outcome[rows], sample.spec.task)
        return cls(sample.features.iloc[rows], target, units, sample.spec.task)

    def errors(self, names: list[str]) -> np.ndarray:
        """Of each row, as a share of the target's variance or a Brier score; shape (n,)."""
        key = tuple(names)
        if key not in self.known:
            scale = max(float(np.var(self.target)), 1e-300) if self.task == "regression" else 1.0
            folds = folds_of(self.target, self.task, self.units, FOLDS)
            features = self.features.loc[:, names]
            self.known[key] = held_out_errors(features, self.target, folds, self.task) / scale
        return self.known[key]

    def proxy(self, name: str, score: float, kept: list[str]) -> Proxy:
        """The comparison of the model with the features ``kept`` and without ``name``."""
        errors, without = self.errors(kept), self.errors([other for other in kept if other != name])
        error, more = max(float(errors.mean()), TINY), max(float(without.mean()), TINY)
        # On the logarithm, where a ratio is symmetric; copies are one observation.
        sums = np.bincount(self.units, without / more - errors / error)
        deviation = np.sqrt((sums**2).sum()) / len(errors)
        ratio = more / error
        lower = float(ratio * np.exp(-LOWER_END * deviation))
        alone = float(self.errors([name]).mean()) if ratio > 1 else more
        return Proxy(name, score, error, more, alone, ratio, lower, len(errors))


def _judged(sample: TrainSample, suspects: dict[str, float]) -> list[Proxy]:
    """Each suspect left out in turn; what is found out stays out, so that it hides no other."""
    from threadpoolctl import threadpool_limits

    out = {*sample.target_copies, *sample.identifiers} - set(sample.declared.allow)
    kept = [str(name) for name in sample.features.columns if name not in out]
    everywhere, proxies = _Trials.of(sample, np.arange(sample.rows), sample.target), []
    # The order of a sum, and so its last digits, would follow the number of threads.
    with threadpool_limits(limits=1):
        for name, score in suspects.items():
            if name in out or len(kept) < 2:
                continue
            trials = [everywhere, *_where_present(name, sample)]
            proxy = max((trial.proxy(name, score, kept) for trial in trials), key=lambda proxy: proxy.assured)
            proxies.append(proxy)
            if _implausible(proxy, sample):
                kept = [other for other in kept if other != name]
    return proxies


def _where_present(name: str, sample: TrainSample) -> Iterator[_Trials]:
    """The rows that have a value, if others have none.

    Of a few rows the largest targets decide: positive ones are compared by their logarithms, too.
    """
    present = np.flatnonzero(~absent_rows(pd.Series(sample.features[name]))[0])
    if max(MIN_ROWS, PRESENT * sample.rows) <= len(present) < sample.rows:
        yield _Trials.of(sample, present, sample.target)
        if sample.spec.task == "regression" and (sample.target > 0).all():
            yield _Trials.of(sample, present, np.log(sample.target))


def _verdict(
    sample: TrainSample, outcome: Outcome, reason: str, proxies: list[Proxy], copies: dict[str, str]
) -> Verdict:
    bound = sample.declared.max_error_ratio
    accused = [proxy.feature for proxy in proxies if _implausible(proxy, sample)]
    return Verdict(
        name="no_proxy",
        outcome=outcome,
        severity="warn",
        reason=reason,
        value=round(max(proxy.assured for proxy in proxies), 6) if proxies else None,
        bound=bound,
        rows=sample.rows,
        details={
            "columns": [*accused, *copies],
            "suspects": [_row(proxy) for proxy in proxies],
            "copies": [{"feature": name, "reason": why} for name, why in copies.items()],
        },
    )


def _row(proxy: Proxy) -> dict[str, object]:
    numbers = {name: round(value, 6) for name, value in vars(proxy).items() if name != "feature"}
    return {"feature": proxy.feature, **numbers}


def _accusation(accused: list[Proxy], copies: dict[str, str], sample: TrainSample) -> str:
    bound = sample.declared.max_error_ratio
    listed = [f"{name!r}: {why}" for name, why in copies.items()]
    listed += [f"Without {proxy.feature!r} {_compared_in_words(proxy, sample)}" for proxy in accused]
    plausible = f"; up to {bound:g} times is plausible" if accused else ""
    return (
        f"{'. '.join(listed)}{plausible}. Remedy: find out when its value is "
        "known; leave it out (features.exclude) or, reviewed, list it in features.leakage.allow"
    )


def _acquittal(proxies: list[Proxy], sample: TrainSample) -> str:
    if not proxies:
        return f"no feature explains {FLOOR:.0%} of the target alone, or there is no other to compare it with"
    bound = sample.declared.max_error_ratio
    plausible = [proxy for proxy in proxies if proxy.assured <= bound]
    if not plausible:
        return f"no feature explains {NEARLY_ALL:.0%} of the target alone, or more than all the others together"
    proxy = max(plausible, key=lambda proxy: proxy.assured)
    return f"without {proxy.feature!r} {_compared_in_words(proxy, sample)}, up to {bound:g} times is plausible"


def _compared_in_words(proxy: Proxy, sample: TrainSample) -> str:
    error = "1 - R²" if sample.spec.task == "regression" else "the Brier score"
    where = "" if proxy.rows == sample.rows else f" over the {proxy.rows} rows where it has a value"
    return (
        f"{error} is {proxy.error_without:.4f} instead of {proxy.error:.4f}{where} "
        f"({proxy.ratio:.2f} times, at least {proxy.assured:.2f})"
    )


def _flipped_text(flipped: FlippedLabel, target: str) -> str:
    return (
        f"it is {target} in {flipped.agreement:.0%} of the rows, as often in every class, and of the {flipped.others} "
        "features that tell the class none tells where it errs: likely the class with errors"
    )
