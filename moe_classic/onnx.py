"""Export of fitted mixtures of experts to ONNX; needs the extra ``onnx``.

The graph repeats what ``predict`` and ``predict_proba`` compute, step by step: standardise,
linear predictors, gate, experts, blend. Features are centred before they are multiplied, so that
single precision is enough where features or target have a large offset.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from moe_classic._data import DesignMap
from moe_classic._model import ObservedModel
from moe_classic._results import FittedMixture, fitted_moe, fitted_net, fitted_record
from moe_classic._targets import ClassTarget

from ._onnx_nets import net_graph
from ._onnx_pipelines import initial_types, register
from ._typing import Floats

__all__ = ["register_converters", "to_onnx"]

#: Version of the operators and of the file format that goes with it.
_OPSET, _IR = 17, 8


def to_onnx(estimator: Any, *, dtype: Any = np.float32, X: Any = None) -> Any:
    """A fitted mixture of experts, or a pipeline that ends in one, as an ONNX model.

    Linear experts (Gaussian, Laplace, Student-t, logistic, multinomial) with softmax, Gaussian,
    constant and tree gates are exported, and components of your own that have a method ``graph``;
    and nets with sparse layers behind routers that send rows to experts (top-k, noisy, dense,
    expert choice, balanced, REINFORCE, shared or experts).

    Parameters
    ----------
    estimator : fitted mixture of experts, pipeline that ends in one, or a search over them
        The components of a mixture see columns of X as they are. Pipelines need skl2onnx, and
        transformers that it can convert.
    dtype : {numpy.float32, numpy.float64}, default=numpy.float32
        Type of the input, of all arithmetic and of the results. Input in single precision keeps
        some seven digits of a feature, so that what varies by less than 1e-7 of its size is lost
        before anything is computed: a time stamp in seconds since 1970 is rounded to two minutes.
        Shift such features before they are fitted, or export in double precision.
    X : DataFrame, default=None
        For a pipeline only: rows whose columns become inputs of their own, under their names, of
        shape (n, 1): numbers of the type ``dtype``, and text. Needed where transformers choose
        columns by name or take text. None: a single matrix of numbers.

    Returns
    -------
    model : onnx.ModelProto
        Input ``X`` of shape (n, n_features), or those named above. Outputs of a regressor:
        ``variable``, the conditional mean, of shape (n, n_outputs); of a classifier: ``label`` of
        shape (n,) and ``probabilities`` of shape (n, n_classes); of both: ``gate``, the gate
        probabilities, of shape (n, n_experts).

    Raises
    ------
    ImportError
        If the extra ``onnx``, or for pipelines skl2onnx in it, is not installed.
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
    estimator = getattr(estimator, "best_estimator_", estimator)
    if hasattr(estimator, "steps"):
        return _pipeline(estimator, np.dtype(dtype), X)
    if X is not None:
        raise ValueError(
            f"X describes the columns of a pipeline, and {type(estimator).__name__} is none: leave "
            "X out."
        )
    moe = fitted_moe(estimator, needs="gate_proba", caller="to_onnx")
    if hasattr(moe, "routers_"):
        net = _Graph(onnx, np.dtype(dtype))
        return net.model(*net_graph(net, fitted_net(moe), moe.n_features_in_), type(moe).__name__)
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


def register_converters() -> None:
    """Teach skl2onnx the estimators of this package, for every export of this session.

    Afterwards ``skl2onnx.to_onnx`` takes whatever contains them: pipelines, stacks, voting and
    so on. What cannot be exported is refused when it is met, as by `to_onnx`.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.

    Examples
    --------
    >>> import skl2onnx  # doctest: +SKIP
    >>> from moe_classic.onnx import register_converters
    >>> register_converters()  # doctest: +SKIP
    >>> skl2onnx.to_onnx(stack, X.astype("float32"))  # doctest: +SKIP
    """
    from moe_classic import estimators

    # The graph of a mixture is that of `to_onnx`.
    register(to_onnx, tuple(getattr(estimators, name) for name in estimators.__all__))


