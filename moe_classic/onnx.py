"""Export of fitted mixtures of experts to ONNX; needs the extra ``onnx``.

The graph repeats what ``predict`` and ``predict_proba`` compute, step by step: standardise,
linear predictors, gate, experts, blend. Features are centred before they are multiplied, so that
single precision is enough where features or target have a large offset.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from moe_classic._data import DesignMap
from moe_classic._results import FittedMixture, fitted_moe, fitted_record
from moe_classic._targets import ClassTarget

from ._typing import Floats

__all__ = ["to_onnx"]

_LINEAR = ("gaussian", "laplace", "student_t")
_CLASSES = ("logistic", "multinomial")
#: Version of the operators and of the file format that goes with it.
_OPSET, _IR = 17, 8


def to_onnx(estimator: Any, *, dtype: Any = np.float32) -> Any:
    """A fitted mixture of experts as an ONNX model.

    Linear experts (Gaussian, Laplace, Student-t, logistic, multinomial) with softmax, Gaussian,
    constant and tree gates are exported.

    Parameters
    ----------
    estimator : fitted mixture of experts, or a search over them
        Its components see columns of X as they are. For a pipeline, export the transformers with
        ``skl2onnx`` and its last step with this function, and join them with
        ``onnx.compose.merge_models``.
    dtype : {numpy.float32, numpy.float64}, default=numpy.float32
        Type of the input, of all arithmetic and of the results.

    Returns
    -------
    model : onnx.ModelProto
        Input ``X`` of shape (n, n_features). Outputs of a regressor: ``variable``, the conditional
        mean, of shape (n, n_outputs); of a classifier: ``label`` of shape (n,) and
        ``probabilities`` of shape (n, n_classes); of both: ``gate``, the gate probabilities, of
        shape (n, n_experts).

    Raises
    ------
    ImportError
        If the extra ``onnx`` is not installed.
    TypeError, ValueError
        If a component cannot be exported, or ``dtype`` is another.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.onnx import to_onnx
    >>> moe = MoERegressor(2, random_state=0).fit(*load_tone(return_X_y=True))
    >>> model = to_onnx(moe)  # doctest: +SKIP
    >>> session = onnxruntime.InferenceSession(model.SerializeToString())  # doctest: +SKIP
    >>> session.run(["variable"], {"X": X.astype("float32")})  # doctest: +SKIP
    """
    onnx = _load()
    if np.dtype(dtype) not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"dtype={dtype!r} must be numpy.float32 or numpy.float64.")
    if hasattr(estimator, "steps"):
        raise TypeError(
            "to_onnx exports a mixture of experts, not a pipeline: export pipeline[:-1] with "
            "skl2onnx and pipeline[-1] with to_onnx, and join them with onnx.compose.merge_models."
        )
    moe = fitted_moe(estimator, needs="gate_proba", caller="to_onnx")
    fitted = fitted_record(moe)
    if not isinstance(fitted, FittedMixture):
        raise TypeError(
            f"to_onnx exports experts of this package, and {type(moe).__name__} blends estimators "
            "of scikit-learn: export those with skl2onnx and add them up with the weights of the "
            "gate."
        )
    _check_exportable(fitted)
    graph = _Graph(onnx, np.dtype(dtype))
    gate = graph.node("Identity", _gate(graph, fitted), output="gate")
    outputs = [graph.value("gate", [None, fitted.model.n_experts])]
    if isinstance(fitted.target, ClassTarget):
        outputs = _classes(graph, fitted, fitted.target.classes, gate) + outputs
    else:
        outputs = _real(graph, fitted, gate) + outputs
    inputs = [graph.value("X", [None, moe.n_features_in_])]
    return graph.model(inputs, outputs, type(moe).__name__)


def _load() -> Any:
    """The package onnx, or an error that says how to get it."""
    try:
        import onnx
    except ImportError as error:
        raise ImportError(
            "moe_classic.onnx.to_onnx needs the package onnx; install it with "
            "pip install 'moe_classic[onnx]'."
        ) from error
    return onnx


def _check_exportable(fitted: FittedMixture) -> None:
    """Raise unless every component has a graph."""
    known = (*_LINEAR, *_CLASSES)
    if fitted.model.gate.name not in _GATES:
        raise TypeError(
            f"to_onnx cannot export the gate {fitted.model.gate!r}; it knows {sorted(_GATES)}."
        )
    for group in fitted.model.groups:
        if group.expert.name not in known:
            raise TypeError(f"to_onnx cannot export the expert {group.expert!r}; it knows {known}.")
    for design in fitted.maps:
        if design.transformer is not None:
            raise TypeError(
                f"to_onnx cannot export features={design.transformer!r}, a transformer inside a "
                "component. Transform X before the fit, in a pipeline, and export the steps."
            )


# ------------------------------------------------------------------------- building


class _Graph:
    """Nodes and constants of a graph under construction; names are counted."""

    def __init__(self, onnx: Any, dtype: np.dtype[Any]) -> None:
        self.onnx, self.dtype = onnx, dtype
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._designs: dict[int, str | None] = {}

    def node(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Add a node; the name of its output."""
        name = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [name], **attributes))
        return name

    def constant(self, value: Any) -> str:
        """Add a constant array; floats get the type of the graph."""
        array = np.asarray(value)
        if array.dtype.kind == "f":
            array = array.astype(self.dtype)
        name = f"constant_{len(self.constants)}"
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def value(self, name: str, shape: list[int | None], kind: str | None = None) -> Any:
        """Description of an input or output."""
        known = {"float32": "FLOAT", "float64": "DOUBLE"}
        element = getattr(self.onnx.TensorProto, kind or known[self.dtype.name])
        return self.onnx.helper.make_tensor_value_info(name, element, shape)

    def model(self, inputs: list[Any], outputs: list[Any], name: str) -> Any:
        """The checked model."""
        helper = self.onnx.helper
        graph = helper.make_graph(self.nodes, name, inputs, outputs, initializer=self.constants)
        model = helper.make_model(
            graph,
            producer_name="moe_classic",
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR,
        )
        self.onnx.checker.check_model(model)
        return model

    def _design(self, number: int, design: DesignMap) -> str | None:
        """Standardised features (n, q - 1); None if there are none. Built once a design."""
        if number not in self._designs:
            columns = design.columns
            raw = "X"
            if columns is not None and len(columns):
                raw = self.node("Gather", "X", self.constant(columns.astype(np.int64)), axis=1)
            Z = None
            if design.width > 1:
                # In two parts: a centre rounded once would shift features with a large offset.
                centre = design.centre.astype(self.dtype)
                rest = design.centre - centre
                centred = self.node("Sub", raw, self.constant(centre))
                if rest.any():
                    centred = self.node("Sub", centred, self.constant(rest))
                Z = self.node("Mul", centred, self.constant(design.inverse))
            self._designs[number] = Z
        return self._designs[number]

    def linear(self, fitted: FittedMixture, number: int, coef: Floats) -> str:
        """Linear predictors (n, M) of coefficients (M, q) on one design."""
        Z = self._design(number, fitted.maps[number])
        offset = self.constant(coef[:, -1])
        if Z is not None:
            product = self.node("MatMul", Z, self.constant(coef[:, :-1].T))
            return self.node("Add", product, offset)
        rows = self.node("Slice", self.node("Shape", "X"), *map(self.constant, _first_entry()))
        shape = self.node("Concat", rows, self.constant(np.array([len(coef)])), axis=0)
        return self.node("Expand", offset, shape)

    def reshape(self, name: str, *shape: int) -> str:
        """(n, ...) to (n, *shape)."""
        return self.node("Reshape", name, self.constant(np.array([-1, *shape])))

    def total(self, name: str, axis: int) -> str:
        """Sum over one axis, which goes."""
        return self.node("ReduceSum", name, self.constant(np.array([axis])), keepdims=0)


