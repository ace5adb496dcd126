"""Conversion of a fitted pipeline to an ONNX graph that computes in double precision, as scikit-learn does.

skl2onnx alone misses the bound of 1e-5 in four places, each mended here: ONNX Runtime has no imputer for doubles;
scikit-learn's trees and XGBoost see their inputs as 32-bit floats; histogram boosting and LightGBM compare doubles
with thresholds that the converters round to 32 bits; and tree ensembles answer in floats where doubles are announced.
"""

import copy
import json
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from mlops_assets.errors import MlopsError
from mlops_assets.model.onnx_operators import OPSETS, converters, register_booster, shapes

if TYPE_CHECKING:
    from onnx import ModelProto
    from sklearn.base import BaseEstimator
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

SINGLE_PRECISION = ("sklearn.ensemble._forest", "sklearn.ensemble._gb", "sklearn.tree.", "xgboost.")
"""Estimators that compare their inputs as 32-bit floats."""


class CannotConvert(MlopsError):
    """No equal ONNX copy of this pipeline can be made, and why."""


def to_onnx(pipeline: "Pipeline") -> "ModelProto":
    """The pipeline as an ONNX model with one input per feature, ``c0`` … in order; text where a category is expected.

    An empty categorical cell is given as the text ``missing``. The model's metadata tells the features, the classes,
    whether labels are given as positions among them, and whether there are probabilities.

    Raises:
        CannotConvert: if a part of the pipeline has no ONNX form.
    """
    if [name for name, _ in pipeline.steps] != ["prepare", "estimator"]:
        raise CannotConvert(f"the step {type(pipeline[0]).__name__} has no ONNX form")
    try:
        model = _convert(pipeline)
    except Exception as error:  # the converters raise whatever they like for what they do not know
        reason = str(error).strip().split("\n")[0]
        raise CannotConvert(f"{type(pipeline[-1]).__name__}: {type(error).__name__}: {reason}") from error
    _answer_in_doubles(model)
    _describe(model, pipeline)
    return model


def _convert(pipeline: "Pipeline") -> "ModelProto":
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType, StringTensorType
    from sklearn.pipeline import Pipeline

    preparation, estimator = pipeline.named_steps["prepare"], _innermost(pipeline.named_steps["estimator"])
    register_booster(estimator)
    kinds = _kinds(preparation)
    inputs = [
        (f"c{index}", (StringTensorType if kind == "categorical" else DoubleTensorType)([None, 1]))
        for index, kind in enumerate(kinds.values())
    ]
    steps = [("prepare", _with_inputs(preparation, list(kinds))), *_cast(estimator), ("estimator", estimator)]
    model = convert_sklearn(
        Pipeline(steps),
        name="pipeline",
        initial_types=inputs,
        options={id(estimator): {"zipmap": False}} if hasattr(estimator, "predict_proba") else None,
        target_opset=OPSETS,
        custom_conversion_functions=converters(),
        custom_shape_calculators=shapes(),
    )
    return cast("ModelProto", model)


def _innermost(estimator: Any) -> "BaseEstimator":
    """The estimator that answers with the positions of labels, where the pipeline wraps one to give labels."""
    return estimator.estimators_[0] if gives_positions(estimator) else estimator


def gives_positions(estimator: "BaseEstimator") -> bool:
    """Whether the estimator is a soft vote of one, which only encodes and decodes labels."""
    from sklearn.ensemble import VotingClassifier

    return isinstance(estimator, VotingClassifier) and estimator.voting == "soft" and len(estimator.estimators) == 1


def _kinds(preparation: Any) -> dict[str, str]:
    """Features in the order of the training frame, with the kind each is prepared as."""
    kinds = {name: part for part, _, names in preparation.transformers_ if part != "remainder" for name in names}
    return {name: kinds[name] for name in preparation.feature_names_in_ if name in kinds}


def _with_inputs(preparation: "ColumnTransformer", names: list[str]) -> "ColumnTransformer":
    """The same fitted preparation on inputs ``c0`` …: ONNX names allow less than column names do.

    Filling empty categories is left to whoever gives the inputs, for ONNX has no empty text.
    """
    renamed = {name: f"c{index}" for index, name in enumerate(names)}
    parts = [
        (part, fitted["encode"] if part == "categorical" else fitted, [renamed[name] for name in columns])
        for part, fitted, columns in preparation.transformers_
        if part != "remainder"
    ]
    changed = copy.copy(preparation)
    changed.transformers = changed.transformers_ = parts
    return changed


def _cast(estimator: "BaseEstimator") -> "list[tuple[str, BaseEstimator]]":
    from skl2onnx.sklapi import CastTransformer

    if not f"{type(estimator).__module__}.".startswith(SINGLE_PRECISION):
        return []
    return [("single", CastTransformer(dtype=np.float32)), ("double", CastTransformer(dtype=cast(Any, np.float64)))]


def _answer_in_doubles(model: "ModelProto") -> None:
    """Cast every number that leaves the graph to double, whatever type its maker has."""
    from onnx import TensorProto, helper

    for output in model.graph.output:
        if output.type.tensor_type.elem_type in (TensorProto.FLOAT, TensorProto.DOUBLE):
            raw = f"{output.name}_raw"
            for node in model.graph.node:
                node.input[:] = [raw if name == output.name else name for name in node.input]
                node.output[:] = [raw if name == output.name else name for name in node.output]
            model.graph.node.append(helper.make_node("Cast", [raw], [output.name], to=TensorProto.DOUBLE))
            output.type.tensor_type.elem_type = TensorProto.DOUBLE


def _describe(model: "ModelProto", pipeline: "Pipeline") -> None:
    from onnx import helper

    facts = {
        "features": _kinds(pipeline.named_steps["prepare"]),
        "classes": pipeline.classes_.tolist() if hasattr(pipeline, "classes_") else [],
        "positions": gives_positions(pipeline.named_steps["estimator"]),
        "probabilities": hasattr(pipeline, "predict_proba"),
    }
    model.opset_import.sort(key=lambda opset: opset.domain)  # skl2onnx leaves the order to chance
    helper.set_model_props(model, {name: json.dumps(value) for name, value in facts.items()})
