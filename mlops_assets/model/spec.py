"""What a system declares about its model."""

from typing import Any, Literal

from pydantic import Field

from mlops_assets.declared import Declared, DottedPath


class NumericSpec(Declared):
    """Preparation of numeric features, fitted on train rows inside the model's pipeline."""

    impute: Literal["median", "mean", "none"] = "median"
    """How empty cells are filled; ``none`` passes them to the estimator."""
    scale: Literal["auto", "standard", "robust", "none"] = "auto"
    """``auto``: standard, except before trees, which do not need it."""


class CategoricalSpec(Declared):
    """Preparation of categorical features, fitted on train rows inside the model's pipeline."""

    encode: Literal["one_hot", "ordinal"] = "one_hot"
    """Encoding; a category not seen in training becomes all zeros (one_hot) or -1 (ordinal)."""
    min_frequency: int | None = Field(default=None, ge=1)
    """Categories rarer than this share one column (one_hot)."""


class ModelSpec(Declared):
    """One pipeline of preparation and estimator."""

    estimator: DottedPath | None = None
    """Any scikit-learn estimator; by default histogram gradient boosting for the task."""
    params: dict[str, Any] = {}
    """Arguments of the estimator; ``random_state`` is set from ``seed`` where the estimator has one."""
    seed: int = Field(default=42, ge=0)
    """Seed of everything random in training."""
    target_transform: Literal["none", "log"] = "none"
    """``log``: a regression learns the logarithm of the target, which must be above 0, and predicts the target itself.
    There is then no ONNX copy."""
    transformer: DottedPath | None = None
    """Scikit-learn transformer class fitted before everything else, inside the pipeline."""
    numeric: NumericSpec = NumericSpec()
    """Preparation of numeric features."""
    categorical: CategoricalSpec = CategoricalSpec()
    """Preparation of categorical features."""
    onnx: Literal["auto", "required", "off"] = "auto"
    """``auto``: an ONNX copy where it converts and predicts equally; ``required``: fail without one."""
