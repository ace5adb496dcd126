"""The pipeline: transformer, preparation and estimator as one artefact."""

from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_assets.errors import SpecError
from mlops_assets.model.estimator import make_estimator, make_transformer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sklearn.base import BaseEstimator
    from sklearn.compose import ColumnTransformer, make_column_selector
    from sklearn.pipeline import Pipeline

    from mlops_assets.declaration.spec import SystemSpec
    from mlops_assets.features.version import FeatureColumn, FeaturesVersion, Label
    from mlops_assets.model.spec import CategoricalSpec, NumericSpec

MISSING = "missing"
"""The category that an empty categorical cell becomes."""

TREE_MODULES = (
    "catboost.",
    "lightgbm.",
    "sklearn.ensemble._forest",
    "sklearn.ensemble._gb",
    "sklearn.ensemble._hist_gradient_boosting.",
    "sklearn.tree.",
    "xgboost.",
)


def make_pipeline(spec: "SystemSpec", features: "FeaturesVersion") -> "Pipeline":
    """The unfitted pipeline that ``spec`` declares."""
    estimator = make_estimator(spec)
    scale = spec.model.numeric.scale
    if scale == "auto":
        scale = "none" if is_tree_based(estimator) else "standard"
    return _pipeline(spec, features, scale, _answering(estimator, spec, features))


def make_baselines(spec: "SystemSpec", features: "FeaturesVersion") -> "dict[str, Pipeline]":
    """What a model is held against: ``linear``, scaled. The best constants need no fitting: ``ConstantGuess``."""
    from sklearn.linear_model import LogisticRegression, Ridge

    linear = LogisticRegression(max_iter=1000) if spec.task == "classification" else Ridge()
    return {"linear": _pipeline(spec, features, "standard", linear, impute="median")}


def is_tree_based(estimator: "BaseEstimator") -> bool:
    """Whether the estimator splits on single features, so that scaling changes nothing."""
    return any(f"{base.__module__}.".startswith(TREE_MODULES) for base in type(estimator).__mro__)


def with_any_labels(estimator: "BaseEstimator", classes: "Sequence[Label] | None") -> "BaseEstimator":
    """The estimator, able to predict the original labels.

    XGBoost wants the labels 0..k-1; CatBoost renames booleans and gives labels as a table. A soft vote of one
    encodes and decodes them.
    """
    from sklearn.ensemble import VotingClassifier

    library = type(estimator).__module__.split(".")[0]
    if classes is None or not (library == "catboost" or (library == "xgboost" and not _are_positions(classes))):
        return estimator
    return VotingClassifier([("estimator", estimator)], voting="soft", flatten_transform=False)


def on_logarithms(estimator: "BaseEstimator") -> "BaseEstimator":
    """The estimator, fitted to the logarithm of the target and predicting the target itself."""
    from sklearn.compose import TransformedTargetRegressor

    # The check of the inverse would warn of rounding, and fit on a sample first.
    return TransformedTargetRegressor(estimator, func=np.log, inverse_func=np.exp, check_inverse=False)


def _answering(estimator: "BaseEstimator", spec: "SystemSpec", features: "FeaturesVersion") -> "BaseEstimator":
    if spec.model.target_transform == "none":
        return with_any_labels(estimator, features.classes)
    if spec.task == "classification":
        raise SpecError(
            f"{spec.name}: model.target_transform {spec.model.target_transform!r} is for regression. Remedy: none"
        )
    return on_logarithms(estimator)


def _are_positions(classes: "Sequence[Label]") -> bool:
    return list(classes) == list(range(len(classes))) and not isinstance(classes[0], bool)


def _pipeline(
    spec: "SystemSpec", features: "FeaturesVersion", scale: str, estimator: "BaseEstimator", impute: str | None = None
) -> "Pipeline":
    from sklearn.pipeline import Pipeline

    numeric = spec.model.numeric.model_copy(update={"scale": scale, "impute": impute or spec.model.numeric.impute})
    steps: list[tuple[str, BaseEstimator]] = [("transform", make_transformer(spec))] if spec.model.transformer else []
    columns = None if spec.model.transformer else features.columns
    steps.append(("prepare", _preparation(numeric, spec.model.categorical, columns)))
    return Pipeline([*steps, ("estimator", estimator)])


def _preparation(
    numeric: "NumericSpec", categorical: "CategoricalSpec", columns: "list[FeatureColumn] | None"
) -> "ColumnTransformer":
    from sklearn.compose import ColumnTransformer

    parts = [
        ("numeric", _numeric(numeric), _selection(columns, "numeric")),
        ("categorical", _categorical(categorical), _selection(columns, "categorical")),
    ]
    return ColumnTransformer([part for part in parts if part[2]], sparse_threshold=0)


def _selection(columns: "list[FeatureColumn] | None", kind: str) -> "list[str] | make_column_selector":
    """Names of the columns of a kind; by type where a transformer decides what columns there are."""
    from sklearn.compose import make_column_selector

    if columns is not None:
        return [column.name for column in columns if column.kind == kind]
    numeric = kind == "numeric"
    return make_column_selector(
        dtype_include="number" if numeric else None, dtype_exclude=None if numeric else "number"
    )


def _numeric(spec: "NumericSpec") -> "Pipeline | str":
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import RobustScaler, StandardScaler

    steps: list[tuple[str, BaseEstimator]] = []
    if spec.impute != "none":
        # A column that is empty in training stays, so that the number of inputs never depends on the data.
        steps.append(("impute", SimpleImputer(strategy=spec.impute, keep_empty_features=True)))
    if spec.scale != "none":
        steps.append(("scale", RobustScaler() if spec.scale == "robust" else StandardScaler()))
    return Pipeline(steps) if steps else "passthrough"


def _categorical(spec: "CategoricalSpec") -> "Pipeline":
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

    def fill(empty: Any) -> SimpleImputer:
        return SimpleImputer(missing_values=empty, strategy="constant", fill_value=MISSING, keep_empty_features=True)

    encode = (
        OneHotEncoder(handle_unknown="ignore", min_frequency=spec.min_frequency, sparse_output=False)
        if spec.encode == "one_hot"
        else OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    )
    return Pipeline([("impute_nan", fill(np.nan)), ("impute_none", fill(None)), ("encode", encode)])
