"""Converters of this package's estimators for skl2onnx, with which whole pipelines are exported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

#: Outputs of graphs, in their order, and what skl2onnx calls their types by.
_REGRESSOR, _CLASSIFIER = ("variable", "gate"), ("label", "probabilities", "gate")


def register(convert: Callable[..., Any], estimators: tuple[type, ...]) -> Any:
    """Tell skl2onnx how estimators are converted: by ``convert(estimator, dtype)``; skl2onnx.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.
    """
    try:
        import skl2onnx
    except ImportError as error:
        raise ImportError(
            "Pipelines are exported with the package skl2onnx; install it with "
            "pip install 'moe_classic[onnx]'."
        ) from error
    converter = _Converter(convert)
    for estimator in estimators:
        skl2onnx.update_registered_converter(
            estimator,
            f"MoEClassic{estimator.__name__}",
            _shapes,
            converter,
            parser=_outputs,
        )
    return skl2onnx


def initial_types(pipeline: Any, dtype: np.dtype[Any], X: Any) -> list[tuple[str, Any]]:
    """Names and types of the inputs of a pipeline: a matrix, or the columns of a frame."""
    from skl2onnx.common import data_types as types

    number = types.FloatTensorType if dtype == np.float32 else types.DoubleTensorType
    if X is None:
        return [("X", number([None, pipeline.n_features_in_]))]
    if not isinstance(X, pd.DataFrame):
        raise TypeError(
            f"X of type {type(X).__name__} must be a DataFrame, whose columns become inputs; "
            "leave it out for a pipeline that takes a matrix of numbers."
        )
    numeric = [pd.api.types.is_numeric_dtype(X[c].dtype) for c in X.columns]
    return [
        (str(c), (number if n else types.StringTensorType)([None, 1]))
        for c, n in zip(X.columns, numeric, strict=True)
    ]


def _outputs(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
    """Declare the step and what comes out of it."""
    alias = f"MoEClassic{type(model).__name__}"
    step = scope.declare_local_operator(alias, model)
    step.inputs.extend(inputs)
    for name in _names(model):
        step.outputs.append(scope.declare_local_variable(name, _type(model, name, inputs)))
    return step.outputs


def _names(model: Any) -> tuple[str, ...]:
    """Outputs of an estimator, in the order of its graph."""
    return _CLASSIFIER if hasattr(model, "classes_") else _REGRESSOR


def _type(model: Any, name: str, inputs: Any) -> Any:
    """Type of an output, of the precision of the input."""
    from skl2onnx.common import data_types as types

    if name != "label":
        double = isinstance(inputs[0].type, types.DoubleTensorType)
        return (types.DoubleTensorType if double else types.FloatTensorType)([None, None])
    kind = np.asarray(model.classes_).dtype.kind
    if kind == "b":
        return types.BooleanTensorType([None])
    return (types.StringTensorType if kind in "OUS" else types.Int64TensorType)([None])


def _shapes(step: Any) -> None:
    """Types and shapes of what comes out, when those of the input are known."""
    model = step.raw_operator
    if len(step.inputs) != 1:
        raise ValueError(
            f"{type(model).__name__} takes one matrix, and {len(step.inputs)} columns were "
            "described to skl2onnx one by one: put a ColumnTransformer before it, which joins "
            "them, or describe X as a single input."
        )
    rows = step.inputs[0].get_first_dimension()
    outputs = len(model.classes_) if hasattr(model, "classes_") else _width(model)
    widths = {"gate": model.n_experts, "variable": outputs, "probabilities": outputs}
    # Ensembles ask for the first outputs only.
    for output, kind in zip(step.outputs, _names(model), strict=False):
        output.type = _type(model, kind, step.inputs)
        output.type.shape = [rows] if kind == "label" else [rows, widths[kind]]


def _width(model: Any) -> int:
    """Outputs of a regressor."""
    from moe_classic._results import fitted_record

    return len(fitted_record(model).target.names)


class _Converter:
    """Copy the graph of one estimator into that of a pipeline."""

    def __init__(self, convert: Callable[..., Any]) -> None:
        self.convert = convert

    def __call__(self, scope: Any, step: Any, container: Any) -> None:
        """Add nodes and constants under names that nobody else has."""
        from onnx import helper
        from skl2onnx.common.data_types import DoubleTensorType

        double = isinstance(step.inputs[0].type, DoubleTensorType)
        dtype = np.dtype(np.float64 if double else np.float32)
        graph = self.convert(step.raw_operator, dtype=dtype).graph
        names = {c.name: scope.get_unique_variable_name(c.name) for c in graph.initializer}
        names |= {
            o.name: taken.full_name for o, taken in zip(graph.output, step.outputs, strict=False)
        }
        # Whole numbers and truth values become numbers of the graph's type.
        names["X"] = scope.get_unique_variable_name("X_cast")
        element = helper.np_dtype_to_tensor_dtype(dtype)
        cast = {"name": scope.get_unique_operator_name("Cast"), "to": element}
        container.add_node("Cast", step.inputs[0].full_name, names["X"], **cast)
        for constant in graph.initializer:
            _add_constant(container, constant, names[constant.name])
        for node in graph.node:
            for name in node.output:
                names.setdefault(name, scope.get_unique_variable_name(name))
            extra = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            container.add_node(
                node.op_type,
                [names[i] if i else "" for i in node.input],
                [names[o] for o in node.output],
                name=scope.get_unique_operator_name(node.op_type),
                **extra,
            )


def _add_constant(container: Any, constant: Any, name: str) -> None:
    """Add an array under a new name."""
    from onnx import TensorProto

    taken = TensorProto()
    taken.CopyFrom(constant)
    taken.name = name
    container.initializers.append(taken)
