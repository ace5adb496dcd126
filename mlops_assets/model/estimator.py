"""The declared estimator: imported, checked and seeded."""

import inspect
from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING

from mlops_assets.declaration.base import load_object, one_of
from mlops_assets.errors import SpecError

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from mlops_assets.declaration.spec import SystemSpec

DEFAULTS = {
    "classification": "sklearn.ensemble.HistGradientBoostingClassifier",
    "regression": "sklearn.ensemble.HistGradientBoostingRegressor",
}

QUIET: dict[str, dict[str, object]] = {
    "catboost": {"allow_writing_files": False, "verbose": 0},
    "lightgbm": {"verbose": -1},
}
"""Boosters that would otherwise print, or write files beside the run."""


def estimator_path(spec: "SystemSpec") -> str:
    """Dotted path of the estimator that the declaration means."""
    return spec.model.estimator or DEFAULTS[spec.task]


def check_estimator(spec: "SystemSpec") -> None:
    """Show, without fitting, that the declared model can be built.

    Raises:
        MissingExtra: if the estimator's library is an optional extra that is not installed.
        SpecError: if estimator or transformer does not import, is not one for the task, or refuses a declared
            parameter's name or value.
    """
    estimator = make_estimator(spec)
    _check_task(spec, estimator)
    _check_values(spec, estimator)
    _check_probabilities(spec, estimator)
    if spec.model.transformer:
        make_transformer(spec)


def make_estimator(spec: "SystemSpec") -> "BaseEstimator":
    """The unfitted estimator with its declared parameters and seed."""
    kind = _estimator_class(spec)
    where = f"{spec.name}: model.params"
    _check_names(where, kind, spec.model.params)
    try:
        return kind(**effective_params(spec))
    except (TypeError, ValueError) as error:
        raise SpecError(f"{where}: {kind.__name__} refuses {spec.model.params!r}: {error}") from error


def effective_params(spec: "SystemSpec") -> dict[str, object]:
    """Declared parameters, and the seed under each name the estimator has for one."""
    kind = _estimator_class(spec)
    known = parameter_names(kind)
    seeded = {"random_state": spec.model.seed} if "random_state" in known else {}
    return {**QUIET.get(kind.__module__.split(".")[0], {}), **seeded, **spec.model.params}


def make_transformer(spec: "SystemSpec") -> "BaseEstimator":
    """The unfitted declared transformer; frames come out of it where it can give them."""
    path = spec.model.transformer
    where = f"{spec.name}: model.transformer"
    kind = load_object(path or "", where)
    if not _is_class_with(kind, "fit", "transform"):
        raise SpecError(f"{where}: {path!r} is not a scikit-learn transformer class (it needs fit and transform)")
    try:
        transformer = kind()
    except TypeError as error:
        raise SpecError(f"{where}: {path!r} cannot be made without arguments: {error}") from error
    return transformer.set_output(transform="pandas") if hasattr(transformer, "set_output") else transformer


def parameter_names(kind: type) -> set[str]:
    """Every parameter that an estimator class takes."""
    signature = inspect.signature(kind).parameters.values()
    names = {p.name for p in signature if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    if any(p.kind is p.VAR_KEYWORD for p in signature):
        names |= set(kind().get_params()) | _lightgbm_names(kind)
    return names


def _estimator_class(spec: "SystemSpec") -> "type[BaseEstimator]":
    path = estimator_path(spec)
    where = f"{spec.name}: model.estimator"
    kind = load_object(path, where)
    if not _is_class_with(kind, "fit", "predict", "get_params"):
        raise SpecError(f"{where}: {path!r} is not a scikit-learn estimator class (it needs fit, predict, get_params)")
    return kind


def _is_class_with(kind: object, *methods: str) -> bool:
    return inspect.isclass(kind) and all(hasattr(kind, method) for method in methods)


def _lightgbm_names(kind: type) -> set[str]:
    if kind.__module__.split(".")[0] != "lightgbm":
        return set()
    from lightgbm.basic import _ConfigAliases  # the library's own table of what ``**kwargs`` may name

    aliases = _ConfigAliases._get_all_param_aliases()
    return set(aliases).union(*aliases.values())


def _check_names(where: str, kind: type, params: Mapping[str, object]) -> None:
    known = parameter_names(kind)
    for name in params:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise SpecError(f"{where}: {kind.__name__} has no parameter {name!r}.{hint} Parameters: {one_of(known)}")


def _check_task(spec: "SystemSpec", estimator: "BaseEstimator") -> None:
    from sklearn.base import is_classifier, is_regressor

    fits = is_classifier if spec.task == "classification" else is_regressor
    if not fits(estimator):
        required = "classifier" if spec.task == "classification" else "regressor"
        raise SpecError(
            f"{spec.name}: model.estimator: {estimator_path(spec)!r} is not a {required}, "
            f"which the task {spec.task!r} needs"
        )


def _check_values(spec: "SystemSpec", estimator: "BaseEstimator") -> None:
    if not hasattr(estimator, "_parameter_constraints"):
        return
    try:
        estimator._validate_params()
    except ValueError as error:
        raise SpecError(f"{spec.name}: model.params: {error}") from error


def _check_probabilities(spec: "SystemSpec", estimator: "BaseEstimator") -> None:
    """Whether what is declared to be chosen by probabilities has some to go by."""
    stated = hasattr(estimator, "predict_proba")
    name = type(estimator).__name__
    if spec.model.calibration != "none" and not (stated or hasattr(estimator, "decision_function")):
        raise SpecError(f"{spec.name}: model.calibration: {name} gives neither probabilities nor a decision function")
    if spec.model.threshold and spec.model.calibration == "none" and not stated:
        raise SpecError(f"{spec.name}: model.threshold: {name} gives no probabilities. Remedy: calibration: sigmoid")