def _first_entry() -> tuple[Any, Any]:
    """Start and end of a slice that takes the first entry."""
    return np.array([0]), np.array([1])


# ------------------------------------------------------------------------- gates


def _gate(graph: _Graph, fitted: FittedMixture) -> str:
    """Gate probabilities, (n, K)."""
    return _GATES[fitted.model.gate.name](graph, fitted, fitted.params.gate)


def _softmax_gate(graph: _Graph, fitted: FittedMixture, params: Any) -> str:
    """Softmax of linear predictors, the last of which is 0."""
    coef = np.vstack([params.coef, np.zeros(params.coef.shape[1])])
    return graph.node("Softmax", graph.linear(fitted, fitted.model.gate_design, coef), axis=1)


def _constant_gate(graph: _Graph, fitted: FittedMixture, params: Any) -> str:
    """The same proportions in every row."""
    return graph.linear(fitted, fitted.model.gate_design, params.proportions[:, None])


def _gaussian_gate(graph: _Graph, fitted: FittedMixture, params: Any) -> str:
    """Softmax of ``log pi - log det L - |L^-1 (z - m)|^2 / 2``."""
    K, p = params.means.shape
    P = np.broadcast_to(np.linalg.inv(params.chol), (K, p, p))
    shift = -(P @ params.means[:, :, None])
    white = graph.linear(
        fitted, fitted.model.gate_design, np.concatenate([P, shift], axis=2).reshape(K * p, p + 1)
    )
    cube = graph.reshape(graph.node("Mul", white, white), K, p)
    half = graph.node("Mul", graph.total(cube, 2), graph.constant(np.array(-0.5)))
    log_det = np.log(np.einsum("kii->ki", params.chol)).sum(axis=1)
    constant = np.log(np.maximum(params.proportions, 1e-300)) - log_det
    return graph.node("Softmax", graph.node("Add", half, graph.constant(constant)), axis=1)


