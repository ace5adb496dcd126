"""Determinism: without the traces of machine and moment that fitting leaves, equal rows give equal artefacts."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline


def remove_traces(pipeline: "Pipeline") -> None:
    """Leave in the fitted pipeline only what rows, declaration and libraries decide."""
    final = getattr(pipeline[-1], "regressor_", pipeline[-1])
    _predict_in_order(final)
    _forget_cores(final)
    for estimator in (final, *getattr(final, "named_estimators_", {}).values()):
        _forget_the_moment(estimator)


def _predict_in_order(estimator: "BaseEstimator") -> None:
    """Threads add up a forest's votes in the order they finish: declared jobs are for fitting only."""
    ours = type(estimator).__module__.startswith("sklearn.")
    if ours and estimator.get_params(deep=False).get("n_jobs") is not None:
        estimator.set_params(n_jobs=None)


def _forget_cores(estimator: object) -> None:
    """Histogram boosting notes the number of cores in a part that only fitting uses."""
    if mapper := getattr(estimator, "_bin_mapper", None):
        mapper.n_threads = 1


def _forget_the_moment(estimator: Any) -> None:
    """CatBoost notes the time, and a random name."""
    if type(estimator).__module__.startswith("catboost."):
        for key in ("train_finish_time", "model_guid"):
            estimator.get_metadata()[key] = ""
