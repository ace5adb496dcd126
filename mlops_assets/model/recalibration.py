"""Recalibration: stated probabilities made to come true on validation rows, within the same pipeline."""

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
