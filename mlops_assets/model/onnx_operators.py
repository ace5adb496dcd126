"""ONNX operators: converters that keep the double precision in which scikit-learn computes."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from onnx import NodeProto
    from skl2onnx.common._container import ModelComponentContainer
    from skl2onnx.common._topology import Operator, Scope
    from sklearn.base import BaseEstimator

    Converter = Callable[[Scope, Operator, ModelComponentContainer], None]
    Shape = Callable[[Operator], None]

OPSETS = {"": 21, "ai.onnx.ml": 3}


def converters() -> "dict[type, Converter]":
    """Own converters, by the class of what they convert."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.impute import SimpleImputer

    return {
        SimpleImputer: _convert_imputer,
        HistGradientBoostingClassifier: _convert_histogram_boosting,
        HistGradientBoostingRegressor: _convert_histogram_boosting,
    }


def shapes() -> "dict[type, Shape]":
    """How the shapes of outputs follow, by class."""
    from sklearn.impute import SimpleImputer

    return {SimpleImputer: _imputer_shape}


def _imputer_shape(operator: Any) -> None:
    given = operator.inputs[0].type
    operator.outputs[0].type = type(given)([None, given.shape[1]])


def _convert_imputer(scope: "Scope", operator: "Operator", container: "ModelComponentContainer") -> None:
    from onnx import TensorProto

    fill, empty = scope.get_unique_variable_name("fill"), scope.get_unique_variable_name("empty")
    values = operator.raw_operator.statistics_.astype(float).tolist()
    given, filled = operator.inputs[0].full_name, operator.outputs[0].full_name
    container.add_initializer(fill, TensorProto.DOUBLE, [1, len(values)], values)
    container.add_node("IsNaN", [given], [empty], name=scope.get_unique_operator_name("IsNaN"), op_version=13)
    container.add_node("Where", [empty, fill, given], [filled], name=scope.get_unique_operator_name("Where"))


def _convert_histogram_boosting(scope: "Scope", operator: "Operator", container: "ModelComponentContainer") -> None:
    from skl2onnx.operator_converters import random_forest

    classifier = hasattr(operator.raw_operator, "classes_")
    convert, kind = (
        (random_forest.convert_sklearn_random_forest_classifier, "TreeEnsembleClassifier")
        if classifier
        else (random_forest.convert_sklearn_random_forest_regressor_converter, "TreeEnsembleRegressor")
    )
    convert(scope, operator, _InDoubles(container), op_type=kind, op_version=OPSETS["ai.onnx.ml"])


def _convert_lightgbm(scope: "Scope", operator: "Operator", container: "ModelComponentContainer") -> None:
    from onnxmltools.convert.lightgbm.operator_converters import LightGbm

    LightGbm.convert_lightgbm(scope, operator, _InDoubles(container))


def _convert_xgboost(scope: "Scope", operator: "Operator", container: "ModelComponentContainer") -> None:
    from onnxmltools.convert.xgboost.operator_converters import XGBoost

    XGBoost.convert_xgboost(scope, operator, container)


class _InDoubles:
    """A container in which thresholds and leaves of trees keep the double precision that converters give them."""

    def __init__(self, container: "ModelComponentContainer") -> None:
        self.container = container

    def __getattr__(self, name: str) -> Any:
        return getattr(self.container, name)

    def add_node(self, op_type: str, *arguments: Any, **attributes: Any) -> None:

        if not op_type.startswith("TreeEnsemble"):
            self.container.add_node(op_type, *arguments, **attributes)
            return
        names = {"nodes_values", "class_weights", "target_weights", "base_values"} & attributes.keys()
        doubles = {name: np.asarray(attributes.pop(name), dtype=np.float64).ravel() for name in sorted(names)}
        attributes.pop("nodes_hitrates")
        tracks = "nodes_missing_value_tracks_true"
        attributes[tracks] = [int(value) for value in attributes[tracks]]
        self.container.add_node(op_type, *arguments, **{**attributes, "op_version": OPSETS["ai.onnx.ml"]})
        _store_as_doubles(self.container.nodes[-1], doubles)


def _store_as_doubles(node: "NodeProto", values: dict[str, np.ndarray]) -> None:
    from onnx import helper, numpy_helper

    node.attribute.extend(
        helper.make_attribute(f"{name}_as_tensor", numpy_helper.from_array(value, name))
        for name, value in values.items()
    )


def register_booster(estimator: "BaseEstimator") -> None:
    """Tell skl2onnx of the converters that onnxmltools has for boosters."""
    library = type(estimator).__module__.split(".")[0]
    if library not in ("lightgbm", "xgboost"):
        return
    from skl2onnx import update_registered_converter
    from skl2onnx.common import shape_calculator

    classifier = hasattr(estimator, "classes_")
    update_registered_converter(
        type(estimator),
        type(estimator).__name__,
        shape_calculator.calculate_linear_classifier_output_shapes
        if classifier
        else shape_calculator.calculate_linear_regressor_output_shapes,
        _convert_xgboost if library == "xgboost" else _convert_lightgbm,
        options={"zipmap": [True, False, "columns"], "nocl": [True, False]} if classifier else {"split": None},
    )