def _pipeline(pipeline: Any, dtype: np.dtype[Any], X: Any) -> Any:
    """A pipeline, by skl2onnx."""
    fitted_moe(pipeline, needs="gate_proba", caller="to_onnx")
    register_converters()
    import skl2onnx

    types = initial_types(pipeline, dtype, X)
    return skl2onnx.to_onnx(pipeline, initial_types=types, target_opset=_OPSET)


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
    parts = (fitted.model.gate, *(group.expert for group in fitted.model.groups))
    for part in parts:
        if not part.has("graph"):
            raise TypeError(
                f"to_onnx cannot export the {part.plural[:-1]} {part!r}: {part.name!r} "
                f"{part.plural} have no `graph` of ONNX operators."
            )
        if getattr(part, "carried", ()):
            raise TypeError(
                f"to_onnx cannot export the {part.plural[:-1]} {part!r}: columns of X that are "
                "offsets, exposures or trials have no place in the graph."
            )
    if isinstance(fitted.model, ObservedModel):
        raise TypeError(
            "to_onnx cannot export missing='marginalize': what rows miss is marginalised pattern "
            "by pattern, which no graph of ONNX operators does. Fit with missing='error'."
        )
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
                raw = self._bent(raw, design)
                # In two parts: a centre rounded once would shift features with a large offset.
                centre = design.centre.astype(self.dtype)
                rest = design.centre - centre
                centred = self.node("Sub", raw, self.constant(centre))
                if rest.any():
                    centred = self.node("Sub", centred, self.constant(rest))
                Z = self.node("Mul", centred, self.constant(design.inverse))
            self._designs[number] = Z
        return self._designs[number]

    def _bent(self, raw: str, design: DesignMap) -> str:
        """Features (n, q - 1), bent where the design bends them."""
        if design.bends is None:
            return raw
        bent = design.bends.unit > 0.0
        unit = self.constant(np.where(bent, design.bends.unit, 1.0))
        centred = self.node("Sub", raw, self.constant(design.bends.middle))
        curved = self._asinh(self.node("Div", centred, unit))
        return self.node("Where", self.constant(bent), curved, raw)

    def _asinh(self, t: str) -> str:
        """``sign(t) log(|t| + sqrt(t^2 + 1))``: runtimes have no Asinh of doubles."""
        largest = self.constant(np.sqrt(np.finfo(self.dtype).max) / 2.0)
        size = self.node("Min", self.node("Abs", t), largest)
        square = self.node("Add", self.node("Mul", size, size), self.constant(np.ones(1)))
        total = self.node("Add", size, self.node("Sqrt", square))
        return self.node("Mul", self.node("Sign", t), self.node("Log", total))

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

    def labels(self, classes: np.ndarray, proba: str) -> Any:
        """Most probable class of each row, as output ``label``; its description."""
        best = self.node("ArgMax", proba, axis=1, keepdims=0)
        known, kind = _labels(classes)
        self.node("Gather", self.constant(known), best, output="label", axis=0)
        return self.value("label", [None], kind)

    def total(self, name: str, axis: int) -> str:
        """Sum over one axis, which goes."""
        return self.node("ReduceSum", name, self.constant(np.array([axis])), keepdims=0)


def _first_entry() -> tuple[Any, Any]:
    """Start and end of a slice that takes the first entry."""
    return np.array([0]), np.array([1])


# ------------------------------------------------------------------------- experts


def _gate(graph: _Graph, fitted: FittedMixture) -> str:
    """Gate probabilities, (n, K)."""
    model = fitted.model
    linear = partial(graph.linear, fitted, model.gate_design)
    return str(model.gate.graph(graph, fitted.params.gate, linear))


def _experts(graph: _Graph, fitted: FittedMixture) -> list[str]:
    """What the experts of every group predict, (n, K, d or C)."""
    pairs = zip(fitted.model.groups, fitted.params.experts, strict=True)
    return [
        g.expert.graph(
            graph, _without_idle(p, fitted.maps[g.design]), partial(_lines, graph, fitted, g.design)
        )
        for g, p in pairs
    ]


def _without_idle(params: Any, design: DesignMap) -> Any:
    """Parameters whose intercepts are 0 where the design has no constant."""
    if design.constant:
        return params
    coef = params.coef.copy()
    coef[..., -1] = 0.0
    return replace(params, coef=coef)


def _lines(graph: _Graph, fitted: FittedMixture, number: int, coef: Floats) -> str:
    """Linear predictors (n, K, M) of coefficients (K, M, q) on one design."""
    K, M, q = coef.shape
    return graph.reshape(graph.linear(fitted, number, coef.reshape(K * M, q)), K, M)


def _real(graph: _Graph, fitted: FittedMixture, gate: str) -> list[Any]:
    """The conditional mean: locations (n, K, d) blended by the gate."""
    graph.node("Identity", _blend(graph, _experts(graph, fitted), gate), output="variable")
    return [graph.value("variable", [None, fitted.target.width])]


def _classes(graph: _Graph, fitted: FittedMixture, labels: np.ndarray, gate: str) -> list[Any]:
    """Class probabilities (n, K, C) blended by the gate, and the most probable class."""
    parts, C = _experts(graph, fitted), len(labels)
    graph.node("Identity", _blend(graph, parts, gate), output="probabilities")
    label = graph.labels(labels, "probabilities")
    return [label, graph.value("probabilities", [None, C])]


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
