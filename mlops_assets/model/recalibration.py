"""Recalibration: stated probabilities made to come true on validation rows, within the same pipeline."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from sklearn.base import BaseEstimator
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator
    from sklearn.pipeline import Pipeline

Method = Literal["sigmoid", "isotonic", "temperature"]
"""Platt 1999; Zadrozny and Elkan 2002; Guo et al. 2017."""

FOLDS = 5
FEWEST_OF_A_CLASS = 5
"""Rows of each class that scikit-learn's map needs, of those that a fold leaves."""


@dataclass(frozen=True, eq=False)
class Recalibration:
    """A pipeline whose probabilities were mapped, or left as they were where the map would not have helped."""

    pipeline: "Pipeline"
    method: str
    """``none`` where the probabilities were left."""
    note: str
    """What the map did to the log loss of rows that it was not made from."""


def recalibrated_if_better(
    pipeline: "Pipeline", method: Method, inputs: "pd.DataFrame", truth: "np.ndarray", identities: "np.ndarray"
) -> Recalibration:
    """``recalibrated``, where that lowers the log loss of held-out folds of these rows; else the pipeline as it is.

    Rows of equal ``identities`` belong together, and stay in one fold.
    """
    if not hasattr(pipeline, "predict_proba"):
        note = f"{method}: the estimator states no probabilities of its own"
        return Recalibration(recalibrated(pipeline, method, inputs, truth), method, note)
    losses = _held_out_losses(pipeline, method, inputs, truth, identities)
    if losses is None:
        note = f"{method}, not compared with leaving it: a fold leaves fewer than {FEWEST_OF_A_CLASS} rows of a class"
        return Recalibration(recalibrated(pipeline, method, inputs, truth), method, note)
    before, after = losses
    change = f"log loss {before:.4g} as stated, {after:.4g} on held-out folds of {len(truth):,} rows"
    if after >= before:
        return Recalibration(pipeline, "none", f"none, as {method} would not help: {change}")
    return Recalibration(recalibrated(pipeline, method, inputs, truth), method, f"{method}: {change}")


def _held_out_losses(
    pipeline: "Pipeline", method: Method, inputs: "pd.DataFrame", truth: "np.ndarray", identities: "np.ndarray"
) -> tuple[float, float] | None:
    """Log loss of the probabilities as stated, and as maps of the other folds make them; None of too few rows."""
    import numpy as np
    from sklearn.metrics import log_loss

    folds = _folds(truth, identities)
    left = [int((truth[others] == label).sum()) for others, _ in folds for label in pipeline.classes_]
    if not folds or min(left) < FEWEST_OF_A_CLASS:
        return None
    stated = pipeline.predict_proba(inputs)
    mapped = np.empty_like(stated, dtype=np.float64)
    for others, fold in folds:
        made = recalibrated(pipeline, method, inputs.iloc[others], truth[others])
        mapped[fold] = made.predict_proba(inputs.iloc[fold])
    classes = list(pipeline.classes_)
    return log_loss(truth, stated, labels=classes), log_loss(truth, mapped, labels=classes)


def _folds(truth: "np.ndarray", identities: "np.ndarray") -> "list[tuple[np.ndarray, np.ndarray]]":
    """The other rows and the rows of each fold; none where too few rows stand alone."""
    import numpy as np
    from sklearn.model_selection import StratifiedGroupKFold

    fewest = min(np.unique(truth, return_counts=True)[1])
    if min(fewest, len(np.unique(identities))) < FOLDS:
        return []
    return list(StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(truth, truth, identities))


def recalibrated(pipeline: "Pipeline", method: Method, inputs: "pd.DataFrame", truth: "np.ndarray") -> "Pipeline":
    """The fitted pipeline, its last step's probabilities mapped as these rows show; nothing else is fitted again.

    Every class must be in ``truth`` at least five times. The map is scikit-learn's.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    fitted = pipeline[-1]
    calibrated = CalibratedClassifierCV(FrozenEstimator(fitted), method=method)
    prepared = pipeline[:-1].transform(inputs)
    if method == "temperature":
        _fit_temperature(calibrated, prepared, truth, fitted.classes_)
    else:
        calibrated.fit(prepared, truth)
    calibrated.estimator = unfitted(fitted)
    return with_last_step(pipeline, calibrated)


def with_last_step(pipeline: "Pipeline", step: "BaseEstimator") -> "Pipeline":
    """The same fitted preparation before another fitted last step."""
    from sklearn.pipeline import Pipeline

    return Pipeline([*pipeline.steps[:-1], (pipeline.steps[-1][0], step)])


def is_ruled(step: object) -> bool:
    """Whether a last step recalibrates, or decides by a threshold, what a fitted estimator says."""
    from sklearn.frozen import FrozenEstimator

    return isinstance(getattr(step, "estimator", None), FrozenEstimator)


def unfitted(estimator: "BaseEstimator") -> "FrozenEstimator":
    """What a wrapper names as its parameter: the fitted copy is an attribute already, and would be stored twice."""
    from sklearn.base import clone
    from sklearn.frozen import FrozenEstimator

    return FrozenEstimator(clone(estimator))


def _fit_temperature(
    calibrated: "CalibratedClassifierCV", prepared: "np.ndarray", truth: "np.ndarray", classes: "np.ndarray"
) -> None:
    """scikit-learn 1.9 takes whole-number labels for positions among the classes, so it is given positions."""
    import numpy as np

    fitted: Any = calibrated.fit(prepared, np.searchsorted(classes, truth))
    fitted.classes_ = fitted.calibrated_classifiers_[0].classes = classes