def _tree_gate(graph: _Graph, fitted: FittedMixture, params: Any) -> str:
    """Products of the softmax gates on the way from the root to each leaf."""
    shape, q = params.shape, params.coef.shape[1]
    if shape.is_flat:
        return _softmax_gate(graph, fitted, params)
    conditionals = []
    for j in shape.inner:
        start, m = int(shape.first_row[j]), int(shape.n_children[j]) - 1
        coef = np.vstack([params.coef[start : start + m], np.zeros(q)])
        logits = graph.linear(fitted, fitted.model.gate_design, coef)
        conditionals.append(graph.node("LogSoftmax", logits, axis=1))
    # Breadth first, so that the children of all nodes in turn are the nodes 1 to N - 1.
    logs = graph.node("Concat", *conditionals, axis=1)
    on_path = np.zeros((shape.n_nodes - 1, shape.n_leaves))
    for k, leaf in enumerate(np.arange(shape.n_nodes)[shape.leaves]):
        node = int(leaf)
        while node > 0:
            on_path[node - 1, k] = 1.0
            node = int(shape.parent[node])
    return graph.node("Exp", graph.node("MatMul", logs, graph.constant(on_path)))


_GATES: dict[str, Callable[[_Graph, FittedMixture, Any], str]] = {
    "constant": _constant_gate,
    "gaussian": _gaussian_gate,
    "softmax": _softmax_gate,
    "tree": _tree_gate,
}


# ------------------------------------------------------------------------- experts


def _real(graph: _Graph, fitted: FittedMixture, gate: str) -> list[Any]:
    """The conditional mean: locations (n, K, d) blended by the gate."""
    parts = []
    for group, p in zip(fitted.model.groups, fitted.params.experts, strict=True):
        K, d, q = p.coef.shape
        flat = graph.linear(fitted, group.design, p.coef.reshape(K * d, q))
        parts.append(graph.reshape(flat, K, d))
    blended = _blend(graph, parts, gate)
    graph.node("Identity", blended, output="variable")
    return [graph.value("variable", [None, d])]


def _classes(graph: _Graph, fitted: FittedMixture, labels: np.ndarray, gate: str) -> list[Any]:
    """Class probabilities (n, K, C) blended by the gate, and the most probable class."""
    parts = []
    for group, p in zip(fitted.model.groups, fitted.params.experts, strict=True):
        full = np.concatenate([p.coef, np.zeros_like(p.coef[:, :1])], axis=1)
        K, C, q = full.shape
        flat = graph.linear(fitted, group.design, full.reshape(K * C, q))
        parts.append(graph.node("Softmax", graph.reshape(flat, K, C), axis=2))
    graph.node("Identity", _blend(graph, parts, gate), output="probabilities")
    best = graph.node("ArgMax", "probabilities", axis=1, keepdims=0)
    classes, kind = _labels(labels)
    graph.node("Gather", graph.constant(classes), best, output="label", axis=0)
    return [graph.value("label", [None], kind), graph.value("probabilities", [None, C])]


def _blend(graph: _Graph, parts: list[str], gate: str) -> str:
    """Experts (n, K, M) of all groups weighted by the gate and added, (n, M)."""
    experts = parts[0] if len(parts) == 1 else graph.node("Concat", *parts, axis=1)
    weights = graph.node("Unsqueeze", gate, graph.constant(np.array([2])))
    return graph.total(graph.node("Mul", experts, weights), 1)


def _labels(classes: np.ndarray) -> tuple[np.ndarray, str]:
    """Classes in a type that ONNX has, and its name."""
    kinds = {"b": (np.bool_, "BOOL"), "i": (np.int64, "INT64"), "u": (np.int64, "INT64")}
    if classes.dtype.kind in kinds:
        dtype, name = kinds[classes.dtype.kind]
        return classes.astype(dtype), name
    if classes.dtype.kind == "f" and np.array_equal(classes, np.round(classes)):
        return classes.astype(np.int64), "INT64"
    return np.array([str(c) for c in classes], dtype=object), "STRING"
